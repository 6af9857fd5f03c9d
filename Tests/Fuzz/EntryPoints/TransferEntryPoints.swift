import Bytes
import MailStore
import Networking

@testable import MailTransfer

extension EntryPoint {
  /// The first byte cuts the rest into pieces; what another server says must not depend on it.
  static let imapResponse = EntryPoint(name: "imapResponse") { bytes in
    guard let first = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    let whole = responses(of: content, size: max(content.count, 1))
    precondition(responses(of: content, size: Int(first) % 23 + 1) == whole, "responses depend on how the bytes arrive")
    for case .response(let line) in whole {
      guard case .list(let mailbox, _) = IMAPResponse(line) else { continue }
      precondition(!IMAPMailboxList.path(of: mailbox, without: []).isEmpty, "a mailbox without a name")
    }
  }

  /// Octets of a body that came in several pieces count as one.
  private static func responses(of content: [UInt8], size: Int) -> [IMAPResponseReader.Event] {
    var reader = IMAPResponseReader()
    var received = ReceivedBytes()
    var events: [IMAPResponseReader.Event] = []
    for start in stride(from: 0, to: content.count, by: size) {
      received.append(Array(content[start..<min(start + size, content.count)]))
      while true {
        let event = reader.next(from: &received)
        if event == .needsMore { break }
        if case .body(let more) = event, case .body(let before)? = events.last {
          events[events.count - 1] = .body(before + more)
        } else {
          events.append(event)
        }
        if case .broken = event { return events }
      }
    }
    return events
  }

  /// Messages stand behind each other in the file, and come out the same however they are read.
  static let mbox = EntryPoint(name: "mbox") { bytes in
    guard let first = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    var scanner = MboxScanner(content)
    var last: Int64 = 0
    while let found = try? scanner.next() {
      precondition(found.range.lowerBound >= last && found.range.upperBound <= content.size, "messages overlap")
      last = found.range.upperBound
      let message = Array(content[Int(found.range.lowerBound)..<Int(found.range.upperBound)])
      let whole = read(message, size: max(message.count, 1), isQuoted: found.isQuoted)
      precondition(read(message, size: Int(first) % 19 + 1, isQuoted: found.isQuoted) == whole)
      precondition(!hasBareLineFeed(whole), "a message has line ends that are not CRLF")
    }
    precondition(FromQuoting.convert(FromQuoting.convert(content, .add), .remove) == content)
    var lines = FileLineEnds()
    var plain: [UInt8] = []
    content.withUnsafeBytes { lines.convert($0, into: &plain) }
    lines.finish(into: &plain)
    precondition(plain.count <= content.count)
  }

  private static func read(_ message: [UInt8], size: Int, isQuoted: Bool) -> [UInt8] {
    var content = MboxContent(isQuoted: isQuoted)
    var output: [UInt8] = []
    for start in stride(from: 0, to: message.count, by: size) {
      Array(message[start..<min(start + size, message.count)]).withUnsafeBytes { content.read($0, into: &output) }
    }
    content.finish(into: &output)
    _ = content.fields.flags
    return output
  }

  private static func hasBareLineFeed(_ bytes: [UInt8]) -> Bool {
    bytes.indices.contains { bytes[$0] == 0x0A && ($0 == 0 || bytes[$0 - 1] != 0x0D) }
  }

  /// Names of files and folders, and what stands in the files about them.
  static let maildir = EntryPoint(name: "maildir") { bytes in
    var keywords = DovecotKeywords()
    for line in bytes.split(separator: 0x0A) {
      if let header = DovecotUIDList.header(line) {
        let written = Array(DovecotUIDList.text(header, identifier: [7]).utf8).dropLast()
        precondition(DovecotUIDList.header(written)?.uidNext == header.uidNext, "a header changes on the way")
      }
      for version in [1, 3] {
        if let entry = DovecotUIDList.entry(line, version: version) {
          precondition(entry.uid.rawValue > 0 && !entry.name.isEmpty)
        }
      }
      keywords.read(line: line)
      let flags = MaildirFileName(line).flags(keywords: keywords)
      let letters = MaildirFileName.letters(for: flags, keywords: &keywords)
      let again = MaildirFileName(Array(":2,".utf8) + letters).flags(keywords: keywords)
      precondition(again.system == flags.system, "flags are not read as they were written")
      line.withUnsafeBytes { precondition(MaildirFileName.baseLength($0) <= $0.count) }
      _ = MaildirFolderName.levels(line)
      guard let name = MailboxName(String(decoding: line, as: UTF8.self)), !name.isInbox else { continue }
      let levels = MaildirFolderName.levels(MaildirFolderName.directory(of: name).dropFirst())
      precondition(levels == name.text.split(separator: "/").map { String($0) }, "a folder's name changes on the way")
    }
    let location = try? IMAPLocation(String(decoding: bytes, as: UTF8.self))
    precondition(location.map { !$0.host.isEmpty && !$0.user.isEmpty } ?? true)
  }

  /// What travels over a control connection; whatever is read is written the same way.
  static let transferFrame = EntryPoint(name: "transferFrame") { bytes in
    var rest = bytes[...]
    while case .frame(let frame, let consumed) = rest.withUnsafeBytes({ TransferFrame.parse($0) }) {
      precondition(consumed >= TransferFrame.headerSize && consumed <= rest.count)
      rest = rest.dropFirst(consumed)
      let payload = frame.payload
      expectSame(ImportOrigin(payload: payload)) { ImportOrigin(payload: $0) }
      expectSame(SettledOrigin(payload: payload)) { SettledOrigin(payload: $0) }
      expectSame(ImportOffers(payload: payload)) { ImportOffers(payload: $0) }
      expectSame(ImportNews(payload: payload)) { ImportNews(payload: $0) }
      expectSame(ImportFacts(payload: payload)) { ImportFacts(payload: $0) }
      expectSame(StoredMessages(payload: payload)) { StoredMessages(payload: $0) }
      expectSame(ExportedMailbox(payload: payload)) { ExportedMailbox(payload: $0) }
      expectSame(ExportedMessage(payload: payload)) { ExportedMessage(payload: $0) }
      expectSame(Departure(payload: payload)) { Departure(payload: $0) }
      expectSame(Leave(payload: payload)) { Leave(payload: $0) }
    }
  }

  private static func expectSame<Value: TransferValue>(_ value: Value?, _ read: ([UInt8]) -> Value?) {
    guard let value else { return }
    let payload = value.payload
    guard let again = read(payload) else { preconditionFailure("\(value) is not read as it was written") }
    precondition(again.payload == payload, "\(value) is not read as it was written")
  }
}
