import Bytes
import MailStore
import MessageFormat

/// A folder of `.eml` files as the source of an import: those in the folder itself are the inbox's, a folder in it is a
/// mailbox.
final class MessageFileSource: MessageSource {
  /// A file's place among the names of the open mailbox.
  typealias Place = Int

  private var boxes: [(path: [String], folder: Folder)] = []
  private var folder: Folder?
  private var names: [[UInt8]] = []
  private var position = 0

  let progressUnit = OperationProgress.Unit.messages

  init(_ path: String) throws(TransferError) {
    try look(in: try Folder(path), below: [], depth: 0)
  }

  private func look(in folder: Folder, below path: [String], depth: Int) throws(TransferError) {
    guard depth < 50 else { return }
    var hasMessages = false
    var children: [[UInt8]] = []
    try folder.eachName { name in
      if Self.isMessage(name) { hasMessages = true } else { children.append(Array(name)) }
    }
    if hasMessages || !path.isEmpty { boxes.append((path.isEmpty ? ["INBOX"] : path, folder)) }
    for name in children.sorted(by: { $0.lexicographicallyPrecedes($1) }) where name.first != 0x2E {
      guard boxes.count < TransferLimits.mailboxes else {
        throw .source("there are more than \(TransferLimits.mailboxes) folders")
      }
      guard let child = folder.folder(name) else { continue }
      try look(in: child, below: path + [String(decoding: name, as: UTF8.self)], depth: depth + 1)
    }
  }

  static func isMessage(_ name: UnsafeRawBufferPointer) -> Bool {
    name.first != 0x2E && name.suffix(4).equalsIgnoringASCIICase(".eml")
  }

  func list() async throws(TransferError) -> [SourceMailbox] {
    var mailboxes: [SourceMailbox] = []
    for (index, box) in boxes.enumerated() {
      var count: Int64 = 0
      try box.folder.eachName { if Self.isMessage($0) { count += 1 } }
      mailboxes.append(SourceMailbox(path: box.path, size: count, handle: index))
    }
    return mailboxes
  }

  func open(_ mailbox: SourceMailbox, after _: SourceMessage<Int>?) async throws(TransferError) -> OpenedMailbox {
    let folder = boxes[mailbox.handle].folder
    names = []
    try folder.eachName { if Self.isMessage($0) { names.append(Array($0)) } }
    names.sort { $0.lexicographicallyPrecedes($1) }
    self.folder = folder
    position = 0
    return OpenedMailbox(identity: "eml:\(mailbox.name)")
  }

  func nextWindow() async throws(TransferError) -> [SourceMessage<Int>]? {
    guard let folder, position < names.count else { return nil }
    let end = min(position + TransferLimits.window, names.count)
    defer { position = end }
    var window: [SourceMessage<Int>] = []
    for index in position..<end {
      // A file that cannot be read gets a key that no message has; sending it says why.
      let digest = try? folder.file(names[index]).digest(with: names[index])
      window.append(
        SourceMessage(
          key: digest.map { Array($0.prefix(16)) } ?? [0] + messageKey(names[index]), uid: nil, flags: MessageFlags(),
          date: nil, weight: 1, place: index))
    }
    return window
  }

  func label(of message: SourceMessage<Int>) -> String {
    "\(folder?.path ?? "")/\(String(decoding: names[message.place], as: UTF8.self))"
  }

  func send(_ wanted: [SourceMessage<Int>], to sink: ImportSink) async throws(TransferError) {
    guard let folder else { return }
    for message in wanted {
      do throws(TransferError) {
        let file = try folder.file(names[message.place])
        let date =
          headerDate(of: try file.read(256 << 10, at: 0)) ?? DateTime(timestamp: file.modified, offsetMinutes: 0)
        try await file.send(to: sink)
        try await sink.facts(
          ImportFacts(key: message.key, label: label(of: message), uid: nil, flags: message.flags, date: date))
      } catch .source(let reason) {
        try await sink.abandon()
        sink.note(reason)
      }
    }
  }
}
