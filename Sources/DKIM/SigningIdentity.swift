import Bytes
package import MessageFormat

/// The agent or user that a signature is made for: `i=`, a local part that means what the domain wants it to mean,
/// maybe nothing, and the domain or one below it.  RFC 6376 §2.6, §3.5.
package struct SigningIdentity: Hashable, Sendable, CustomStringConvertible {
  /// Decoded; without controls, because it is shown.
  package let localPart: String
  package let domain: Domain

  /// Reads `[Local-part] "@" domain-name`, encoded as `dkim-quoted-printable`.  RFC 6376 §2.11, RFC 8616 §5.
  init?(encoded: ArraySlice<UInt8>) {
    var bytes: [UInt8] = []
    var cursor = ByteCursor(encoded)
    while let byte = cursor.next() {
      if TagList.isSpace(byte) { continue }
      guard byte == 0x3D else {
        bytes.append(byte)
        continue
      }
      guard let high = cursor.next()?.hexValue, let low = cursor.next()?.hexValue else { return nil }
      bytes.append(high << 4 | low)
    }
    guard !bytes.contains(where: { $0.isIn(.ctl) }), let at = bytes.lastIndex(of: 0x40),
      let localPart = String(validating: bytes[..<at], as: UTF8.self), localPart.utf8.count <= 255,
      let domain = String(validating: bytes[(at + 1)...], as: UTF8.self).flatMap({ Domain($0) })
    else { return nil }
    self.localPart = localPart
    self.domain = domain
  }

  package var description: String { "\(localPart)@\(domain)" }
}
