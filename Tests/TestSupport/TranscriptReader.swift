/// Turns lines into steps. A step that takes a block is held back until the block has ended.
struct TranscriptReader {
  let path: String
  private let plays: TranscriptSide
  private var steps: [TranscriptStep] = []
  private var pending: Pending?

  init(path: String, plays: TranscriptSide) {
    self.path = path
    self.plays = plays
  }

  private struct Pending {
    var line: Int
    var connection: String
    var kind: BlockKind
    var block: [String] = []
  }

  private enum BlockKind {
    case given(String), clientLines, clientData, clientLiteral, serverLines, serverData
  }

  mutating func read(_ text: String, _ number: Int) throws {
    if text.hasPrefix("|") {
      guard pending != nil else { throw problem("a block line without a line before it that takes a block", number) }
      let rest = text.dropFirst()
      pending?.block.append(String(rest.hasPrefix(" ") ? rest.dropFirst() : rest))
      return
    }
    try flush()
    if text.hasPrefix("#") || text.allSatisfy({ $0 == " " }) { return }
    if let phrase = text.removing(prefix: "given ") {
      pending = Pending(line: number, connection: "", kind: .given(phrase))
    } else if let phrase = text.removing(prefix: "advance ") {
      guard let duration = Duration(phrase: phrase) else {
        throw problem("\"\(phrase)\" is not a time such as \"31 minutes\"", number)
      }
      add(.advance(duration), "", number)
    } else if let text = text.removing(prefix: "log: ") {
      add(.logHas(TranscriptPattern(text)), "", number)
    } else if let text = text.removing(prefix: "log never: ") {
      add(.logNever(text), "", number)
    } else {
      try readDirective(text, number)
    }
  }

  mutating func finish() throws -> [TranscriptStep] {
    try flush()
    return steps
  }

  // MARK: Lines about a connection

  private mutating func readDirective(_ text: String, _ number: Int) throws {
    if try readDirective(text, connection: "", number) { return }
    if let colon = text.range(of: ": ") ?? (text.hasSuffix(":") ? text.index(before: text.endIndex)..<text.endIndex : nil) {
      let name = String(text[..<colon.lowerBound])
      let isName = !name.isEmpty && name.utf8.allSatisfy { $0 &- 0x30 < 10 || ($0 | 0x20) &- 0x61 < 26 }
      if isName, try readDirective(String(text[colon.upperBound...]), connection: name, number) { return }
    }
    throw problem(
      """
      not understood: "\(text)". A line begins with given, advance, log, or (after an optional "NAME: ") with C, S, C-raw, \
      C-repeat, C-lines, C-data, C-literal, S-skip, S-raw, S-lines, S-data, never (each with a colon), connect, closed, \
      half-close, truncate, reset, handshake, pause reading, resume reading, quiet, stop or do
      """, number)
  }

  /// Returns false if the text begins with no directive.
  private mutating func readDirective(_ text: String, connection: String, _ number: Int) throws -> Bool {
    let action: TranscriptStep.Action
    if let rest = text.removing(prefix: "do ") {
      // Before the directives: what is done may have a colon in it.
      action = .perform(rest)
    } else if let (name, rest) = text.directive {
      switch seenFromClient(name) {
      case "C": action = .sendLine(rest)
      case "S": action = .expectLine(TranscriptPattern(rest))
      case "S-skip": action = .skipToLine(TranscriptPattern(rest))
      case "C-raw": action = .send(try unescaped(rest, number))
      case "S-raw": action = .expectBytes(try unescaped(rest, number))
      case "C-repeat":
        let parts = rest.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let count = Int(parts[0]), (0...100_000_000).contains(count) else {
          throw problem("C-repeat wants a count and a text", number)
        }
        let unit = try unescaped(String(parts[1]), number)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * unit.count)
        for _ in 0..<count { bytes.append(contentsOf: unit) }
        action = .send(bytes)
      case "never": action = .never(rest)
      case "C-lines", "C-data", "C-literal", "S-lines", "S-data":
        guard rest.isEmpty else { throw problem("\(name): takes a block of lines that begin with |", number) }
        let kind: BlockKind =
          switch seenFromClient(name) {
          case "C-lines": .clientLines
          case "C-data": .clientData
          case "C-literal": .clientLiteral
          case "S-lines": .serverLines
          default: .serverData
          }
        pending = Pending(line: number, connection: connection, kind: kind)
        return true
      default: return false
      }
    } else if let rest = text.removing(prefix: "connect"), rest.isEmpty || rest.hasPrefix(" ") {
      action = .connect(rest)
    } else {
      switch text {
      case "closed": action = .closed
      case "quiet": action = .quiet
      case "half-close": action = .endInput(.halfClose)
      case "truncate": action = .endInput(.truncate)
      case "reset": action = .endInput(.reset)
      case "handshake": action = .handshake(.succeeds)
      case "handshake verifies": action = .handshake(.verifies)
      case "handshake fails": action = .handshake(.fails)
      case "pause reading": action = .reading(false)
      case "resume reading": action = .reading(true)
      case "stop": action = .stop
      default: return false
      }
    }
    add(action, connection, number)
    return true
  }

  /// What the directive would be called if the transcript played the client.
  private func seenFromClient(_ name: String) -> String {
    guard plays == .server, let first = name.first, first == "C" || first == "S" else { return name }
    return (first == "C" ? "S" : "C") + name.dropFirst()
  }

  // MARK: Blocks

  private mutating func flush() throws {
    guard let ended = pending else { return }
    pending = nil
    let lines = ended.block.map { Array($0.utf8) + [0x0D, 0x0A] }
    switch ended.kind {
    case .given(let phrase):
      add(.given(phrase, ended.block), ended.connection, ended.line)
    case .clientLines:
      add(.send(Array(lines.joined())), ended.connection, ended.line)
    case .clientData:
      add(.send(dotStuffed(lines)), ended.connection, ended.line)
    case .clientLiteral:
      let octets = Array(lines.joined())
      fillInSize(octets.count, ended.connection)
      add(.send(octets), ended.connection, ended.line)
    case .serverLines:
      for (offset, line) in ended.block.enumerated() {
        add(.expectLine(TranscriptPattern(line)), ended.connection, ended.line + 1 + offset)
      }
    case .serverData:
      add(.expectBytes(dotStuffed(lines)), ended.connection, ended.line)
    }
  }

  /// `{#}` in the last line this connection's client sends before a literal becomes the literal's size.
  private mutating func fillInSize(_ size: Int, _ connection: String) {
    for index in steps.indices.reversed() where steps[index].connection == connection {
      guard case .sendLine(let text) = steps[index].action else { continue }
      for (mark, tail) in [("{#}", "}"), ("{#+}", "+}"), ("{#-}", "-}")] where text.hasSuffix(mark) {
        steps[index].action = .sendLine(text.dropLast(mark.count) + "{\(size)\(tail)")
      }
      return
    }
  }

  private func dotStuffed(_ lines: [[UInt8]]) -> [UInt8] {
    var bytes: [UInt8] = []
    for line in lines {
      if line.first == 0x2E { bytes.append(0x2E) }
      bytes.append(contentsOf: line)
    }
    return bytes + [0x2E, 0x0D, 0x0A]
  }

  // MARK: Small things

  private mutating func add(_ action: TranscriptStep.Action, _ connection: String, _ line: Int) {
    steps.append(TranscriptStep(line: line, connection: connection, action: action))
  }

  private func problem(_ text: String, _ line: Int) -> TranscriptError {
    TranscriptError(path: path, line: line, problem: text)
  }

  private func unescaped(_ text: String, _ line: Int) throws -> [UInt8] {
    guard let bytes = TranscriptEscapes.decode(text) else {
      throw problem("a bad escape in \"\(text)\"; there are \\r \\n \\t \\0 \\\\ \\xNN", line)
    }
    return bytes
  }
}

extension String {
  func removing(prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }

  /// `name: rest` or `name:`.
  fileprivate var directive: (name: String, rest: String)? {
    guard let colon = firstIndex(of: ":") else { return nil }
    let rest = self[index(after: colon)...]
    guard rest.isEmpty || rest.hasPrefix(" ") else { return nil }
    return (String(self[..<colon]), String(rest.dropFirst()))
  }

  fileprivate func range(of text: String) -> Range<String.Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}

extension Duration {
  /// `31 minutes`.
  package init?(phrase: String) {
    let words = phrase.split(separator: " ")
    guard words.count == 2, let count = Int(words[0]), (0...1_000_000_000).contains(count) else { return nil }
    switch words[1] {
    case "millisecond", "milliseconds": self = .milliseconds(count)
    case "second", "seconds": self = .seconds(count)
    case "minute", "minutes": self = .seconds(count * 60)
    case "hour", "hours": self = .seconds(count * 3_600)
    case "day", "days": self = .seconds(count * 86_400)
    default: return nil
    }
  }
}
