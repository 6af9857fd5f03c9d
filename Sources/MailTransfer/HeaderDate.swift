import Bytes
import MessageFormat

/// When a message says it came: by the topmost `Received` field, which the last server wrote, else by `Date`.
/// - Parameter head: the message's first octets, with its header.
func headerDate(of head: [UInt8]) -> DateTime? {
  head.withUnsafeBytes { bytes in
    var written: DateTime?
    for field in HeaderFields(bytes) {
      if bytes.equals("received", in: field.name) {
        let body = HeaderFields.unfolded(bytes, field.body)
        // RFC 5321 §4.4: the date is behind the last semicolon.
        if let semicolon = body.lastIndex(of: 0x3B), let date = DateTime(rfc5322: body[(semicolon + 1)...]) {
          return date
        }
      } else if written == nil, bytes.equals("date", in: field.name) {
        written = DateTime(rfc5322: HeaderFields.unfolded(bytes, field.body)[...])
      }
    }
    return written
  }
}
