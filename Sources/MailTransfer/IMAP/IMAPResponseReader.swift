import Bytes
import Networking

/// Takes a server's responses out of what has arrived. A message's body passes through in pieces and is never whole in
/// memory; every other literal stays where it is in its response.
struct IMAPResponseReader {
  enum Event: Equatable {
    case needsMore
    /// Octets of the message that the response under way is about.
    case body([UInt8])
    /// A whole response. Where a body was there is an empty literal.
    case response([UInt8])
    /// What no client can make sense of.
    case broken(String)
  }

  private enum State {
    case inLine
    /// So many octets of a literal are to come.
    case inLiteral(Int)
    case inBody(Int)
  }

  private var state = State.inLine
  private var response: [UInt8] = []

  /// A mailbox of ten million messages answers SEARCH with this much in one line.
  static let responseLimit = 96 << 20
  private static let pieceLimit = 65_536

  mutating func next(from received: inout ReceivedBytes) -> Event {
    while true {
      switch state {
      case .inLine:
        switch received.takeLine(limit: Self.responseLimit, ending: .crlfOrLF) {
        case .needsMore: return .needsMore
        case .tooLong: return .broken("a line of more than \(Self.responseLimit) octets")
        case .line(let line):
          response += line
          guard response.count <= Self.responseLimit else { return .broken("a response that is too long") }
          guard let size = literalSize() else { return .response(take()) }
          if isBody {
            guard size <= TransferLimits.message else {
              return .broken("a message of \(size) octets, where \(TransferLimits.message) are the limit")
            }
            replaceLiteralHeader()
            state = .inBody(size)
          } else {
            guard size <= Self.responseLimit - response.count else { return .broken("a literal of \(size) octets") }
            response.append(literal: "\r\n")
            state = .inLiteral(size)
          }
        }
      case .inLiteral(let rest):
        let bytes = received.take(upTo: rest)
        response += bytes
        if bytes.count < rest {
          state = .inLiteral(rest - bytes.count)
          return .needsMore
        }
        state = .inLine
      case .inBody(let rest):
        guard rest > 0 else {
          state = .inLine
          continue
        }
        let bytes = received.take(upTo: min(rest, Self.pieceLimit))
        if bytes.isEmpty { return .needsMore }
        state = .inBody(rest - bytes.count)
        return .body(bytes)
      }
    }
  }

  private mutating func take() -> [UInt8] {
    defer { response = [] }
    return response
  }

  /// The size of the literal that the line ends with, `{123}`; in the text of a status response that is just text.
  private func literalSize() -> Int? {
    guard response.last == 0x7D, let open = response.lastIndex(of: 0x7B), !isStatus else { return nil }
    var digits = response[(open + 1)..<(response.count - 1)]
    if digits.last == 0x2B { digits = digits.dropLast() }
    guard 1...15 ~= digits.count, digits.allSatisfy({ $0.isIn(.digit) }) else { return nil }
    return Int(String(decoding: digits, as: UTF8.self))
  }

  private var isStatus: Bool {
    let words = response.prefix(64).split(separator: 0x20, maxSplits: 2)
    guard words.count >= 2 else { return true }
    if words[0].first == 0x2B { return true }
    return ["OK", "NO", "BAD", "BYE", "PREAUTH"].contains { words[1].equalsIgnoringASCIICase($0.utf8) }
  }

  /// The literal is the value of `BODY[]`, `BINARY[]` or `RFC822` of a FETCH response.
  private var isBody: Bool {
    let words = response.prefix(64).split(separator: 0x20, maxSplits: 3)
    guard words.count > 2, words[2].prefix(5).equalsIgnoringASCIICase("FETCH"),
      var end = response.lastIndex(of: 0x7B)
    else { return false }
    if end > 0, response[end - 1] == 0x7E { end -= 1 }
    guard end > 0, response[end - 1] == 0x20 else { return false }
    let name = response[..<(end - 1)].suffix(9)
    return ["BODY[]", "BINARY[]", "RFC822"].contains { word in
      name.suffix(word.utf8.count).equalsIgnoringASCIICase(word.utf8)
        && name.dropLast(word.utf8.count).last.map { $0 == 0x28 || $0 == 0x20 } ?? false
    }
  }

  private mutating func replaceLiteralHeader() {
    if let open = response.lastIndex(of: 0x7B) { response.removeSubrange(open...) }
    if response.last == 0x7E { response.removeLast() }
    response.append(literal: "{0}\r\n")
  }
}
