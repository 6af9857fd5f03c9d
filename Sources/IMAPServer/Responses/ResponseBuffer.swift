import Bytes
import MailStore

/// Replies on their way out: one run of bytes that grows by rules named after the ABNF and is sent when the batch of
/// commands is done or `isFull`. A body goes out through it in pieces: append, then `session.flushIfFull()`.
struct ResponseBuffer: Sendable {
  var bytes: [UInt8] = []
  /// UTF-8 may stand in quoted strings: after `ENABLE IMAP4rev2`.  RFC 9051 §4.3.
  var allowsUTF8 = false

  /// Beyond this, replies are sent before the batch is done.
  static let highWater = 32_768
  var isFull: Bool { bytes.count >= Self.highWater }
  var isEmpty: Bool { bytes.isEmpty }

  /// Makes room for a full buffer at once, where a long reply goes on.
  mutating func reserve() { bytes.reserveCapacity(Self.highWater + 4_096) }

  /// Takes the bytes out; the memory goes with them, so an idle session keeps none.
  mutating func take() -> [UInt8] {
    defer {
      bytes = []
      takes += 1
    }
    return bytes
  }

  /// How often bytes have been taken out.
  private var takes = 0

  /// A place to go back to when a reply can't be finished.
  struct Mark {
    fileprivate let takes: Int
    fileprivate let count: Int
  }

  var mark: Mark { Mark(takes: takes, count: bytes.count) }

  /// Drops what has been appended since; false if some of it is on its way already.
  mutating func goBack(to mark: Mark) -> Bool {
    guard mark.takes == takes, mark.count <= bytes.count else { return false }
    bytes.removeSubrange(mark.count...)
    return true
  }

  mutating func append(_ byte: UInt8) { bytes.append(byte) }
  mutating func append(_ text: StaticString) { bytes.append(literal: text) }
  mutating func append(text: String) { bytes.append(text: text) }
  mutating func append(raw: some Sequence<UInt8>) { bytes.append(contentsOf: raw) }
  mutating func append(number: some BinaryInteger) { bytes.append(decimal: Int(clamping: number)) }
  mutating func append(_ uid: UID) { bytes.append(decimal: Int(uid.rawValue)) }
  mutating func endLine() { bytes.append(literal: "\r\n") }

  /// `string`: quoted where that can hold it, else a literal.
  mutating func append(string value: some Collection<UInt8>) {
    var hasHighBit = false
    let fits =
      value.count <= 1000
      && value.allSatisfy { byte in
        if byte >= 0x80 { hasHighBit = true }
        return byte >= 0x20 && byte != 0x7F || byte == 0x09
      }
    guard fits, !hasHighBit || allowsUTF8 && String(validating: value, as: UTF8.self) != nil else {
      return append(literal: value)
    }
    bytes.append(0x22)
    for byte in value {
      if byte == 0x22 || byte == 0x5C { bytes.append(0x5C) }
      bytes.append(byte)
    }
    bytes.append(0x22)
  }

  /// `literal`. The value must not hold NUL.
  mutating func append(literal value: some Collection<UInt8>) {
    appendLiteralHeader(count: value.count)
    bytes.append(contentsOf: value)
  }

  /// Octets of stored mail as a literal.
  mutating func append(literalOf octets: ArraySlice<UInt8>) {
    appendLiteralHeader(count: octets.count)
    append(rawLiteral: octets)
  }

  /// Octets of stored mail inside a literal. NUL can't stand there (RFC 9051 §9 `CHAR8`), and the count must stay, so
  /// it is written as 0x80, as Dovecot does; BINARY gives the real one.
  mutating func append(rawLiteral octets: some Collection<UInt8>) {
    let start = bytes.count
    bytes.append(contentsOf: octets)
    bytes.withUnsafeMutableBytes { all in
      var position = start
      while let zero = UnsafeRawBufferPointer(all).firstIndex(of: 0, from: position) {
        all[zero] = 0x80
        position = zero + 1
      }
    }
  }

  /// `{n}` and its line end; the caller appends the octets.
  mutating func appendLiteralHeader(count: Int) {
    bytes.append(0x7B)
    bytes.append(decimal: count)
    bytes.append(literal: "}\r\n")
  }

  /// `nstring`.
  mutating func append(nstring value: (some Collection<UInt8>)?) {
    if let value { append(string: value) } else { append("NIL") }
  }

  /// `astring`: an atom where that can hold it. `NIL` would be something else.
  mutating func append(astring value: some Collection<UInt8>) {
    if !value.isEmpty, value.allSatisfy({ $0.isIn(.atomChar) }), !value.equalsIgnoringASCIICase("NIL") {
      bytes.append(contentsOf: value)
    } else {
      append(string: value)
    }
  }

  /// `mailbox`.
  mutating func append(mailbox name: String, _ coding: MailboxNameCoding) {
    append(astring: coding.encode(name))
  }

  /// `flag-list` with the parentheses.
  mutating func append(_ flags: MessageFlags, isRecent: Bool = false) {
    bytes.append(0x28)
    var isFirst = true
    func separate(_ bytes: inout [UInt8]) {
      if isFirst { isFirst = false } else { bytes.append(0x20) }
    }
    for (flag, name) in Self.systemFlagNames where flags.system.contains(flag) {
      separate(&bytes)
      bytes.append(literal: name)
    }
    for keyword in flags.keywords {
      separate(&bytes)
      bytes.append(text: keyword.text)
    }
    if isRecent {
      separate(&bytes)
      bytes.append(literal: "\\Recent")
    }
    bytes.append(0x29)
  }

  private static let systemFlagNames: [(SystemFlags, StaticString)] = [
    (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"), (.seen, "\\Seen"),
    (.draft, "\\Draft"),
  ]

  /// `uid-set` in the order given; runs become ranges.
  mutating func append(uidSet uids: [UID]) {
    var index = 0
    while index < uids.count {
      var last = index
      while last + 1 < uids.count, uids[last + 1].rawValue == uids[last].rawValue &+ 1 { last += 1 }
      if index > 0 { bytes.append(0x2C) }
      append(uids[index])
      if last > index {
        bytes.append(0x3A)
        append(uids[last])
      }
      index = last + 1
    }
  }

  /// `sequence-set` of sequence numbers.
  mutating func append(sequenceSet set: MessageSet) {
    var isFirst = true
    for range in set.ranges {
      if isFirst { isFirst = false } else { bytes.append(0x2C) }
      bytes.append(decimal: range.lowerBound + 1)
      if range.count > 1 {
        bytes.append(0x3A)
        bytes.append(decimal: range.upperBound)
      }
    }
  }
}
