import Bytes
import Foundation
import MessageFormat
import Testing

/// The hard messages in Tests/Corpus, each with the structure it must have beside it (`.structure`).
enum Corpus {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Corpus")

  static let names: [String] =
    (try? FileManager.default.contentsOfDirectory(atPath: folder.path))
    .map { $0.filter { $0.hasSuffix(".eml") }.map { String($0.dropLast(4)) }.sorted() } ?? []

  static func message(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appendingPathComponent(name + ".eml")))
  }
}

func parse(_ text: String) -> MessageStructure {
  MessageStructure(parsing: Array(text.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n").utf8))
}

/// The tree as lines that a person can check.
func outline(_ structure: MessageStructure, of message: [UInt8], indent: String = "") -> String {
  func text(_ bytes: [UInt8]) -> String {
    bytes.map { $0 >= 0x20 && $0 < 0x7F ? String(UnicodeScalar($0)) : "\\x" + String($0, radix: 16) }.joined()
  }
  func list(_ addresses: [EnvelopeAddress]) -> String {
    addresses.map { address in
      [address.name, address.route, address.mailbox, address.host].map { $0.map(text) ?? "-" }.joined(separator: "|")
    }.joined(separator: " ; ")
  }
  func parameters(_ list: [MIMEParameter]) -> String {
    list.map { " \(text($0.name))=<\(text($0.value))>" }.joined()
  }
  func part(_ part: MessagePart, _ indent: String) -> String {
    var line = "\(indent)\(text(part.type))/\(text(part.subtype))\(parameters(part.parameters)) \(text(part.encoding))"
    line += " header \(part.headerRange.lowerBound)..<\(part.headerRange.upperBound)"
    line += " body ..<\(part.bodyRange.upperBound) lines \(part.lineCount)"
    if let value = part.id { line += " id=<\(text(value))>" }
    if let value = part.description { line += " description=<\(text(value))>" }
    if let value = part.md5 { line += " md5=<\(text(value))>" }
    if let value = part.disposition { line += " disposition=<\(text(value))>\(parameters(part.dispositionParameters))" }
    if !part.languages.isEmpty { line += " languages=<\(part.languages.map(text).joined(separator: ","))>" }
    if let value = part.location { line += " location=<\(text(value))>" }
    line += "\n"
    switch part.content {
    case .leaf:
      let body = message[part.bodyRange]
      return line + "\(indent)  <\(text(Array(body.prefix(60))))\(body.count > 60 ? "…" : "")>\n"
    case .multipart(let children): return line + children.map { self_part($0, indent + "  ") }.joined()
    case .message(let structure): return line + outline(structure, of: message, indent: indent + "  ")
    }
  }
  func self_part(_ child: MessagePart, _ indent: String) -> String { part(child, indent) }
  let envelope = structure.envelope
  var lines = ""
  let strings: [(String, [UInt8]?)] = [
    ("date", envelope.date), ("subject", envelope.subject), ("in-reply-to", envelope.inReplyTo),
    ("message-id", envelope.messageID), ("references", envelope.references),
  ]
  for (name, value) in strings { if let value { lines += "\(indent)\(name): <\(text(value))>\n" } }
  let addresses: [(String, [EnvelopeAddress])] = [
    ("from", envelope.from), ("sender", envelope.sender), ("reply-to", envelope.replyTo), ("to", envelope.to),
    ("cc", envelope.cc), ("bcc", envelope.bcc),
  ]
  for (name, value) in addresses where !value.isEmpty { lines += "\(indent)\(name): \(list(value))\n" }
  return lines + part(structure.root, indent)
}

/// What must hold for any bytes at all.
func checkInvariants(_ structure: MessageStructure, of message: [UInt8]) {
  func check(_ part: MessagePart, in range: Range<Int>) {
    #expect(part.headerRange.upperBound == part.bodyRange.lowerBound)
    #expect(range.lowerBound <= part.headerRange.lowerBound && part.bodyRange.upperBound <= range.upperBound)
    let lines = message[part.bodyRange].reduce(into: 0) { if $1 == 0x0A { $0 += 1 } }
    if part.lineCount != lines { Issue.record("\(part.lineCount) lines instead of \(lines)") }
    switch part.content {
    case .leaf: break
    case .multipart(let children):
      #expect(!children.isEmpty)
      for child in children { check(child, in: part.bodyRange) }
    case .message(let structure): check(structure.root, in: part.bodyRange)
    }
  }
  check(structure.root, in: 0..<message.count)
  #expect(structure.root.headerRange.lowerBound == 0)
  #expect(MessageStructure(encoded: structure.encoded()) == structure)
}

@Suite struct StructureTests {
  @Test(arguments: Corpus.names)
  func hardMessagesHaveTheStructureBesideThem(_ name: String) throws {
    let message = try Corpus.message(name)
    let structure = MessageStructure(parsing: message)
    checkInvariants(structure, of: message)
    let found = outline(structure, of: message)
    let file = Corpus.folder.appendingPathComponent(name + ".structure")
    guard let expected = try? String(contentsOf: file, encoding: .utf8) else {
      // A new message: look at what was found, then keep it.
      Issue.record("no \(name).structure; found:\n\(found)")
      if ProcessInfo.processInfo.environment["WRITE_STRUCTURES"] != nil {
        try found.write(to: file, atomically: true, encoding: .utf8)
      }
      return
    }
    #expect(found == expected)
  }

  /// Every prefix of every hard message, and every message with one byte broken.
  @Test(arguments: Corpus.names)
  func damagedMessagesStillHaveAStructure(_ name: String) throws {
    let message = try Corpus.message(name)
    for count in stride(from: 0, through: message.count, by: 3) {
      let cut = Array(message[..<count])
      checkInvariants(MessageStructure(parsing: cut), of: cut)
    }
    var random = SystemRandomNumberGenerator()
    for _ in 0..<50 where !message.isEmpty {
      var broken = message
      for _ in 0..<4 {
        broken[Int.random(in: 0..<broken.count, using: &random)] = [0, 10, 13, 34, 40, 45, 58, 61, 255].randomElement()!
      }
      checkInvariants(MessageStructure(parsing: broken), of: broken)
    }
  }

  @Test(arguments: Corpus.names)
  func damagedEncodingsAreRefusedOrRead(_ name: String) throws {
    let encoded = MessageStructure(parsing: try Corpus.message(name)).encoded()
    for count in 0..<encoded.count { #expect(MessageStructure(encoded: Array(encoded[..<count])) == nil) }
    for index in encoded.indices {
      for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
        var broken = encoded
        broken[index] = value
        _ = MessageStructure(encoded: broken)
      }
    }
    #expect(MessageStructure(encoded: encoded + [0]) == nil)
    #expect(MessageStructure(encoded: [99] + encoded.dropFirst()) == nil)
  }

  @Test func attacksStayWithinTheLimits() {
    // A hundred thousand fields, with recipients in each.
    let many = parse(String(repeating: "To: a@b.test, c@d.test\n", count: 100_000) + "Subject: last\n\nbody")
    #expect(many.envelope.to.count == MessageLimits.addresses)
    #expect(many.envelope.subject == Array("last".utf8))
    // One field of megabytes.
    let long = parse("Subject: " + String(repeating: "x", count: 5_000_000) + "\n\nbody")
    #expect(long.envelope.subject?.count == MessageLimits.fieldBody)

    // Multiparts and messages one inside the other.
    var text = ""
    for level in 0..<1000 { text += "Content-Type: multipart/mixed; boundary=b\(level)\n\n--b\(level)\n" }
    for start in [text, String(repeating: "Content-Type: message/rfc822\n\n", count: 1000)] {
      let structure = parse(start)
      #expect(depth(structure.root) <= MessageLimits.depth + 1)
      #expect(MessageStructure(encoded: structure.encoded()) == structure)
    }
    // Parts without end.
    let parts = parse("Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\n", count: 100_000))
    guard case .multipart(let children) = parts.root.content else { return #expect(Bool(false)) }
    #expect(children.count < MessageLimits.parts)
    // Parameters, comments and groups without end.
    #expect(
      parse("Content-Type: a/b" + String(repeating: ";x*0*=y", count: 100_000) + "\n\n").root.parameters.count
        <= MessageLimits.parameters)
    _ = parse("To: " + String(repeating: "(", count: 1_000_000) + "\n\n")
    _ = parse("To: " + String(repeating: "a:", count: 1_000_000) + "\n\n")
    _ = parse("Content-Type: text/" + String(repeating: "(", count: 1_000_000) + "\n\n")
  }

  private func depth(_ part: MessagePart) -> Int {
    switch part.content {
    case .leaf: 1
    case .multipart(let children): 1 + (children.map(depth).max() ?? 0)
    case .message(let structure): 1 + depth(structure.root)
    }
  }

  @Test func headerFieldsAreFound() {
    let message = Array(
      "Received: a\r\nX-Folded: one\r\n two\r\nreceived : b\r\nnot a field\r\nEmpty:\r\n\r\nReceived: not this\r\n".utf8
    )
    #expect(HeaderFields.count("Received", in: message) == 2)
    #expect(HeaderFields.first("x-folded", in: message) == Array("one two".utf8))
    #expect(HeaderFields.first("empty", in: message) == [])
    #expect(HeaderFields.first("absent", in: message) == nil)
    message.withUnsafeBytes { bytes in
      let end = HeaderFields.headerEnd(in: bytes)
      #expect(bytes[end...].starts(with: Array("Received: not".utf8)))
      #expect(HeaderFields(bytes).map(\.name.isEmpty) == [false, false, false, true, false])
    }
  }

  /// Real mail, where the archive is at hand.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: archive)))
  func realMailHasSaneStructures() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = ["-dc", archive]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let mbox = Array(try #require(try pipe.fileHandleForReading.readToEnd()))
    process.waitUntilExit()
    var messages: [[UInt8]] = []
    mbox.withUnsafeBytes { bytes in
      let separator = Array("\n\r\nFrom ".utf8)
      separator.withUnsafeBytes { separator in
        var start = 0
        while start < bytes.count {
          let next = bytes.firstIndex(of: separator, from: start).map { $0 + 3 } ?? bytes.count
          let body = bytes.firstIndex(of: 0x0A, from: start).map { $0 + 1 } ?? bytes.count
          messages.append(Array(bytes[min(body, next)..<next]))
          start = next
        }
      }
    }
    #expect(messages.count > 2500)
    var withFrom = 0
    for message in messages {
      let structure = MessageStructure(parsing: message)
      checkInvariants(structure, of: message)
      if structure.envelope.from.first?.host?.isEmpty == false, let date = structure.envelope.date,
        DateTime(rfc5322: date[...]) != nil
      {
        withFrom += 1
      }
    }
    #expect(withFrom > messages.count * 98 / 100, "\(withFrom) of \(messages.count)")
  }
}

/// A public mailing-list archive: what the environment names, else one in `shared/corpora` beside the checkout.
private let archive =
  ProcessInfo.processInfo.environment["MARTLET_MBOX"]
  ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("../shared/corpora/list-2002.mbox.gz").standardized.path
