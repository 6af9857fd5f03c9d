import Foundation
import MailStore
import MessageFormat
import Synchronization

/// A store in a folder of its own, with one domain and the accounts a test asks for.
struct StoreFixture {
  let path: String
  let store: MailStore
  let faults: Faults

  static let domain = Domain("example.test")!

  static func make(
    path: String? = nil, options: (inout StoreOptions) -> Void = { _ in }
  ) async throws -> StoreFixture {
    let path = path ?? NSTemporaryDirectory() + "martlet-store-\(UUID().uuidString)"
    let faults = Faults()
    var settings = StoreOptions(fault: { faults.code(for: $0) })
    options(&settings)
    let store = try await EngineUnderTest.current.open(at: path, options: settings)
    return StoreFixture(path: path, store: store, faults: faults)
  }

  /// Opens a store, lends it, closes it, and removes its folder.
  static func with(
    options: (inout StoreOptions) -> Void = { _ in }, _ body: (StoreFixture) async throws -> Void
  ) async throws {
    let fixture = try await make(options: options)
    try await fixture.store.addDomain(domain)
    do {
      try await body(fixture)
      try await fixture.end()
    } catch {
      await fixture.store.close()
      try? FileManager.default.removeItem(atPath: fixture.path)
      throw error
    }
  }

  /// Closes the store, looks at all it left behind, and removes it.
  func end() async throws {
    await store.close()
    try await EngineUnderTest.current.checkRemains(of: path)
    try FileManager.default.removeItem(atPath: path)
  }

  /// The folder as a crash would leave it now, opened again.
  func reopenedCopy(options: (inout StoreOptions) -> Void = { _ in }) async throws -> StoreFixture {
    let copy = path + "-copy-\(UUID().uuidString)"
    try FileManager.default.copyItem(atPath: path, toPath: copy)
    return try await Self.make(path: copy, options: options)
  }

  func addAccount(_ name: String = "alice", quota: Quota = Quota()) async throws -> AccountID {
    try await store.addAccount(
      EmailAddress(localPart: name, domain: Self.domain), secrets: [StoredSecret("hash of \(name)")], quota: quota)
  }

  func stage(_ text: String, chunk: Int = .max) async throws -> StagedBody {
    try await stage(Array(text.utf8), chunk: chunk)
  }

  func stage(_ bytes: [UInt8], chunk: Int = .max) async throws -> StagedBody {
    let stage = store.stageBody(expectedSize: nil)
    var position = 0
    while position < bytes.count {
      let end = chunk == .max ? bytes.count : min(position + chunk, bytes.count)
      try await stage.append(Array(bytes[position..<end]))
      position = end
    }
    return try await stage.finish()
  }

  @discardableResult
  func append(
    _ text: String, to mailbox: MailboxName = .inbox, of account: AccountID, flags: MessageFlags = MessageFlags()
  ) async throws -> UID {
    let message = NewMessage(body: try await stage(text), flags: flags, internalDate: Self.date)
    return try await store.append([message], to: mailbox, of: account).uids[0]
  }

  static let date = DateTime(timestamp: Timestamp(seconds: 1_700_000_000), offsetMinutes: 90)

  func inbox(of account: AccountID) async throws -> Mailbox {
    try await store.mailbox(named: .inbox, of: account)!
  }

  func text(_ uid: UID, in mailbox: MailboxID) async throws -> String {
    let entry = try await store.entries(in: mailbox, uids: [uid]).first!
    return String(decoding: try await store.read(entry.content, range: 0..<entry.size), as: UTF8.self)
  }
}

func mail(_ subject: String, id: String? = nil, references: String? = nil, body: String = "Hello.\r\n") -> String {
  var text = "From: a@example.test\r\nSubject: \(subject)\r\n"
  if let id { text += "Message-ID: <\(id)>\r\n" }
  if let references { text += "References: \(references)\r\n" }
  return text + "\r\n" + body
}

/// Makes operations of the store fail.
final class Faults: Sendable {
  private let rule = Mutex<(@Sendable (FileOperation) -> Int32)?>(nil)
  func set(_ rule: (@Sendable (FileOperation) -> Int32)?) { self.rule.withLock { $0 = rule } }
  func code(for operation: FileOperation) -> Int32 { rule.withLock { $0 }?(operation) ?? 0 }
}

/// Makes one operation fail, after a number of others. What is written to a file in one go counts as one.
final class OneFault: Sendable {
  private let code: Int32
  private let state: Mutex<(left: Int, written: String)>
  init(_ code: Int32, after count: Int) {
    self.code = code
    state = Mutex((count, ""))
  }

  var hasStruck: Bool { state.withLock { $0.left < 0 } }

  func code(for operation: FileOperation) -> Int32 {
    state.withLock { state in
      let isWrite = if case .write = operation { true } else { false }
      if isWrite, state.written == operation.path { return 0 }
      state.written = isWrite ? operation.path : ""
      state.left -= 1
      return state.left == -1 ? code : 0
    }
  }
}

extension FileOperation {
  /// The log of `store.db` gets what a commit has changed.
  var isCommit: Bool { if case .write(let path, _, _) = self { path.hasSuffix("/store.db-wal") } else { false } }
}

extension UID: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt32) { self.init(rawValue: value) }
}

extension MailboxName: ExpressibleByStringLiteral {
  public init(stringLiteral value: String) { self.init(value)! }
}

/// Copies a store that may be in use, as a crash leaves it, but without the search index: its thread goes on, and files of
/// it come and go.
func copyStore(at path: String, to copy: String) throws {
  let files = FileManager.default
  try files.createDirectory(atPath: copy, withIntermediateDirectories: false)
  for name in try files.contentsOfDirectory(atPath: path) where !name.hasPrefix("search.db") {
    try files.copyItem(atPath: "\(path)/\(name)", toPath: "\(copy)/\(name)")
  }
}
