import Bytes
package import MessageFormat
package import SMTP

/// What a report says of the message it is about.
package struct ReportedMessage: Sendable {
  /// Of the envelope. ENVID, decoded.
  package var envelopeID: [UInt8]?
  /// RET; nil where the sender has not said.
  package var returnedContent: ReturnedContent?
  /// When we took it over.
  package var arrived: DateTime?
  /// The time that BY names.  RFC 2852 §5.
  package var deliverBy: DateTime?
  /// Octets, header included.
  package var size: Int
  /// It came with SMTPUTF8, so the report may be written in UTF-8 too.  RFC 6533.
  package var isUTF8: Bool
  /// There is other than ASCII in it.
  package var isEightBit: Bool
  /// With the empty line; cut at a line end where it is longer than `longestHeader`.
  package let header: [UInt8]

  /// Octets of a header that are returned. A screen of fields is what people look for.
  package static let longestHeader = 65_536

  /// - Parameter beginning: the first octets of the message: the header, or `longestHeader` of it; more does not hurt.
  package init(beginning: [UInt8], size: Int, isUTF8: Bool = false, isEightBit: Bool = false) {
    let part = Array(beginning.prefix(Self.longestHeader))
    var end = part.withUnsafeBytes { HeaderFields.headerEnd(in: $0) }
    if end == part.count, size > end, let lastLineEnd = part.lastIndex(of: 0x0A) { end = lastLineEnd + 1 }
    header = Array(part[..<end])
    self.size = size
    self.isUTF8 = isUTF8
    self.isEightBit = isEightBit || header.contains { $0 >= 0x80 }
  }

  /// Its header says that policies about TLS need not be kept for it.
  var forgoesTLS: Bool { TLSRequiredField.isNo(in: header) }

  /// `<…>` of the Message-ID field, where it is one that can be repeated in a field of ours.
  var messageID: String? {
    guard let body = HeaderFields.first("Message-ID", in: header), body.first == 0x3C, body.last == 0x3E,
      (3...500).contains(body.count), body.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return nil }
    return String(decoding: body, as: UTF8.self)
  }

  /// Decoded, for people to read.
  var subject: String? {
    guard let body = HeaderFields.first("Subject", in: header) else { return nil }
    let line = String(decoding: EncodedWords.decode(Array(body.prefix(500))), as: UTF8.self).singleLine(upTo: 500)
    return line.isEmpty ? nil : line
  }
}
