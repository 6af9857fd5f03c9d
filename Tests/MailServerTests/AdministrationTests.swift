import Foundation
import Logging
import MailStore
import MessageFormat
import Testing

@testable import MailServer

@Suite struct AdministrationTests {
  /// Operations in order, and what each is answered: what a person would see.
  static let dialogue: [(AdministrativeOperation, String)] = [
    (.listDomains, "domains []"),
    (.mailDomain(nil), "failed: this server has no domain; add one first"),
    (
      .addAccount(address: "a@example.org", password: "secret", quota: QuotaText()),
      "failed: example.org is not a domain"
    ),
    (.addDomain("Example.ORG"), "done: domain example.org added"),
    (.addDomain("example.org"), "failed: domain example.org: it is there already"),
    (.mailDomain(nil), "domain example.org with 0 keys"),
    (.mailDomain("Example.ORG"), "domain example.org with 0 keys"),
    (.mailDomain("example.net"), "failed: example.net is not a domain of this server; add it first"),
    (.mailDomain("[192.0.2.1]"), "failed: \"[192.0.2.1]\" is not a domain"),
    (.addDomain("not a domain"), "failed: \"not a domain\" is not a domain"),
    (.addDomain("[192.0.2.1]"), "failed: "),
    (
      .addAccount(address: "alice@example.org", password: "secret", quota: QuotaText(bytes: 1_000)),
      "done: account alice@example.org added"
    ),
    (
      .addAccount(address: "Alice@example.org", password: "secret", quota: QuotaText()),
      "failed: account Alice@example.org: it is there"
    ),
    (
      .addAccount(address: "bob@example.org", password: nil, quota: QuotaText()),
      "done: account bob@example.org added; nobody can log in"
    ),
    (.addAccount(address: "nobody", password: "x", quota: QuotaText()), "failed: \"nobody\" is not an address"),
    (.addAccount(address: "c@example.org", password: "", quota: QuotaText()), "failed: an empty password"),
    (.listAccounts, "accounts alice@example.org+password/1000 bob@example.org/-"),
    (.setPassword(address: "bob@example.org", password: "other"), "done: password of bob@example.org changed"),
    (.setPassword(address: "zoe@example.org", password: "other"), "failed: there is no account zoe@example.org"),
    (.quota(address: "alice@example.org", change: QuotaText()), "account alice@example.org+password/-"),
    (.quota(address: "alice@example.org", change: nil), "account alice@example.org+password/-"),
    (.addAppPassword(address: "alice@example.org", label: "phone"), "app password for phone"),
    (.addAppPassword(address: "alice@example.org", label: "phone"), "failed: alice@example.org already has"),
    (.listAppPasswords(address: "alice@example.org"), "app passwords phone"),
    (
      .removeAppPassword(address: "alice@example.org", label: "tablet"), "failed: alice@example.org has no app password"
    ),
    (
      .removeAppPassword(address: "alice@example.org", label: "phone"),
      "done: app password \"phone\" of alice@example.org removed"
    ),
    (
      .addAlias(pattern: "info@example.org", targets: ["alice@example.org", "bob@example.org", "alice@example.org"]),
      "done: alias info@example.org leads to alice@example.org, bob@example.org"
    ),
    (
      .addAlias(pattern: "@example.org", targets: ["bob@example.org"]),
      "done: alias @example.org leads to bob@example.org"
    ),
    (
      .addAlias(
        pattern: "team@example.org", targets: ["alice@example.org", "x@elsewhere.test"], senders: "members",
        membersMaySend: true),
      "done: alias team@example.org leads to alice@example.org, x@elsewhere.test"
    ),
    // What is not given stays.
    (
      .addAlias(pattern: "team@example.org", targets: ["alice@example.org", "bob@example.org"]),
      "done: alias team@example.org leads to"
    ),
    (
      .addAlias(
        pattern: "news@example.org", targets: ["info@example.org"], senders: "alice@example.org, bob@example.org"),
      "done: alias news"
    ),
    (.addAlias(pattern: "x@example.org", targets: ["bob@example.org"], senders: "nobody"), "failed: senders: expected"),
    (
      .addAlias(pattern: "x@example.org", targets: ["bob@example.org"], senders: "zoe@example.org"),
      "failed: there is no account zoe@example.org"
    ),
    (.sendAs(address: "alice@example.org", change: nil), "sends as []"),
    (
      .sendAs(address: "alice@example.org", change: .add("Info@example.org")),
      "done: alice@example.org may send as Info@example.org"
    ),
    (
      .sendAs(address: "alice@example.org", change: .add("info@example.org")),
      "failed: alice@example.org may send as info@example.org already"
    ),
    (
      .sendAs(address: "alice@example.org", change: .add("a@elsewhere.test")),
      "done: alice@example.org may send as a@elsewhere.test; elsewhere.test is not a domain of this server"
    ),
    (.sendAs(address: "alice@example.org", change: .add("@elsewhere.test")), "failed: elsewhere.test is not a domain"),
    (.sendAs(address: "alice@example.org", change: .add("nobody")), "failed: \"nobody\" is neither an address"),
    (.sendAs(address: "alice@example.org", change: .add("@example.org")), "done: alice@example.org may send as @ex"),
    (.sendAs(address: "alice@example.org", change: nil), "sends as [@example.org Info@example.org a@elsewhere.test]"),
    (.sendAs(address: "alice@example.org", change: .remove("@example.org")), "done: alice@example.org may no longer"),
    (.sendAs(address: "alice@example.org", change: .remove("@example.org")), "failed: alice@example.org has not been"),
    (.sendAs(address: "zoe@example.org", change: nil), "failed: there is no account"),
    (
      .sendingLimits(address: "alice@example.org", change: nil),
      "limits 0/200 0/500 0/500 0/1000 0/200"
    ),
    (
      .sendingLimits(
        address: "alice@example.org",
        change: SendingLimitsChange(numbers: ["messages_per_day": 0, "recipients_per_day": 7])),
      "limits 0/200 0/0! 0/500 0/7! 0/200"
    ),
    (
      .sendingLimits(address: "alice@example.org", change: SendingLimitsChange(numbers: ["messages_per_day": nil])),
      "limits 0/200 0/500 0/500 0/7! 0/200"
    ),
    (
      .sendingLimits(address: "alice@example.org", change: SendingLimitsChange(numbers: ["messages": 1])),
      "failed: there is no limit \"messages\""
    ),
    (
      .accountDetails("alice@example.org"),
      "alice@example.org+password/-, aliases info@example.org news@example.org team@example.org, "
        + "sends as alice@example.org Info@example.org a@elsewhere.test team@example.org"
    ),
    (.removeAlias("news@example.org"), "done: "),
    (.addAlias(pattern: "x@elsewhere.test", targets: ["bob@example.org"]), "failed: elsewhere.test is not a domain"),
    (.addAlias(pattern: "x@example.org", targets: []), "failed: an alias needs"),
    (
      .backUpStore(directory: "relative", verifies: false, octetsPerSecond: nil),
      "failed: backup to relative: relative is not an absolute"
    ),
    (.restoreMessages(directory: "/nowhere", RestoreText(account: "nobody")), "failed: \"nobody\" is not an address"),
    (
      .restoreMessages(directory: "/nowhere", RestoreText(account: "alice@example.org", mailbox: "%")),
      "failed: \"%\" is not the name"
    ),
    (
      .restoreMessages(directory: "/nowhere", RestoreText(account: "alice@example.org")),
      "failed: restore from /nowhere: "
    ),
    (
      .listAliases,
      "aliases @example.org>bob@example.org/anyone info@example.org>alice@example.org,bob@example.org/anyone "
        + "team@example.org>alice@example.org,bob@example.org/members+"
    ),
    (.removeAlias("team@example.org"), "done: "),
    (.searchIndex(rebuild: false), "search index current: 0 of 0"),
    (.storeStatistics, "statistics: 0 messages in 2 accounts"),
    (.compactStore(octetsPerSecond: nil), "compaction: 0 packs"),
    (.searchIndex(rebuild: true), "search index current: 0 of 0"),
    (
      .listMessages(address: "alice@example.org", mailbox: nil, isDeleted: true, limit: 10), "messages []"
    ),
    (
      .listMessages(address: "alice@example.org", mailbox: "Nowhere", isDeleted: false, limit: 10),
      "failed: account alice@example.org: there is no such mailbox"
    ),
    (
      .listMessages(address: "alice@example.org", mailbox: nil, isDeleted: true, limit: 0), "failed: a list has 1 to"
    ),
    (
      .undeleteMessages(address: "alice@example.org", ids: ["1.x"], mailbox: nil, since: nil, into: nil),
      "failed: \"1.x\" is not an ID"
    ),
    (
      .undeleteMessages(address: "alice@example.org", ids: ["1.7"], mailbox: nil, since: nil, into: nil),
      "failed: not among the deleted messages of alice@example.org: 1.7"
    ),
    (
      .undeleteMessages(address: "alice@example.org", ids: ["1.7"], mailbox: "INBOX", since: nil, into: nil),
      "failed: name the messages by their IDs, or a mailbox"
    ),
    (
      .undeleteMessages(address: "alice@example.org", ids: [], mailbox: "INBOX", since: "May", into: nil),
      "failed: \"May\" is not a day"
    ),
    (
      .undeleteMessages(address: "alice@example.org", ids: [], mailbox: "INBOX", since: "2026-01-01", into: nil),
      "restored 0, not found 0"
    ),
    (.domainKeys("example.org", replaces: false), "keys rsa made, ed25519 made"),
    (.domainKeys("example.org", replaces: false), "keys rsa made, ed25519 made"),
    (.domainKeys("example.org", replaces: true), "keys rsa made, ed25519 made, rsa made, ed25519 made"),
    (.mailDomain(nil), "domain example.org with 4 keys"),
    (.domainKeys("elsewhere.test", replaces: false), "failed: elsewhere.test is not a domain"),
    (.listQueue(QueueFilterText(), limit: 10), "queue of 0, 0 waiting, 0 held"),
    (.listQueue(QueueFilterText(sender: "nobody"), limit: 10), "failed: \"nobody\" is not an address"),
    (.listQueue(QueueFilterText(), limit: 0), "failed: a list has 1 to"),
    (.changeQueue(.hold, QueueFilterText(destination: "example.net")), "done: 0 recipients held"),
    (.changeQueue(.drop, QueueFilterText(ids: [0])), "failed: an ID of the queue"),
    (.removeDomain("example.org"), "failed: domain example.org: accounts or aliases are still in it"),
    (.removeAlias("@example.org"), "done: alias @example.org removed"),
    (.removeAlias("info@example.org"), "done: alias info@example.org removed"),
    (.removeAccount("alice@example.org"), "done: account alice@example.org removed"),
    (.verifyStore(isThorough: true, octetsPerSecond: nil), "verification: 1 accounts, 0 findings"),
    (.removeAccount("bob@example.org"), "done: account bob@example.org removed"),
    (.removeDomain("example.org"), "done: domain example.org removed"),
    (.listDomains, "domains []"),
    (.status, "failed: no server is running"),
  ]

  @Test func operationsAreAnsweredInWords() async throws {
    let directory = try makeTemporaryDirectory(prefix: "martlet-test")
    defer { removeTree(directory) }
    let store = try await MailStore.open(at: directory)
    let administration = Administration(
      store: store, clock: .system, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    for (operation, expected) in Self.dialogue {
      // As it travels: what cannot be decoded again is not an operation.
      let travelled = try JSONDecoder().decode(AdministrativeOperation.self, from: JSONEncoder().encode(operation))
      #expect(travelled == operation)
      let reply = await administration.perform(travelled)
      #expect(try JSONDecoder().decode(AdministrativeReply.self, from: JSONEncoder().encode(reply)) == reply)
      #expect(reply.summary.hasPrefix(expected), "\(operation): \(reply.summary)")
    }
    await store.close()
  }

  /// One door: whoever asks gets the same answer from the server that runs and, when none does, from the store itself.
  @Test func aRunningServerIsAskedAndOtherwiseTheStoreIsOpened() async throws {
    let directory = try makeTemporaryDirectory(prefix: "martlet-test")
    defer { removeTree(directory) }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    func ask(_ operation: AdministrativeOperation) async -> String {
      await administer(operation, dataDirectory: directory, clock: .system, logger: logger).summary
    }
    #expect(await ask(.addDomain("offline.test")) == "done: domain offline.test added")

    var configuration = Configuration()
    configuration.dataDirectory = directory
    configuration.domain = Domain("example.org")
    configuration.listeners = [
      ListenerSetting(service: .imap, place: .internet(host: "127.0.0.1", port: 0)),
      ListenerSetting(service: .lmtp, place: .local(path: "\(directory)/lmtp.sock")),
    ]
    let descriptor = open("/dev/null", O_WRONLY)
    let output = LogOutput(
      writer: LogWriter(descriptor: descriptor), format: .logfmt, level: .error, clock: .system)
    let server = try await RunningServer.start(
      ServerPlan(configuration: configuration, hostname: "mail.example.org"), output: output)
    #expect(fileMode(controlSocketPath(in: directory)) == 0o600)
    let status = await ask(.status)
    #expect(status.hasPrefix("status mail.example.org ready imap=127.0.0.1:"))
    #expect(!status.contains(":0 "))
    #expect(await ask(.listDomains) == "domains [example.org offline.test]")
    #expect(
      await ask(.addAccount(address: "a@example.org", password: "p", quota: QuotaText()))
        == "done: account a@example.org added")
    #expect(
      rawRequest("{\"nonsense\":1}\n", directory)
        == "{\"failed\":{\"_0\":\"the request is not one that this version knows\"}}")
    // A second server is told who holds the store.
    await #expect(throws: StartupError.self) {
      _ = try await RunningServer.start(
        ServerPlan(configuration: configuration, hostname: "mail.example.org"), output: output)
    }
    let account = try #require(server.store.directory.account(login: "a@example.org"))
    for number in 0..<3 {
      let stage = server.store.stageBody(expectedSize: nil)
      try await stage.append(Array("Subject: \(number)\r\n\r\nHello\r\n".utf8))
      let message = NewMessage(
        body: try await stage.finish(), internalDate: DateTime(timestamp: Timestamp(seconds: 0), offsetMinutes: 0))
      _ = try await server.store.append([message], to: .inbox, of: account.id)
    }
    #expect(await ask(.searchIndex(rebuild: true)) == "search index current: 3 of 3")
    #expect(await ask(.storeStatistics).hasPrefix("statistics: 3 messages in "))
    await server.stop()

    #expect(await ask(.searchIndex(rebuild: false)) == "search index current: 3 of 3")
    #expect(await ask(.searchIndex(rebuild: true)) == "search index current: 3 of 3")
    #expect(await ask(.status) == "failed: no server is running on \(directory)")
    #expect(await ask(.listAccounts) == "accounts a@example.org+password/-")
    output.close()
    close(descriptor)
  }

  @Test func seedsAreLoadedWithWireLineEnds() async throws {
    let directory = try makeTemporaryDirectory(prefix: "martlet-test")
    defer { removeTree(directory) }
    let inbox = "\(directory)/seed/alice@example.test/INBOX"
    try FileManager.default.createDirectory(atPath: "\(inbox)", withIntermediateDirectories: true)
    try FileManager.default.createDirectory(
      atPath: "\(directory)/seed/alice@example.test/Archive/2024", withIntermediateDirectories: true)
    try "Subject: one\nDate: Wed, 17 Jul 1996 02:44:25 -0700\n\nhello\n".write(
      toFile: "\(inbox)/1.eml", atomically: true, encoding: .utf8)
    try "Subject: two\r\n\r\nhello\r\n".write(toFile: "\(inbox)/2.eml", atomically: true, encoding: .utf8)
    try "Subject: old\n\n".write(
      toFile: "\(directory)/seed/alice@example.test/Archive/2024/x.eml", atomically: true, encoding: .utf8)
    let store = try await MailStore.open(at: "\(directory)/data")
    try await loadSeed("\(directory)/seed", into: store, clock: .system)
    let account = try #require(store.directory.account(login: "alice@example.test"))
    let mailbox = try #require(try await store.mailbox(named: .inbox, of: account.id))
    #expect(mailbox.messageCount == 2)
    let archive = try #require(MailboxName("Archive/2024"))
    #expect(try await store.mailbox(named: archive, of: account.id)?.messageCount == 1)
    let entries = try await store.entries(in: mailbox.id, uids: try await store.index(of: mailbox.id).uids)
    let bytes = try await store.read(entries[0].content, range: 0..<entries[0].size)
    #expect(
      String(decoding: bytes, as: UTF8.self) == "Subject: one\r\nDate: Wed, 17 Jul 1996 02:44:25 -0700\r\n\r\nhello\r\n"
    )
    #expect(entries[0].internalDate.imap == "17-Jul-1996 02:44:25 -0700")
    await store.close()
  }

  private func fileMode(_ path: String) -> Int? {
    (try? FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]) as? Int
  }

  private func rawRequest(_ text: String, _ directory: String) -> String? {
    guard var socket = try? LocalSocket(connectingTo: controlSocketPath(in: directory)), socket.send(Array(text.utf8)),
      let line = socket.readLine(limit: 10_000, seconds: 10)
    else { return nil }
    return String(decoding: line, as: UTF8.self)
  }
}

extension AdministrativeReply {
  fileprivate var summary: String {
    switch self {
    case .stream: "stream"
    case .progress(let progress): "progress: \(progress.phase)"
    case .done(let text): "done: \(text)"
    case .failed(let text): "failed: \(text)"
    case .status(let status):
      "status \(status.hostname) \(status.isReady ? "ready" : "not ready") \(status.listeners.joined(separator: " "))"
    case .domainKeys(let keys): "keys \(keys.map { "\($0.algorithm) \($0.stage)" }.joined(separator: ", "))"
    case .mailDomain(let domain): "domain \(domain.domain) with \(domain.keyRecords.count) keys"
    case .domains(let domains): "domains [\(domains.joined(separator: " "))]"
    case .accounts(let accounts): "accounts \(accounts.map(\.short).joined(separator: " "))"
    case .account(let account): "account \(account.short)"
    case .appPasswords(let passwords): "app passwords \(passwords.map(\.label).joined(separator: " "))"
    case .appPassword(let label, let password):
      password.count == 24 ? "app password for \(label)" : "a strange app password"
    case .verification(let report): "verification: \(report.accounts) accounts, \(report.findings.count) findings"
    case .compaction(let report): "compaction: \(report.packs) packs"
    case .repair(let report): "repair: \(report.outcome.rawValue)"
    case .statistics(let report):
      "statistics: \(report.store.messages) messages in \(report.store.accounts) accounts"
        + (report.metrics.map { ", \($0.count) metrics" } ?? "")
    case .backup(let report): "backup: \(report.accounts) accounts"
    case .restoredStore: "restored"
    case .restoredMessages(let report): "restored: \(report.restored)"
    case .messages(let list):
      "messages [\(list.messages.map { "\($0.mailbox)/\($0.subject)" }.joined(separator: " "))]"
    case .queue(let list): "queue of \(list.messages.count), \(list.waiting) waiting, \(list.held) held"
    case .undeleted(let report): "restored \(report.restored.count), not found \(report.notFound.count)"
    case .aliases(let aliases):
      "aliases \(aliases.map(\.short).joined(separator: " "))"
    case .sendAs(let patterns): "sends as [\(patterns.joined(separator: " "))]"
    case .sendingLimits(let limits): "limits \(limits.map(\.short).joined(separator: " "))"
    case .accountDetails(let details):
      "\(details.account.short), aliases \(details.aliases.joined(separator: " ")), "
        + "sends as \(details.sendsAs.joined(separator: " "))"
    case .searchIndex(let index):
      "search index \(index.condition): \(index.indexedMessages) of \(index.indexedMessages + index.waitingMessages)"
    }
  }
}

extension AliasSummary {
  fileprivate var short: String {
    "\(pattern)>\(targets.joined(separator: ","))/\(senders)\(membersMaySend ? "+" : "")"
  }
}

extension SendingLimitSummary {
  fileprivate var short: String { "\(used)/\(limit)\(isOwn ? "!" : "")" }
}

extension AccountSummary {
  fileprivate var short: String {
    "\(address)\(hasPassword ? "+password" : "")/\(quota.bytes.map { String($0) } ?? "-")"
  }
}
