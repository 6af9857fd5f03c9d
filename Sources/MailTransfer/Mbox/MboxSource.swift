import Bytes
import Cryptography
import MailStore
import MessageFormat

/// mbox files as the source of an import: one, or a folder of them, as Thunderbird, mutt and Dovecot keep them.
final class MboxSource: MessageSource {
  typealias Place = MboxScanner.Found

  private struct Box {
    var path: [String]
    var makeFile: () throws(TransferError) -> InputFile
    var size: Int64
  }

  private var boxes: [Box] = []
  private var file: InputFile?
  private var scanner: MboxScanner?
  /// Digests met in this file, to tell the second of two equal messages from the first.
  private var met: Set<UInt64> = []
  private var meetings: [UInt64: UInt32] = [:]
  /// Read ahead to learn the first UID.
  private var ahead: SourceMessage<Place>?
  private var base: MboxFields.Base?

  let progressUnit = OperationProgress.Unit.octets

  init(file path: String) throws(TransferError) {
    let file = try InputFile(path)
    boxes = [
      Box(
        path: ["INBOX"],
        makeFile: { () throws(TransferError) in
          try InputFile(path)
        }, size: file.size)
    ]
  }

  init(folder path: String) throws(TransferError) {
    try look(in: try Folder(path), below: [], depth: 0)
  }

  private func look(in folder: Folder, below path: [String], depth: Int) throws(TransferError) {
    guard depth < 50 else { return }
    for name in try folder.names() where name.first != 0x2E {
      let here = path + [Self.level(name)]
      if folder.isFolder(name) {
        if let child = folder.folder(name) { try look(in: child, below: here, depth: depth + 1) }
      } else if let file = try? folder.file(name), try Self.isMbox(file, named: name) {
        guard boxes.count < TransferLimits.mailboxes else {
          throw .source("there are more than \(TransferLimits.mailboxes) files")
        }
        boxes.append(
          Box(
            path: here,
            makeFile: { () throws(TransferError) in
              try folder.file(name)
            }, size: file.size))
      }
    }
  }

  /// Thunderbird's folders end in `.sbd`; others put `.mbox` behind a file's name, which is ours too.
  private static func level(_ name: [UInt8]) -> String {
    var text = String(decoding: name, as: UTF8.self)
    for ending in [".mbox", ".mbx", ".sbd"] where text.hasSuffix(ending) && text.utf8.count > ending.utf8.count {
      text.removeLast(ending.count)
      break
    }
    return MboxFileName.unescaped(text)
  }

  static func isMbox(_ file: InputFile, named name: [UInt8]) throws(TransferError) -> Bool {
    if file.size == 0 { return name.suffix(5).elementsEqual(".mbox".utf8) }
    let line = try file.read(1_024, at: 0).prefix { $0 != 0x0A }
    return FromLine(line) != nil
  }

  // MARK: The import

  func list() async throws(TransferError) -> [SourceMailbox] {
    boxes.enumerated().map { SourceMailbox(path: $1.path, size: $1.size, handle: $0) }
  }

  func open(_ mailbox: SourceMailbox, after _: SourceMessage<Place>?) async throws(TransferError) -> OpenedMailbox {
    let file = try boxes[mailbox.handle].makeFile()
    self.file = file
    scanner = MboxScanner(file)
    met = []
    meetings = [:]
    base = nil
    ahead = try next()
    var opened = OpenedMailbox(identity: "mbox:\(mailbox.name)")
    if let base, base.lastUID < .max {
      let next = UID(rawValue: base.lastUID + 1)
      opened.uidNext = next
      if let first = ahead == nil ? next : ahead?.uid {
        opened.uids = OriginUIDs(validity: base.uidValidity, first: first)
      }
    }
    return opened
  }

  func nextWindow() async throws(TransferError) -> [SourceMessage<Place>]? {
    var window: [SourceMessage<Place>] = []
    if let ahead { window.append(ahead) }
    ahead = nil
    while window.count < TransferLimits.window, let message = try next() { window.append(message) }
    return window.isEmpty ? nil : window
  }

  /// Reads the next message to learn its flags and its digest, which names it together with the number of equal ones
  /// before it.
  private func next() throws(TransferError) -> SourceMessage<Place>? {
    while let found = try scanner?.next() {
      var digester = Digester(.sha256)
      var head: [UInt8] = []
      let fields = try read(found) { (octets) throws(TransferError) in
        digester.update(octets)
        if head.isEmpty { head = octets }
      }
      if let base = fields.base, self.base == nil { self.base = base }
      if fields.base?.isPseudoMessage == true || fields.isExpunged { continue }
      var key = Array(digester.finish().prefix(16))
      let short = key.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
      if !met.insert(short).inserted {
        meetings[short, default: 0] += 1
        withUnsafeBytes(of: (meetings[short] ?? 0).bigEndian) { key.append(contentsOf: $0) }
      }
      return SourceMessage(
        key: key, uid: base == nil ? nil : fields.uid, flags: fields.flags, date: Self.date(found.from, head),
        weight: found.range.upperBound - found.range.lowerBound, place: found)
    }
    return nil
  }

  /// A line without a zone is the writer's wall clock. Where the header knows the same moment with its zone, that is
  /// better than to guess.
  private static func date(_ from: FromLine, _ head: [UInt8]) -> DateTime {
    if from.hasZone { return from.date }
    guard let written = headerDate(of: head) else { return from.date }
    let wall = from.date.timestamp.seconds + Int64(from.date.offsetMinutes) * 60
    let writtenWall = written.timestamp.seconds + Int64(written.offsetMinutes) * 60
    // A delivery is a moment after the last `Received`; zones are at most 14 hours away.
    let isSameWall = abs(wall - writtenWall) <= 120
    return isSameWall || abs(wall - written.timestamp.seconds) <= 14 * 3600 + 120 ? written : from.date
  }

  func label(of message: SourceMessage<Place>) -> String {
    "\(file?.path ?? ""), the message at octet \(message.place.range.lowerBound)"
  }

  func send(_ wanted: [SourceMessage<Place>], to sink: ImportSink) async throws(TransferError) {
    for message in wanted {
      do throws(TransferError) {
        var pieces: [[UInt8]] = []
        var content = MboxContent(isQuoted: message.place.isQuoted)
        var offset = message.place.range.lowerBound
        while offset < message.place.range.upperBound {
          pieces.removeAll(keepingCapacity: true)
          offset = try readPiece(message.place, from: offset, &content) { pieces.append($0) }
          for piece in pieces { try await sink.octets(piece) }
        }
        var rest: [UInt8] = []
        content.finish(into: &rest)
        try await sink.octets(rest)
        try await sink.facts(
          ImportFacts(
            key: message.key, label: label(of: message), uid: message.uid, flags: message.flags, date: message.date))
      } catch .source(let reason) {
        try await sink.abandon()
        sink.note(reason)
      }
    }
  }

  /// All of a message as it goes into the store.
  private func read(
    _ found: MboxScanner.Found, _ body: ([UInt8]) throws(TransferError) -> Void
  ) throws(TransferError) -> MboxFields {
    var content = MboxContent(isQuoted: found.isQuoted)
    var offset = found.range.lowerBound
    while offset < found.range.upperBound { offset = try readPiece(found, from: offset, &content, body) }
    var rest: [UInt8] = []
    content.finish(into: &rest)
    if !rest.isEmpty { try body(rest) }
    return content.fields
  }

  private func readPiece(
    _ found: MboxScanner.Found, from offset: Int64, _ content: inout MboxContent,
    _ body: ([UInt8]) throws(TransferError) -> Void
  ) throws(TransferError) -> Int64 {
    guard let file else { return found.range.upperBound }
    let count = Int(min(Int64(TransferLimits.chunk), found.range.upperBound - offset))
    let bytes = try file.read(count, at: offset)
    guard !bytes.isEmpty else { throw .source("\(file.path) has become shorter while it was read") }
    var output: [UInt8] = []
    bytes.withUnsafeBytes { content.read($0, into: &output) }
    if !output.isEmpty { try body(output) }
    return offset + Int64(bytes.count)
  }
}
