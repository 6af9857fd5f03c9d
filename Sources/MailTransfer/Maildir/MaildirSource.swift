import MailStore
import MessageFormat

/// A Maildir as the source of an import.
final class MaildirSource: MessageSource {
  typealias Place = MaildirListing.Entry

  private let root: Folder
  private var tree: [MaildirTree.Found] = []
  private var folder: Folder?
  private var listing: MaildirListing?
  private var keywords = DovecotKeywords()
  private var position = 0

  init(_ path: String) throws(TransferError) { root = try Folder(path) }

  let progressUnit = OperationProgress.Unit.messages

  func list() async throws(TransferError) -> [SourceMailbox] {
    tree = try MaildirTree(root).found
    let subscriptions = try MaildirSubscriptions(root)
    var mailboxes: [SourceMailbox] = []
    for (index, found) in tree.enumerated() {
      mailboxes.append(
        SourceMailbox(
          path: found.path, isSubscribed: subscriptions?.contains(found.path) ?? true,
          size: try MaildirListing.count(found.folder), handle: index))
    }
    return mailboxes
  }

  func open(_ mailbox: SourceMailbox, after _: SourceMessage<Place>?) async throws(TransferError) -> OpenedMailbox {
    let folder = tree[mailbox.handle].folder
    keywords = DovecotKeywords()
    if let file = folder.fileIfThere("dovecot-keywords") {
      try file.eachLine { (line) throws(TransferError) in keywords.read(line: line) }
    }
    let listing = try MaildirListing(folder)
    self.folder = folder
    self.listing = listing
    position = 0
    var opened = OpenedMailbox(identity: "maildir:\(mailbox.name)")
    if let header = listing.header {
      let first = listing.entries.first.map { UID(rawValue: $0.uid) } ?? header.uidNext
      opened.uids = OriginUIDs(validity: header.uidValidity, first: first)
      opened.uidNext = header.uidNext
    }
    return opened
  }

  func nextWindow() async throws(TransferError) -> [SourceMessage<Place>]? {
    guard let listing, position < listing.count else { return nil }
    let end = min(position + TransferLimits.window, listing.count)
    defer { position = end }
    return listing.entries[position..<end].map { entry in
      SourceMessage(
        key: messageKey(listing.base(of: entry)), uid: entry.uid == 0 ? nil : UID(rawValue: entry.uid),
        flags: MaildirFileName(listing.name(of: entry)).flags(keywords: keywords), date: nil, weight: 1, place: entry)
    }
  }

  func label(of message: SourceMessage<Place>) -> String {
    guard let listing, let folder else { return "" }
    let name = String(decoding: listing.name(of: message.place), as: UTF8.self)
    return "\(folder.path)/\(listing.directory(of: message.place))/\(name)"
  }

  func send(_ wanted: [SourceMessage<Place>], to sink: ImportSink) async throws(TransferError) {
    guard let folder, let listing else { return }
    var finder = MovedFiles(folder: folder)
    for message in wanted {
      let name = listing.name(of: message.place)
      do throws(TransferError) {
        let file = try finder.file(name, in: listing.directory(of: message.place))
        // Nothing is said of a message that was deleted meanwhile.
        guard let file else { continue }
        try await file.send(to: sink)
        try await sink.facts(
          ImportFacts(
            key: message.key, label: label(of: message), uid: message.uid, flags: message.flags,
            date: DateTime(timestamp: file.modified, offsetMinutes: 0)))
      } catch .source(let reason) {
        try await sink.abandon()
        sink.note(reason)
      }
    }
  }
}

/// Finds files whose names a mail program has changed since they were listed: a flag was set, or the message was moved
/// from `new` to `cur`.
private struct MovedFiles {
  let folder: Folder
  private var current: Folder?
  private var arrivals: Folder?
  private var renamed: [[UInt8]: [UInt8]]?

  init(folder: Folder) {
    self.folder = folder
    current = folder.folder("cur")
    arrivals = folder.folder("new")
  }

  /// Nil where it is gone.
  mutating func file(_ name: [UInt8], in directory: String) throws(TransferError) -> InputFile? {
    let first = directory == "cur" ? current : arrivals
    if let first, first.has(name) { return try first.file(name) }
    if renamed == nil {
      var found: [[UInt8]: [UInt8]] = [:]
      try current?.eachName { found[Array($0.prefix(MaildirFileName.baseLength($0)))] = Array($0) }
      renamed = found
    }
    let base = name.withUnsafeBytes { Array($0.prefix(MaildirFileName.baseLength($0))) }
    guard let current, let now = renamed?[base], current.has(now) else { return nil }
    return try current.file(now)
  }
}
