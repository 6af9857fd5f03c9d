import MessageFormat
import SQLite

/// The grams of everything that SEARCH may look for in a message: its texts are the very ones that a search compares,
/// so a message that has a text has its grams.
struct MessageGrams {
  private let bodies: BodyReader
  /// The last error with a body, and how many there were. Such a message is no reason to stop.
  private var failure: (error: StoreError, count: Int)?
  /// Of the message gathered last.
  private(set) var grams = SearchGrams()

  /// Text of one message, in octets as it is stored.
  private static let textLimit = 4 << 20
  /// Prose of that size has a few ten thousand; more come of encoded data that calls itself text.
  private static let gramLimit = 250_000

  init(bodies: BodyReader) { self.bodies = bodies }

  mutating func takeFailure() -> (error: StoreError, count: Int)? {
    defer { failure = nil }
    return failure
  }

  /// False where the message has too much text, or it can't be had. Blocks.
  mutating func gather(_ message: StoredMessage, _ store: Database) -> Bool {
    grams.removeAll()
    guard let content = message.content, let structure = message.structure else { return false }
    let root = structure.root
    let bodyStart = content.prefix.count
    let headerRange = 0..<bodyStart + min(root.bodyRange.lowerBound, content.bodySize)
    let ranges = MessageText.ranges(of: root)
    guard ranges.reduce(headerRange.count, { $0 + $1.count }) <= Self.textLimit,
      let header = read(content, headerRange, store)
    else { return false }
    grams.add(header.withUnsafeBytes { MessageText.foldedHeader($0) })
    for text in MessageText.folded(structure.envelope) { grams.add(text) }
    var body: [UInt8] = []
    for range in ranges {
      guard let bytes = read(content, bodyStart + range.lowerBound..<bodyStart + range.upperBound, store) else {
        return false
      }
      if body.isEmpty { body = bytes } else { body += bytes }
    }
    for text in body.withUnsafeBytes({ MessageText.folded(root, $0, at: ranges) }) {
      grams.add(text)
      if grams.count > Self.gramLimit { return false }
    }
    return true
  }

  /// Tried twice: the body may just have been moved.
  private mutating func read(_ content: ContentReference, _ range: Range<Int>, _ store: Database) -> [UInt8]? {
    if let bytes = try? bodies.read(content, range: range, database: store) { return bytes }
    do throws(StoreError) {
      return try bodies.read(content, range: range, database: store)
    } catch {
      failure = (error, (failure?.count ?? 0) + 1)
      return nil
    }
  }
}

/// A message with what its texts are made from; no content where its body is unknown.
struct StoredMessage {
  var id: EmailID
  var account: AccountID
  var content: ContentReference?
  var structure: MessageStructure?
}

extension Database {
  /// In order of their IDs.
  func messages(after id: Int64, limit: Int) throws(StoreError) -> [StoredMessage] {
    var messages: [StoredMessage] = []
    try each(
      """
      SELECT m.id, m.account, m.prefix, m.body, b.size, b.structure
      FROM messages m LEFT JOIN bodies b ON b.id = m.body WHERE m.id > ? ORDER BY m.id LIMIT ?
      """, .integer(id), .integer(Int64(limit))
    ) { row in
      var message = StoredMessage(
        id: EmailID(rawValue: row.integer(0)), account: AccountID(rawValue: row.integer(1)))
      if !row.isNull(4) {
        message.content = ContentReference(
          prefix: row.blob(2), bodyID: row.integer(3), bodySize: Int(row.integer(4)))
        message.structure = MessageStructure(encoded: row.blob(5))
      }
      messages.append(message)
    }
    return messages
  }

  func messageCount(after id: Int64) throws(StoreError) -> Int {
    try one("SELECT count(*) FROM messages WHERE id > ?", .integer(id)) { Int($0.integer(0)) } ?? 0
  }
}
