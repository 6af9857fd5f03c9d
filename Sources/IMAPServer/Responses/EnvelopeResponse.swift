import Bytes
import MessageFormat

/// `envelope`.  RFC 9051 §7.5.2.
extension ResponseBuffer {
  /// Writes the envelope that the reader is at; the reader is then at the part that follows.
  mutating func appendEnvelope(_ reader: inout StructureReader) throws(StructureReader.Damaged) {
    append(0x28)
    // Date and subject.
    for _ in 0..<2 {
      appendField(try reader.text())
      append(0x20)
    }
    let from = bytes.count
    try appendAddresses(&reader)
    let fromEnd = bytes.count
    // Sender and Reply-To. RFC 9051 §7.5.2: where they are absent or empty, the server puts in what From has.
    for _ in 0..<2 {
      append(0x20)
      let start = bytes.count
      try appendAddresses(&reader)
      if bytes[start] != 0x28 {
        bytes.removeSubrange(start...)
        bytes.append(copyOf: from..<fromEnd)
      }
    }
    for _ in 0..<3 {
      append(0x20)
      try appendAddresses(&reader)
    }
    // In-Reply-To and Message-ID. References are not shown.
    for _ in 0..<2 {
      append(0x20)
      appendField(try reader.text())
    }
    _ = try reader.text()
    append(0x29)
  }

  /// Addresses without a space between them, `NIL` for none.
  private mutating func appendAddresses(_ reader: inout StructureReader) throws(StructureReader.Damaged) {
    let count = try reader.count()
    if count == 0 { return append("NIL") }
    append(0x28)
    for _ in 0..<count {
      let address = try reader.address()
      append(0x28)
      appendField(address.name)
      append(0x20)
      appendField(address.route)
      append(0x20)
      appendField(address.mailbox)
      append(0x20)
      appendField(address.host)
      append(0x29)
    }
    append(0x29)
  }

  /// `nstring`, quick for what nearly all fields are: short ASCII without anything to escape.
  mutating func appendField(_ value: UnsafeRawBufferPointer?) {
    guard let value else { return append("NIL") }
    guard value.count <= 1000, value.allAre(in: .plainQuoted) else { return append(string: value) }
    bytes.append(0x22)
    bytes.append(contentsOf: value)
    bytes.append(0x22)
  }
}
