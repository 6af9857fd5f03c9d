import Bytes

/// The `>` before lines of a message that could be taken for a `From ` line (mboxrd): one is put before every line that
/// is `From ` behind any number of them, and taken away again. Octets come in pieces.
///
/// The older mboxo quotes only lines without a `>`. Its lines come out right too, but for those that had one before.
struct FromQuoting {
  enum Direction {
    case add
    case remove
  }

  private static let word = Array("From ".utf8)

  private enum State {
    /// Within a line whose beginning is settled.
    case inLine
    /// So many `>` since the line's beginning, then so many octets of the word.
    case atBeginning(quotes: Int, matched: Int)
  }

  private let direction: Direction
  private var state = State.atBeginning(quotes: 0, matched: 0)

  init(_ direction: Direction) { self.direction = direction }

  mutating func convert(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    var position = 0
    while position < bytes.count {
      switch state {
      case .inLine:
        let end = bytes.firstIndex(of: 0x0A, from: position).map { $0 + 1 }
        output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[position..<(end ?? bytes.count)]))
        position = end ?? bytes.count
        if end != nil { state = .atBeginning(quotes: 0, matched: 0) }
      case .atBeginning(let quotes, 0) where bytes[position] == 0x3E:
        state = .atBeginning(quotes: quotes + 1, matched: 0)
        position += 1
      case .atBeginning(let quotes, let matched)
      where matched < Self.word.count && bytes[position] == Self.word[matched]:
        state = .atBeginning(quotes: quotes, matched: matched + 1)
        position += 1
      case .atBeginning:
        settle(into: &output)
      }
    }
  }

  /// No more octets come.
  mutating func finish(into output: inout [UInt8]) { settle(into: &output) }

  private mutating func settle(into output: inout [UInt8]) {
    guard case .atBeginning(var quotes, let matched) = state else { return }
    if matched == Self.word.count {
      switch direction {
      case .add: quotes += 1
      case .remove: quotes = max(0, quotes - 1)
      }
    }
    output.append(contentsOf: repeatElement(0x3E, count: quotes))
    output.append(contentsOf: Self.word[..<matched])
    state = .inLine
  }

  /// All octets at once.
  static func convert(_ bytes: [UInt8], _ direction: Direction) -> [UInt8] {
    var quoting = FromQuoting(direction)
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    bytes.withUnsafeBytes { quoting.convert($0, into: &output) }
    quoting.finish(into: &output)
    return output
  }
}
