import MailStore

/// INBOX as one POP3 session sees it: the messages that were there when it was opened, numbered from 1, and which of them
/// are marked as deleted.  RFC 1939 §5.
///
/// Sizes and locations are read when they are first asked for, some hundreds at a time: most sessions ask for STAT and UIDL,
/// find nothing new and go.
final class Maildrop {
  private let store: MailStore
  private let mailbox: MailboxID
  private let uidValidity: UIDValidity
  private let uids: [UID]
  private let lock: MaildropLock
  /// Sum of the sizes when the maildrop was opened.
  let snapshotSize: Int64
  private var sizes: [Size]
  private var isMarked: [Bool]
  private(set) var markedCount = 0
  private var goneCount = 0
  /// Where the bytes of the messages of the last window are.
  private var contents: [UID: ContentReference] = [:]

  private enum Size {
    case unknown
    case known(Int)
    /// Another session has expunged the message.
    case gone
  }

  /// How many entries are read at a time.
  private static let window = 256

  private init(_ index: MailboxIndex, lock: MaildropLock, store: MailStore) {
    self.store = store
    self.lock = lock
    mailbox = index.mailbox.id
    uidValidity = index.mailbox.uidValidity
    uids = index.uids
    snapshotSize = index.mailbox.size
    sizes = Array(repeating: .unknown, count: uids.count)
    isMarked = Array(repeating: false, count: uids.count)
  }

  static func open(_ account: AccountID, lock: MaildropLock, store: MailStore) async throws(POP3Failure) -> Maildrop {
    do throws(StoreError) {
      guard let inbox = try await store.mailbox(named: .inbox, of: account) else { throw StoreError.mailboxNotFound }
      return Maildrop(try await store.index(of: inbox.id), lock: lock, store: store)
    } catch {
      throw .store(error)
    }
  }

  /// Messages when it was opened; their numbers are 1...count.
  var count: Int { uids.count }

  // MARK: One message

  /// The index of a message that is there and not marked.
  func index(of number: Int) throws(POP3Failure) -> Int {
    guard number >= 1, number <= uids.count else { throw .noSuchMessage }
    if isMarked[number - 1] { throw .messageIsDeleted }
    if case .gone = sizes[number - 1] { throw .messageIsGone }
    return number - 1
  }

  func size(at index: Int) async throws(POP3Failure) -> Int {
    if case .unknown = sizes[index] { try await load(from: index) }
    guard case .known(let size) = sizes[index] else { throw .messageIsGone }
    return size
  }

  func content(at index: Int) async throws(POP3Failure) -> ContentReference {
    if contents[uids[index]] == nil { try await load(from: index) }
    guard let content = contents[uids[index]] else { throw .messageIsGone }
    return content
  }

  /// UIDVALIDITY and UID in hexadecimal: the pair names a message for ever.  RFC 1939 §7, RFC 9051 §2.3.1.1.
  func uniqueID(at index: Int) -> String {
    Self.hexadecimal(uidValidity.rawValue) + Self.hexadecimal(uids[index].rawValue)
  }

  // MARK: All messages

  /// Indices of the messages that are there and not marked, as far as is known.
  var indices: some Sequence<Int> { (0..<uids.count).lazy.filter { self.isThere($0) } }

  /// Learns the sizes of all messages, and so which are gone.
  func loadSizes() async throws(POP3Failure) {
    for index in uids.indices {
      if case .unknown = sizes[index] { try await load(from: index) }
    }
  }

  /// Number and size of the messages that are not marked: the drop listing.
  func totals() async throws(POP3Failure) -> (count: Int, size: Int64) {
    if markedCount == 0, goneCount == 0 { return (uids.count, snapshotSize) }
    try await loadSizes()
    var count = 0
    var size: Int64 = 0
    for index in indices {
      guard case .known(let octets) = sizes[index] else { continue }
      count += 1
      size += Int64(octets)
    }
    return (count, size)
  }

  // MARK: Marks

  func mark(at index: Int) {
    guard !isMarked[index] else { return }
    isMarked[index] = true
    markedCount += 1
  }

  func unmarkAll() {
    isMarked = Array(repeating: false, count: uids.count)
    markedCount = 0
  }

  /// Removes what is marked. A message that another session has removed meanwhile is removed: that is what was wanted.
  func update() async throws(POP3Failure) {
    let marked = uids.indices.filter { isMarked[$0] }.map { uids[$0] }
    guard !marked.isEmpty else { return }
    do {
      _ = try await store.expunge(in: mailbox, uids: marked, onlyDeleted: false)
    } catch {
      throw .notRemoved(error)
    }
  }

  // MARK: Reading

  private func isThere(_ index: Int) -> Bool {
    if isMarked[index] { return false }
    if case .gone = sizes[index] { return false }
    return true
  }

  /// Reads the entries of a window of messages.
  private func load(from start: Int) async throws(POP3Failure) {
    let range = start..<min(start + Self.window, uids.count)
    let entries: [MessageEntry]
    do { entries = try await store.entries(in: mailbox, uids: Array(uids[range])) } catch { throw .store(error) }
    let sizesByUID = Dictionary(entries.map { ($0.uid, $0.size) }, uniquingKeysWith: { first, _ in first })
    for index in range {
      if let size = sizesByUID[uids[index]] {
        sizes[index] = .known(size)
      } else {
        if case .gone = sizes[index] { continue }
        sizes[index] = .gone
        goneCount += 1
      }
    }
    contents = Dictionary(entries.map { ($0.uid, $0.content) }, uniquingKeysWith: { first, _ in first })
  }

  private static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.utf8.count) + digits
  }
}
