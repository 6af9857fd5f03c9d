import Bytes
import SMTP

@testable import IMAPServer
@testable import MailStore
@testable import Networking
@testable import POP3Server
@testable import SMTPServer

extension EntryPoint {
  static let smtpCommand = EntryPoint(name: "smtpCommand") { bytes in
    for line in bytes.split(separator: 0x0A) {
      _ = try? SMTPCommand(parsing: Array(line), paths: .strict)
      _ = try? SMTPCommand(parsing: Array(line), paths: .bracketsOptional)
    }
  }

  /// What MAIL and RCPT ask for is kept as text with the message, and passed on.
  static let smtpParameters = EntryPoint(name: "smtpParameters") { bytes in
    for line in bytes.split(separator: 0x0A) {
      if let asked = try? MailParameters(written: line) {
        var text: [UInt8] = []
        asked.append(to: &text)
        precondition(isOneLine(text))
        precondition((try? MailParameters(written: text)) == asked, "MAIL is not read as it was written")
      }
      if let asked = try? RecipientParameters(written: line) {
        for isUTF8 in [false, true] {
          var text: [UInt8] = []
          asked.append(to: &text, isUTF8: isUTF8)
          precondition(isOneLine(text) && (isUTF8 || text.allSatisfy { $0 < 0x80 }))
          precondition((try? RecipientParameters(written: text)) == asked, "RCPT is not read as it was written")
        }
      }
    }
  }

  /// Nothing in it ends a command.
  private static func isOneLine(_ text: [UInt8]) -> Bool { text.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }

  /// The first byte cuts the rest into pieces; what comes out must not depend on it.
  static let smtpData = EntryPoint(name: "smtpData") { bytes in
    guard let first = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    let whole = decode(content, size: max(content.count, 1))
    let pieces = decode(content, size: Int(first) % 13 + 1)
    precondition(whole.used == pieces.used && whole.isBare == pieces.isBare)
    precondition(whole.isBare || whole.output == pieces.output, "the message depends on how the bytes arrive")
  }

  private static func decode(_ content: [UInt8], size: Int) -> (output: [UInt8], used: Int, isBare: Bool) {
    var decoder = DataDecoder()
    var output: [UInt8] = []
    var used = 0
    while used < content.count, !decoder.isFinished {
      let piece = Array(content[used..<min(used + size, content.count)])
      let count = piece.withUnsafeBytes { decoder.decode($0, into: &output) }
      precondition(count > 0 && count <= piece.count)
      used += count
    }
    return (output, used, decoder.hasBareLineEnd)
  }

  /// What another server says. A reply that was read is read the same when it is written again.
  static let smtpReply = EntryPoint(name: "smtpReply") { bytes in
    var parser = ReplyParser()
    for line in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      let line = line.last == 0x0D ? line.dropLast() : line
      do throws(ReplySyntaxError) {
        guard let reply = try parser.take(Array(line)) else { continue }
        precondition((200..<600).contains(reply.code) && !reply.lines.isEmpty)
        precondition(reply.lines.count <= ReplyParser.mostLines)
        precondition(reply.lines.allSatisfy { !$0.utf8.contains { $0 == 0x0D || $0 == 0x0A || $0 == 0 } })
        let response = EHLOResponse(reply)
        precondition((response.sizeLimit ?? 1) > 0 && (response.recipientLimit ?? 1) > 0)
        precondition(response.mechanisms.count <= 50)
        var written: [UInt8] = []
        reply.append(to: &written)
        var again = ReplyParser()
        var read: SMTPReply?
        for line in written.split(separator: 0x0A) { read = (try? again.take(Array(line.dropLast()))) ?? nil }
        // Text that was no UTF-8 has become longer, and may be too long now.
        if let read { precondition(read.code == reply.code && read.status == reply.status) }
      } catch {
        parser = ReplyParser()
      }
    }
  }

  /// The first byte cuts the rest into pieces; the server on the other side gets one message, and whole lines.
  static let smtpEncoding = EntryPoint(name: "smtpEncoding") { bytes in
    guard let first = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    let size = Int(first) % 13 + 1
    for form in [DataEncoder.Form.dotted, .lines, .binary] {
      var whole = DataEncoder(form)
      var pieces = DataEncoder(form)
      var wholeWire: [UInt8] = []
      var wire: [UInt8] = []
      whole.encode(content, into: &wholeWire)
      whole.finish(into: &wholeWire)
      for start in stride(from: 0, to: content.count, by: size) {
        pieces.encode(Array(content[start..<min(start + size, content.count)]), into: &wire)
      }
      pieces.finish(into: &wire)
      precondition(wire == wholeWire, "what is sent depends on how it is read")
      if form == .dotted {
        let received = decode(wire, size: wire.count)
        precondition(!received.isBare && received.used == wire.count, "the message ends early, or not at all")
      }
    }
  }

  /// The first byte cuts the rest into pieces; what is known of a header must not depend on it.
  static let smtpHeader = EntryPoint(name: "smtpHeader") { bytes in
    guard let first = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    var whole = HeaderScanner()
    whole.scan(content, isWhole: true)
    var growing = HeaderScanner()
    for end in stride(from: 0, to: content.count, by: Int(first) % 29 + 1) {
      growing.scan(Array(content[..<end]), isWhole: false)
    }
    growing.scan(content, isWhole: true)
    precondition(whole.isComplete && growing.isComplete && whole.end == growing.end && whole.end <= content.count)
    precondition(whole.endsWithEmptyLine == growing.endsWithEmptyLine && whole.receivedCount == growing.receivedCount)
    precondition(whole.from == growing.from && whole.bcc == growing.bcc && whole.deliveredTo == growing.deliveredTo)
    precondition(whole.sender == growing.sender)
    precondition((whole.from + whole.bcc + whole.deliveredTo).allSatisfy { $0.upperBound <= whole.end && !$0.isEmpty })
  }

  /// The first byte cuts the rest into pieces, which arrive one by one.
  static let imapCommand = EntryPoint(name: "imapCommand") { bytes in
    guard let first = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    let size = first == 0 ? max(content.count, 1) : Int(first)
    var limits = IMAPLimits()
    limits.line = 4_096
    limits.skippedLiteral = 100_000
    var received = ReceivedBytes()
    var reader = CommandReader()
    for start in stride(from: 0, to: content.count, by: size) {
      received.append(Array(content[start..<min(start + size, content.count)]))
      reading: while true {
        switch reader.next(from: &received, limits: limits, commandLimit: 16_384) {
        case .needsMore, .abandoned, .message: break reading
        case .command(let command): parse(command)
        case .continuationNeeded, .refused: break
        }
      }
      precondition(received.count <= 20_000, "more is kept than a command may have")
    }
  }

  private static func parse(_ command: [UInt8]) {
    var cursor = ByteCursor(command)
    guard (try? cursor.tag()) != nil, (try? cursor.expectSpace()) != nil, var name = try? cursor.keyword()
    else { return }
    if name == "UID" {
      guard (try? cursor.expectSpace()) != nil, let second = try? cursor.keyword() else { return }
      name = "UID " + second
    }
    guard let fact = IMAPCommandTable.fact(named: name) else { return }
    let type: any IMAPCommand.Type =
      switch fact.state {
      case .any(let type): type
      case .notAuthenticated(let type): type
      case .authenticated(let type): type
      case .selected(let type): type
      }
    for speaksRev2 in [false, true] {
      var arguments = cursor
      let context = ParsingContext(
        numbering: fact.numbering, mailboxNames: speaksRev2 ? .utf8 : .modifiedUTF7, speaksRev2: speaksRev2,
        message: nil)
      _ = try? type.init(parsing: &arguments, context)
      precondition(arguments.position <= arguments.end)
    }
  }

  static let pop3Command = EntryPoint(name: "pop3Command") { bytes in
    for line in bytes.split(separator: 0x0A) {
      var (name, arguments) = POP3Arguments.split(Array(line))
      _ = POP3CommandTable.command(named: name)
      _ = try? arguments.number("number")
      _ = try? arguments.optionalNumber("number")
      while arguments.nextWord() != nil {}
      try? arguments.expectEnd()
    }
  }

  /// The length and sums of a record are put right first, or nothing would get past them.
  static let packRecord = EntryPoint(name: "packRecord") { bytes in
    _ = PackRecord.decode(bytes[...])
    for kind in UInt8(1)...4 {
      var record = PackRecord.encode(changes: [], stamp: 0)
      record[4] = kind
      record.removeLast(record.count - PackRecord.headerSize)
      record += bytes.prefix(1 << 20)
      let metadataSize = record.count - PackRecord.headerSize
      for shift in 0..<4 { record[24 + shift] = UInt8(truncatingIfNeeded: metadataSize >> (8 * shift)) }
      let sum = record.withUnsafeBytes { all in
        crc32c(
          UnsafeRawBufferPointer(rebasing: all[PackRecord.headerSize...]),
          seed: crc32c(UnsafeRawBufferPointer(rebasing: all[..<32])))
      }
      for shift in 0..<4 { record[32 + shift] = UInt8(truncatingIfNeeded: sum >> (8 * UInt32(shift))) }
      _ = PackRecord.decode(record[...])
    }
  }
}
