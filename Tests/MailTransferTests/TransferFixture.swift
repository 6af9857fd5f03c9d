import Foundation
import Logging
import MailStore
import MessageFormat
import Networking

@testable import MailTransfer

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A store behind a door such as a server's, for one account.
final class TransferFixture {
  let store: MailStore
  let alice: AccountID
  private let tree: TestTree
  private let door: Listener

  private init(_ tree: TestTree, _ store: MailStore, _ alice: AccountID, _ door: Listener) {
    self.tree = tree
    self.store = store
    self.alice = alice
    self.door = door
  }

  /// - Parameter later: made a day later, so that none of its UIDVALIDITYs is one of an earlier store.
  static func with(
    later: Bool = false, messageSize: Int = 50 << 20, _ body: (TransferFixture) async throws -> Void
  ) async throws {
    let tree = try TestTree()
    let clock = WallClock { WallClock.system.now().advanced(by: .seconds(later ? 86_400 : 0)) }
    let store = try await MailStore.open(at: tree.path, options: StoreOptions(clock: clock, logger: quiet))
    let domain = Domain("example.test")!
    try await store.addDomain(domain)
    let alice = try await store.addAccount(
      EmailAddress(localPart: "alice", domain: domain), secrets: [], quota: Quota())
    let door = try await Listener.start(
      ListenerConfiguration(endpoint: .local(path: "\(tree.path)/door"), security: .plaintext), logger: quiet
    ) { connection in
      // The first line says what for, as the control socket's would.
      while true {
        if case .line(let line) = connection.received.takeLine(limit: 1_000, ending: .crlfOrLF) {
          if line.elementsEqual("export".utf8) {
            guard let mailboxes = try? await store.mailboxes(of: alice) else { return }
            await ExportSession(store: store, mailboxes: mailboxes, connection: connection).run()
          } else {
            var session = ImportSession(
              store: store, account: alice, clock: .system, isRehearsal: line.elementsEqual("rehearse".utf8),
              messageSize: messageSize, connection: connection)
            _ = await session.run()
          }
          return
        }
        guard case .bytes = await connection.waitForInput(timeout: .seconds(10)) else { return }
      }
    }
    let fixture = TransferFixture(tree, store, alice, door)
    do {
      try await body(fixture)
      await fixture.end()
    } catch {
      await fixture.end()
      throw error
    }
  }

  private func end() async {
    await door.stopAccepting()
    await door.drain(within: .seconds(10))
    await store.close()
  }

  func connection(for what: String) async throws -> Connection {
    let connection = try await ClientConnection.connect(to: .local(path: "\(tree.path)/door"))
    try await connection.send(Array("\(what)\n".utf8))
    return connection
  }

  @discardableResult
  func importMail(_ path: String, only: [String] = [], into: MailboxName? = nil, rehearses: Bool = false) async throws
    -> ImportReport
  {
    try await importMail(
      ImportPlan(source: .path(path, format: nil), only: only, into: into, isRehearsal: rehearses))
  }

  @discardableResult
  func importMail(_ plan: ImportPlan) async throws -> ImportReport {
    let connection = try await connection(for: plan.isRehearsal ? "rehearse" : "import")
    return try await runImport(plan, to: ImportSink(connection)) { _ in }
  }

  func importMail(_ source: IMAPSource, rehearses: Bool = false) async throws -> ImportReport {
    let connection = try await connection(for: rehearses ? "rehearse" : "import")
    let plan = ImportPlan(source: .path("", format: nil), isRehearsal: rehearses)
    return try await runImport(from: source, plan, to: ImportSink(connection)) { _ in }
  }

  func exportMail(to path: String, format: MailFormat) async throws -> ExportReport {
    try await runExport(to: path, format: format, from: try await connection(for: "export")) { _ in }
  }

  /// Everything of the account, a line for each mailbox and message.
  func contents(of names: [String]? = nil) async throws -> [String] {
    var lines: [String] = []
    for mailbox in try await store.mailboxes(of: alice) where names?.contains(mailbox.name.text) ?? true {
      if names == nil, mailbox.messageCount == 0 { continue }
      lines.append(
        "\(mailbox.name) \(mailbox.uidValidity.rawValue) \(mailbox.uidNext.rawValue) \(mailbox.isSubscribed)")
      let index = try await store.index(of: mailbox.id)
      for entry in try await store.entries(in: mailbox.id, uids: index.uids) {
        let octets = try await store.read(entry.content, range: 0..<entry.size)
        let flags = entry.flags.keywords.map(\.text).joined(separator: ",")
        lines.append(
          "\(entry.uid.rawValue) \(entry.flags.system.rawValue) \(flags) \(entry.internalDate.timestamp.seconds) "
            + String(decoding: octets, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "|"))
      }
    }
    return lines
  }

  func mailbox(_ name: MailboxName) async throws -> Mailbox? { try await store.mailbox(named: name, of: alice) }
}

extension MailboxName: ExpressibleByStringLiteral {
  public init(stringLiteral value: String) { self.init(value)! }
}
