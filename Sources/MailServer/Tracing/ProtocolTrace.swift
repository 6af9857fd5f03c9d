import Networking

/// A dialogue as lines for the log: what each side said, without what nobody but the two may read. Credentials become
/// `<hidden>`, message bodies and literals `<N octets>`.
///
/// A value: bytes in, lines out. It errs on the side of hiding: what a client says between the beginning of a login and
/// the server's verdict is never shown.
struct ProtocolTrace: Sendable {
  enum Dialogue: Sendable {
    case smtp
    case imap
    case pop3
  }

  /// Our side of the dialogue.
  enum Role: Sendable {
    case client
    case server
  }

  private let dialogue: Dialogue
  private let role: Role
  private var client = Side()
  private var server = Side()
  /// A login is under way; for IMAP with the tag whose answer ends it.
  private var login: [UInt8]?
  /// The client's line goes on after a literal.
  private var isContinued = false
  /// POP3 commands that wait for their answer: true where it is followed by a message.
  private var awaited: [Bool] = []

  /// One direction's bytes.
  private struct Side {
    var line: [UInt8] = []
    /// Octets of a literal or a chunk still to come.
    var octetsToHide = 0
    /// A message until its final dot.
    var isInMessage = false
    var hidden = 0
  }

  /// A longer line is shown by its beginning.
  private static let lineLimit = 1_000

  init(_ dialogue: Dialogue, as role: Role = .server) {
    self.dialogue = dialogue
    self.role = role
  }

  /// The lines that `bytes` complete.
  mutating func lines(_ direction: TraceDirection, _ bytes: [UInt8]) -> [String] {
    var lines: [String] = []
    let isFromClient = (direction == .received) == (role == .server)
    var side = isFromClient ? client : server
    var position = 0
    while position < bytes.count {
      if side.octetsToHide > 0 {
        let count = min(side.octetsToHide, bytes.count - position)
        side.octetsToHide -= count
        side.hidden += count
        position += count
        if side.octetsToHide == 0 { lines.append(Self.hidden(&side)) }
        continue
      }
      let end = bytes[position...].firstIndex(of: 0x0A)
      let stop = end.map { $0 + 1 } ?? bytes.count
      // Of a line that is too long only its length matters; a message is not kept at all but for the final dot.
      let room = (side.isInMessage ? 3 : 65_536) - side.line.count
      side.line += bytes[position..<min(stop, position + max(room, 0))]
      if side.isInMessage { side.hidden += stop - position }
      position = stop
      guard end != nil else { break }
      let line = Array(side.line.reversed().drop { $0 == 0x0A || $0 == 0x0D }.reversed())
      side.line = []
      if side.isInMessage {
        if line == [0x2E] {
          side.isInMessage = false
          lines.append(Self.hidden(&side))
        }
        continue
      }
      let shown = isFromClient ? fromClient(line, &side) : fromServer(line, &side)
      lines.append(
        String(decoding: shown.prefix(Self.lineLimit), as: UTF8.self) + (shown.count > Self.lineLimit ? "…" : ""))
    }
    if isFromClient { client = side } else { server = side }
    return lines
  }

  private static func hidden(_ side: inout Side) -> String {
    defer { side.hidden = 0 }
    return "<\(side.hidden) octets>"
  }

  // MARK: The client

  private mutating func fromClient(_ line: [UInt8], _ side: inout Side) -> [UInt8] {
    let words = line.split(separator: 0x20, omittingEmptySubsequences: true)
    func word(_ index: Int) -> String {
      index < words.count ? String(decoding: words[index].prefix(40), as: UTF8.self).uppercased() : ""
    }
    switch dialogue {
    case .smtp:
      if login != nil { return Array("<hidden>".utf8) }
      if word(0) == "AUTH" {
        login = []
        return Array("AUTH \(word(1))\(words.count > 2 ? " <hidden>" : "")".utf8)
      }
      if word(0) == "BDAT" { side.octetsToHide = max(0, Int(word(1)) ?? 0) }
      return line
    case .pop3:
      if login != nil { return Array("<hidden>".utf8) }
      awaited.append(word(0) == "RETR" || word(0) == "TOP")
      switch word(0) {
      case "AUTH" where words.count > 1:
        login = []
        return Array("AUTH \(word(1))\(words.count > 2 ? " <hidden>" : "")".utf8)
      case "PASS", "APOP": return Array("\(word(0)) <hidden>".utf8)
      default: return line
      }
    case .imap:
      side.octetsToHide = literalSize(line) ?? 0
      let isContinuation = isContinued
      isContinued = side.octetsToHide > 0
      if login != nil { return Array("<hidden>".utf8) }
      guard !isContinuation, word(1) == "LOGIN" || word(1) == "AUTHENTICATE" else { return line }
      login = Array(words[0])
      let mechanism = word(1) == "LOGIN" ? "" : " \(word(2))"
      let hasMore = words.count > (word(1) == "LOGIN" ? 2 : 3)
      return words[0] + Array(" \(word(1))\(mechanism)\(hasMore ? " <hidden>" : "")".utf8)
    }
  }

  // MARK: The server

  private mutating func fromServer(_ line: [UInt8], _ side: inout Side) -> [UInt8] {
    switch dialogue {
    case .smtp:
      if line.starts(with: Array("354".utf8)) { client.isInMessage = true }
      if login != nil, !line.starts(with: Array("334".utf8)) { login = nil }
      // A challenge may repeat what the client sent.
      return line.starts(with: Array("334 ".utf8)) && line.count > 4 ? Array("334 <hidden>".utf8) : line
    case .pop3:
      if line.starts(with: Array("+ ".utf8)) { return Array("+ <hidden>".utf8) }
      let isAnswer = line.first == 0x2B || line.starts(with: Array("-ERR".utf8))
      guard isAnswer else { return line }
      login = nil
      if !awaited.isEmpty, awaited.removeFirst(), line.first == 0x2B { side.isInMessage = true }
      return line
    case .imap:
      if let size = literalSize(line) { side.octetsToHide = size }
      if let tag = login, line.starts(with: tag + [0x20]) { login = nil }
      return login != nil && line.starts(with: Array("+ ".utf8)) ? Array("+ <hidden>".utf8) : line
    }
  }

  /// The size of the literal that a line ends in: `{12}`, `{12+}`, `~{12}`.  RFC 9051 §4.3.
  private func literalSize(_ line: [UInt8]) -> Int? {
    guard line.last == 0x7D, let open = line.lastIndex(of: 0x7B) else { return nil }
    var digits = line[(open + 1)...].dropLast()
    if digits.last == 0x2B { digits = digits.dropLast() }
    guard (1...18).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }
}
