import Bytes

/// Finds the end of a message's header and the few fields that the server has to know, while the message is coming in.
///
/// Given the same growing bytes again and again it goes on where it stopped. The header ends at the empty line, or
/// where a line is neither a field nor the continuation of one (such messages exist; that line begins the body).
struct HeaderScanner {
  /// The offset behind the last field: of the empty line, or of the body where there is none.
  private(set) var end = 0
  private(set) var isComplete = false
  private(set) var endsWithEmptyLine = false
  private(set) var receivedCount = 0
  /// Whole fields with their line ends.
  private(set) var dates: [Range<Int>] = []
  private(set) var messageIDs: [Range<Int>] = []
  private(set) var deliveredTo: [Range<Int>] = []
  private(set) var from: [Range<Int>] = []
  private(set) var sender: [Range<Int>] = []
  /// `Bcc` and `Resent-Bcc`.
  private(set) var bcc: [Range<Int>] = []

  private enum Field { case received, deliveredTo, date, messageID, from, sender, bcc, other }
  /// The field that the lines before `lineStart` belong to, and where it begins.
  private var current: (field: Field, start: Int)?
  private var lineStart = 0
  /// No line feed is between `lineStart` and here.
  private var searched = 0

  /// - Parameter isWhole: nothing more will come.
  mutating func scan(_ bytes: [UInt8], isWhole: Bool) {
    bytes.withUnsafeBytes { bytes in
      while !isComplete {
        guard let lineFeed = bytes.firstIndex(of: 0x0A, from: searched) else {
          searched = bytes.count
          break
        }
        take(lineFeed + 1, bytes)
      }
      if isWhole, !isComplete {
        if lineStart < bytes.count { take(bytes.count, bytes) }
        if !isComplete { finish(at: bytes.count) }
      }
    }
  }

  /// The line from `lineStart` up to `next`.
  private mutating func take(_ next: Int, _ bytes: UnsafeRawBufferPointer) {
    let first = bytes[lineStart]
    if first == 0x0A || (first == 0x0D && next - lineStart == 2) {
      endsWithEmptyLine = true
      return finish(at: lineStart)
    }
    if first == 0x20 || first == 0x09 {
      guard current != nil else { return finish(at: lineStart) }
    } else {
      guard let field = field(in: lineStart..<next, bytes) else { return finish(at: lineStart) }
      closeField(at: lineStart)
      current = (field, lineStart)
    }
    lineStart = next
    searched = next
  }

  private mutating func finish(at offset: Int) {
    closeField(at: offset)
    end = offset
    isComplete = true
  }

  private mutating func closeField(at end: Int) {
    guard let (field, start) = current else { return }
    current = nil
    switch field {
    case .received: receivedCount += 1
    case .deliveredTo: deliveredTo.append(start..<end)
    case .date: dates.append(start..<end)
    case .messageID: messageIDs.append(start..<end)
    case .from: from.append(start..<end)
    case .sender: sender.append(start..<end)
    case .bcc: bcc.append(start..<end)
    case .other: break
    }
  }

  /// Nil where the line does not begin with a field name and a colon.  RFC 5322 §2.2, §4.5 (white space before the
  /// colon).
  private func field(in line: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Field? {
    var index = line.lowerBound
    while index < line.upperBound, bytes[index].isIn(.ftext) { index += 1 }
    let name = line.lowerBound..<index
    while index < line.upperBound, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
    guard !name.isEmpty, index < line.upperBound, bytes[index] == UInt8(ascii: ":") else { return nil }
    return switch name.count {
    case 3 where bytes.equals("bcc", in: name): .bcc
    case 4 where bytes.equals("date", in: name): .date
    case 4 where bytes.equals("from", in: name): .from
    case 6 where bytes.equals("sender", in: name): .sender
    case 8 where bytes.equals("received", in: name): .received
    case 10 where bytes.equals("message-id", in: name): .messageID
    case 10 where bytes.equals("resent-bcc", in: name): .bcc
    case 12 where bytes.equals("delivered-to", in: name): .deliveredTo
    default: .other
    }
  }

  /// What stands behind the colon of a field, without white space around it.
  static func value(of field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let colon = field.firstIndex(of: UInt8(ascii: ":")) else { return [] }
    var value = field[(colon + 1)...]
    while let first = value.first, first <= 0x20 { value.removeFirst() }
    while let last = value.last, last <= 0x20 { value.removeLast() }
    return value
  }
}
