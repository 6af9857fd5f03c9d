import Authentication
import Networking

/// What CAPA announces: it depends on TLS and not on the state.  RFC 2449 §5, §6 ("both / no").
extension POP3Session {
  var capabilities: [String] {
    var lines = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER", "UTF8 USER", "LANG"]
    if services.tls != nil, connection.tls == nil { lines.append("STLS") }
    let context = authenticationContext
    if services.authenticator.allowsPlaintext(context) { lines.append("USER") }
    let mechanisms = services.authenticator.mechanisms(for: context)
    if !mechanisms.isEmpty { lines.append("SASL \(mechanisms.joined(separator: " "))") }
    lines.append("IMPLEMENTATION Martlet")
    return lines
  }
}
