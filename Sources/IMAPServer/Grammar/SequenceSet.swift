import Bytes

/// `sequence-set`: numbers and ranges of sequence numbers or UIDs, or `$`, the saved search result.
/// What the numbers mean is settled by `SelectedMailbox.resolve`.  RFC 9051 §9, RFC 5182.
enum SequenceSet: Hashable, Sendable {
  case ranges([Element])
  /// `$`.  RFC 9051 §6.4.4.1.
  case savedResult

  /// `seq-number`.
  enum Number: Hashable, Sendable {
    case number(UInt32)
    /// `*`: the last message.
    case last
  }

  /// `seq-range`, its ends in the order the client wrote them; a single number has two equal ends.
  struct Element: Hashable, Sendable {
    var first: Number
    var second: Number
  }
}

extension ByteCursor {
  /// `sequence-set`.
  mutating func sequenceSet() throws(IMAPSyntaxError) -> SequenceSet {
    if skip(0x24) { return .savedResult }
    var elements: [SequenceSet.Element] = []
    repeat {
      let first = try sequenceNumber()
      let second = skip(0x3A) ? try sequenceNumber() : first
      elements.append(SequenceSet.Element(first: first, second: second))
    } while skip(0x2C)
    return .ranges(elements)
  }

  private mutating func sequenceNumber() throws(IMAPSyntaxError) -> SequenceSet.Number {
    if skip(0x2A) { return .last }
    guard let next = peek, next.isIn(.digit) else { throw expected("a sequence set") }
    return .number(try nonZeroNumber())
  }

  /// True if a sequence set is next: what tells it from a search key's name.
  var isAtSequenceSet: Bool {
    guard let byte = peek else { return false }
    return byte.isIn(.digit) || byte == 0x2A || byte == 0x24
  }
}
