import Bytes
import Networking

/// Puts whole commands together from lines and literals.
///
/// A command comes out as it was on the wire, without its last line end: `a1 LOGIN {5}⏎alice secret`. Octets of an
/// APPEND's message never pass through here: the reader stops in front of them.
struct CommandReader: Sendable {
  enum Event: Sendable {
    /// Nothing whole is there yet.
    case needsMore
    case command([UInt8])
    /// A synchronising literal was announced and fits: say `+`, then read on.
    case continuationNeeded
    /// The command is an APPEND up to the header of a message: what came before the header, and the header.
    case message(prefix: [UInt8], LiteralHeader)
    /// The command was dropped as a whole, and the next one begins cleanly. The tag is nil where it is not known.
    case refused(tag: [UInt8]?, IMAPFailure)
    /// More to throw away than is bearable.
    case abandoned
  }

  private enum State: Sendable {
    case line
    case literal(remaining: Int)
    /// Behind a refused literal: its octets, then the rest of its command.  RFC 7888 §4.
    case skipping(remaining: Int, Refusal)
    case skippingLine(Refusal)
  }

  /// What is replied once the command has been skipped.
  private struct Refusal: Sendable {
    var tag: [UInt8]?
    var failure: IMAPFailure
  }

  private var state = State.line
  private var partial: [UInt8] = []
  private var skipped = 0

  /// True while nothing of a command has been taken.
  var isBetweenCommands: Bool {
    if case .line = state { partial.isEmpty } else { false }
  }

  mutating func next(from received: inout ReceivedBytes, limits: IMAPLimits, commandLimit: Int) -> Event {
    while true {
      switch state {
      case .line:
        switch received.takeLine(limit: limits.line, ending: .crlfOrLF) {
        case .needsMore: return .needsMore
        case .tooLong:
          defer { partial = [] }
          return .refused(tag: Self.tag(of: partial), .tooManyArguments)
        case .line(let line):
          if let event = take(line, limits: limits, commandLimit: commandLimit) { return event }
        }
      case .literal(let remaining):
        let bytes = received.take(upTo: remaining)
        if bytes.isEmpty, remaining > 0 { return .needsMore }
        partial += bytes
        state = bytes.count == remaining ? .line : .literal(remaining: remaining - bytes.count)
      case .skipping(let remaining, let refusal):
        let count = received.take(upTo: min(remaining, 65_536)).count
        if count == 0, remaining > 0 { return .needsMore }
        skipped += count
        if skipped > limits.skippedLiteral { return .abandoned }
        state = count == remaining ? .skippingLine(refusal) : .skipping(remaining: remaining - count, refusal)
      case .skippingLine(let refusal):
        switch received.takeLine(limit: limits.line, ending: .crlfOrLF) {
        case .needsMore: return .needsMore
        case .tooLong: break
        case .line(let line):
          if let header = LiteralHeader(endOf: line), !header.isSynchronizing {
            state = .skipping(remaining: header.count, refusal)
            continue
          }
        }
        state = .line
        return .refused(tag: refusal.tag, refusal.failure)
      }
    }
  }

  /// Skips a message whose header came in `.message`, and the rest of its command, when the client sends it unasked.
  mutating func skipMessage(_ header: LiteralHeader, tag: [UInt8]?, _ failure: IMAPFailure) {
    state = .skipping(remaining: header.count, Refusal(tag: tag, failure: failure))
    skipped = 0
  }

  /// A line is complete. Returns nil to read on.
  private mutating func take(_ line: [UInt8], limits: IMAPLimits, commandLimit: Int) -> Event? {
    guard !line.contains(0) else {
      defer { partial = [] }
      let start = partial.isEmpty ? line : partial
      return .refused(tag: Self.tag(of: start), .syntax(IMAPSyntaxError("a line without NUL")))
    }
    guard let header = LiteralHeader(endOf: line) else {
      if partial.isEmpty { return .command(line) }
      partial += line
      defer { partial = [] }
      return .command(partial)
    }
    let text = line.dropLast(header.length)
    if Append.isBeforeMessage(partial + text) {
      defer { partial = [] }
      return .message(prefix: partial + text, header)
    }
    guard partial.count + line.count + header.count + 2 <= commandLimit else {
      let tag = Self.tag(of: partial.isEmpty ? line : partial)
      partial = []
      // RFC 9051 §4.3: a client that waits for "+" sends nothing when it is refused.
      if header.isSynchronizing { return .refused(tag: tag, .tooManyArguments) }
      if header.count > limits.skippedLiteral { return .abandoned }
      skipped = 0
      state = .skipping(remaining: header.count, Refusal(tag: tag, failure: .tooManyArguments))
      return nil
    }
    partial += line
    partial.append(literal: "\r\n")
    state = .literal(remaining: header.count)
    return header.isSynchronizing ? .continuationNeeded : nil
  }

  private static func tag(of command: [UInt8]) -> [UInt8]? {
    let tag = command.prefix(1000).prefix { $0.isIn(.tagChar) }
    return tag.isEmpty || tag.count == command.count || command[tag.count] != 0x20 ? nil : Array(tag)
  }
}

/// `{n}`, `{n+}` or `~{n}` at the end of a line.  RFC 9051 §4.3, RFC 7888, RFC 3516.
struct LiteralHeader: Hashable, Sendable {
  /// Octets; 2^40 stands for all that is beyond reason.
  var count: Int
  var isSynchronizing: Bool
  /// `literal8`: NUL may be in it.
  var isBinary: Bool
  /// Octets of the header itself.
  var length: Int

  /// The rest of a literal that is on its way.
  init(remaining: Int) {
    count = remaining
    isSynchronizing = false
    isBinary = true
    length = 0
  }

  init?(endOf line: [UInt8]) {
    guard line.last == 0x7D else { return nil }
    var index = line.count - 2
    isSynchronizing = true
    if index >= 0, line[index] == 0x2B {
      isSynchronizing = false
      index -= 1
    }
    let lastDigit = index
    while index >= 0, line[index].isIn(.digit) { index -= 1 }
    guard index >= 0, index < lastDigit, line[index] == 0x7B else { return nil }
    // Thirteen digits are beyond any limit of ours, and no sum with them overflows.
    let digits = line[(index + 1)...lastDigit].drop { $0 == 0x30 }
    count = digits.count > 12 ? 1 << 40 : digits.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
    isBinary = index > 0 && line[index - 1] == 0x7E
    length = line.count - index + (isBinary ? 1 : 0)
  }
}
