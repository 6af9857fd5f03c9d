import Bytes
package import MessageFormat

/// A name in DNS as text: ASCII, lower-case, without the dot at the end; the root is `.`.  RFC 1035 §2.3.
///
/// Names with other octets than printable ASCII exist, but not for hosts, and nothing here asks for them.
package struct DomainName: Hashable, Sendable, Comparable, CustomStringConvertible {
  package let text: String

  /// A name with or without the dot at its end; nil if it is none, or one that this type leaves out.
  package init?(_ text: String) {
    if text == "." {
      self.text = text
      return
    }
    let name = text.hasSuffix(".") ? text.dropLast() : text[...]
    // RFC 1035 §2.3.4: 255 octets with a length in front of each label and the root's at the end.
    guard 1...253 ~= name.utf8.count else { return nil }
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard labels.allSatisfy({ 1...63 ~= $0.count && $0.allSatisfy(mayStandInLabel) }) else { return nil }
    self.text = String(decoding: name.utf8.map(\.asciiLowercased), as: UTF8.self)
  }

  /// The domain of an address, U-labels as A-labels; nil for an address literal.
  package init?(_ domain: Domain) {
    guard let ascii = domain.asciiText else { return nil }
    self.init(ascii)
  }

  /// The next name in `rdata`, which holds names uncompressed; nil if there is none, or one that this type leaves out.
  init?(reading rdata: inout ByteCursor) {
    var text: [UInt8] = []
    while let length = rdata.next() {
      if length == 0 {
        self.init(text.isEmpty ? "." : String(decoding: text, as: UTF8.self))
        return
      }
      guard length <= 63, let label = rdata.take(Int(length)), label.allSatisfy(mayStandInLabel) else { return nil }
      if !text.isEmpty { text.append(UInt8(ascii: ".")) }
      text += label
    }
    return nil
  }

  package var isRoot: Bool { text == "." }

  /// This name with more labels in front, such as `_25._tcp`; nil if it becomes too long.
  package func prefixed(by labels: String) -> DomainName? {
    DomainName(isRoot ? labels : "\(labels).\(text)")
  }

  package var description: String { text }

  package static func < (left: DomainName, right: DomainName) -> Bool { left.text < right.text }
}

/// Printable, and without a meaning of its own in the text form of names (RFC 1035 §5.1): libunbound reads that.
private func mayStandInLabel(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "."), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "("), UInt8(ascii: ")"),
    UInt8(ascii: ";"), UInt8(ascii: "@"), UInt8(ascii: "$"):
    false
  default: 0x21...0x7E ~= byte
  }
}
