import Authentication
import Networking

/// What is announced, and when. A capability stands here only when all of it works.
enum Capabilities {
  /// True in every state.
  private static let always = "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE"

  /// Only a logged-in client can use these; before that they are no stranger's business.
  private static let afterLogin =
    "IDLE NAMESPACE UNSELECT UIDPLUS MOVE CHILDREN SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS"
    + " STATUS=SIZE BINARY MULTIAPPEND ESEARCH SEARCHRES WITHIN"

  /// Before login.
  static func beforeLogin(offersSTARTTLS: Bool, allowsLogin: Bool, mechanisms: [String]) -> String {
    var list = always
    if offersSTARTTLS { list += " STARTTLS" }
    if !allowsLogin { list += " LOGINDISABLED" }
    for mechanism in mechanisms { list += " AUTH=" + mechanism }
    return list
  }

  static func afterLogin(appendLimit: Int) -> String {
    always + " " + afterLogin + " APPENDLIMIT=\(appendLimit)"
  }
}

extension IMAPSession {
  /// What this session announces now.
  var capabilities: String {
    switch state {
    case .authenticated, .selected: Capabilities.afterLogin(appendLimit: services.limits.messageSize)
    case .notAuthenticated, .loggedOut:
      Capabilities.beforeLogin(
        offersSTARTTLS: services.tls != nil && connection.tls == nil,
        allowsLogin: services.authenticator.allowsPlaintext(authenticationContext),
        mechanisms: services.authenticator.mechanisms(for: authenticationContext))
    }
  }
}
