import Bytes
import MessageFormat

/// `TLS-Required: No`: the sender would rather have the message arrive than have the policies about TLS of its way kept.
/// RFC 8689 §3.
enum TLSRequiredField {
  /// - Parameter message: its beginning, as far as the header is looked at.
  static func isNo(in message: [UInt8]) -> Bool {
    // A field that is there twice, or says anything else, says nothing.
    guard HeaderFields.count("TLS-Required", in: message) == 1,
      let value = HeaderFields.first("TLS-Required", in: message)
    else { return false }
    return value.equalsIgnoringASCIICase("no")
  }
}
