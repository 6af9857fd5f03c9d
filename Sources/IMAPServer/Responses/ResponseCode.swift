import MailStore

/// `resp-text-code`: what a program can act on.  RFC 9051 §7.1, RFC 5530.
enum ResponseCode: Hashable, Sendable {
  case alreadyExists
  /// RFC 4315 §3.
  case appendUID(UIDValidity, [UID])
  case authenticationFailed
  case authorizationFailed
  case badCharset
  case cannot
  /// The capabilities, joined by spaces.
  case capability(String)
  case clientBug
  case closed
  /// RFC 4315 §3.
  case copyUID(UIDValidity, source: [UID], destination: [UID])
  case expungeIssued
  case hasChildren
  case inUse
  case limit
  case nonexistent
  /// RFC 5182 §2.1.
  case notSaved
  case overQuota
  case privacyRequired
  case readOnly
  case readWrite
  case serverBug
  case tooBig
  case tryCreate
  case unavailable
  case uidNotSticky
  /// RFC 3516 §4.3.
  case unknownCTE
  /// RFC 6154 §5.2.
  case useAttribute
}

extension ResponseBuffer {
  /// `[CODE]` and the space behind it.
  mutating func append(_ code: ResponseCode) {
    append(0x5B)
    switch code {
    case .alreadyExists: append("ALREADYEXISTS")
    case .appendUID(let validity, let uids):
      append("APPENDUID ")
      append(number: validity.rawValue)
      append(0x20)
      append(uidSet: uids)
    case .authenticationFailed: append("AUTHENTICATIONFAILED")
    case .authorizationFailed: append("AUTHORIZATIONFAILED")
    case .badCharset: append("BADCHARSET (US-ASCII UTF-8)")
    case .cannot: append("CANNOT")
    case .capability(let list):
      append("CAPABILITY ")
      append(text: list)
    case .clientBug: append("CLIENTBUG")
    case .closed: append("CLOSED")
    case .copyUID(let validity, let source, let destination):
      append("COPYUID ")
      append(number: validity.rawValue)
      append(0x20)
      append(uidSet: source)
      append(0x20)
      append(uidSet: destination)
    case .expungeIssued: append("EXPUNGEISSUED")
    case .hasChildren: append("HASCHILDREN")
    case .inUse: append("INUSE")
    case .limit: append("LIMIT")
    case .nonexistent: append("NONEXISTENT")
    case .notSaved: append("NOTSAVED")
    case .overQuota: append("OVERQUOTA")
    case .privacyRequired: append("PRIVACYREQUIRED")
    case .readOnly: append("READ-ONLY")
    case .readWrite: append("READ-WRITE")
    case .serverBug: append("SERVERBUG")
    case .tooBig: append("TOOBIG")
    case .tryCreate: append("TRYCREATE")
    case .unavailable: append("UNAVAILABLE")
    case .uidNotSticky: append("UIDNOTSTICKY")
    case .unknownCTE: append("UNKNOWN-CTE")
    case .useAttribute: append("USEATTR")
    }
    append("] ")
  }

  /// `* OK [CODE] text`.
  mutating func appendUntagged(_ condition: StaticString, _ code: ResponseCode? = nil, _ text: String) {
    append("* ")
    append(condition)
    append(0x20)
    if let code { append(code) }
    append(text: text)
    endLine()
  }

  /// The tagged reply. Some clients need text behind a code, so there always is some.
  mutating func appendTagged(_ tag: [UInt8], _ condition: StaticString, _ code: ResponseCode? = nil, _ text: String) {
    append(raw: tag)
    append(0x20)
    append(condition)
    append(0x20)
    if let code { append(code) }
    append(text: text)
    endLine()
  }
}
