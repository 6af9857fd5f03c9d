import MailStore
import MessageFormat
import Testing

/// In a store with alice, bob and carol, zoe of another domain, aliases and groups.
private let senderCases: [(account: String, address: String, may: Bool)] = [
  ("alice", "alice@example.test", true),
  ("alice", "ALICE+list@example.test", true),
  ("alice", "bob@example.test", false),
  ("alice", "alice@elsewhere.example", false),
  ("alice", "nobody@example.test", false),
  // One that leads to it alone, also over another.
  ("alice", "sales@example.test", true),
  ("alice", "sales+x@example.test", true),
  ("alice", "shop@example.test", true),
  ("bob", "sales@example.test", false),
  // Not alone: somebody else, here or elsewhere.
  ("alice", "team@example.test", false),
  ("alice", "away@example.test", false),
  ("alice", "circle@example.test", false),
  // A group whose members may.
  ("alice", "board@example.test", true),
  ("bob", "board+x@example.test", true),
  ("carol", "board@example.test", false),
  // What it was granted: an address, here or elsewhere, and a domain.
  ("carol", "bob@example.test", true),
  ("carol", "BOB+x@example.test", true),
  ("carol", "carol@elsewhere.example", true),
  ("carol", "x@elsewhere.example", false),
  ("carol", "anything@second.test", true),
  ("carol", "zoe@second.test", true),
  ("bob", "anything@second.test", true),
  ("zoe", "anything@second.test", false),
  ("zoe", "zoe@second.test", true),
]

private let groupCases: [(account: String?, alias: String, may: Bool)] = [
  (nil, "team", true),
  (nil, "board", false),
  ("alice", "board", true),
  // A member by another group.
  ("bob", "board", true),
  ("carol", "board", false),
  ("carol", "staff", true),
  ("zoe", "staff", false),
  (nil, "staff", false),
  ("carol", "news", true),
  ("alice", "news", false),
  (nil, "news", false),
]

@Suite(.everyEngine) struct SendingTests {
  private func address(_ text: String) -> EmailAddress {
    EmailAddress(text.contains("@") ? text : "\(text)@example.test")!
  }

  private func fill(_ fixture: StoreFixture) async throws -> [String: AccountID] {
    let store = fixture.store
    try await store.addDomain(Domain("second.test")!)
    var accounts: [String: AccountID] = [:]
    for name in ["alice", "bob", "carol"] { accounts[name] = try await fixture.addAccount(name) }
    accounts["zoe"] = try await store.addAccount(address("zoe@second.test"), secrets: [], quota: Quota())
    func alias(
      _ name: String, _ targets: [String], _ senders: Alias.Senders = .anyone, membersMaySend: Bool = false
    ) async throws {
      try await store.setAlias(
        Alias(
          pattern: .address(address(name)), targets: targets.map(address), senders: senders,
          membersMaySend: membersMaySend))
    }
    try await alias("sales", ["alice"])
    try await alias("shop", ["sales", "alice"])
    try await alias("team", ["alice", "bob"])
    try await alias("away", ["alice", "alice@elsewhere.example"])
    try await alias("circle", ["circle"])
    try await alias("board", ["alice", "friends"], .members, membersMaySend: true)
    try await alias("friends", ["bob", "board", "f@elsewhere.example"])
    try await alias("staff", ["alice"], .domain)
    try await alias("news", ["team"], .accounts([address("carol")]))
    try await store.setAlias(
      Alias(pattern: .catchAll(Domain("second.test")!), targets: [address("bob")]))
    try await store.setSendAs(
      [.address(address("bob")), .address(address("carol@elsewhere.example")), .domain(Domain("second.test")!)],
      of: try #require(accounts["carol"]))
    return accounts
  }

  @Test func `an account sends as what leads to it alone and what it was granted`() async throws {
    try await StoreFixture.with { fixture in
      let accounts = try await fill(fixture)
      let directory = fixture.store.directory
      for row in senderCases {
        let account = try #require(accounts[row.account])
        #expect(directory.maySend(account, as: address(row.address)) == row.may, "\(row)")
      }
    }
  }

  @Test func `a group is open to those who may write to it`() async throws {
    try await StoreFixture.with { fixture in
      let accounts = try await fill(fixture)
      let directory = fixture.store.directory
      for row in groupCases {
        let alias = try #require(directory.aliases.first { $0.pattern == .address(address(row.alias)) })
        #expect(directory.mayWrite(row.account.flatMap { accounts[$0] }, to: alias) == row.may, "\(row)")
      }
    }
  }

  @Test func `what was granted and the limits stay, until they are taken back or the account goes`() async throws {
    try await StoreFixture.with { fixture in
      let accounts = try await fill(fixture)
      let carol = try #require(accounts["carol"])
      var limits = SendingLimits()
      limits[.messagesPerDay] = 0
      limits[.newRecipientsPerDay] = 12
      try await fixture.store.setSendingLimits(limits, of: carol)
      let again = try await fixture.reopenedCopy()
      #expect(again.store.directory.accounts == fixture.store.directory.accounts)
      #expect(again.store.directory.aliases == fixture.store.directory.aliases)
      #expect(again.store.directory.account(carol)?.sendingLimits == limits)
      #expect(again.store.directory.account(carol)?.sendAs.count == 3)
      try await again.end()
      try await fixture.store.setSendAs([], of: carol)
      try await fixture.store.setSendingLimits(SendingLimits(), of: carol)
      #expect(!fixture.store.directory.maySend(carol, as: address("bob")))
      try await fixture.store.removeAccount(carol)
      await #expect(throws: StoreError.accountNotFound) { try await fixture.store.setSendAs([], of: carol) }
      let next = try await fixture.addAccount("carol")
      #expect(fixture.store.directory.account(next)?.sendAs == [])
    }
  }

  // MARK: Limits

  private func limits(_ limit: SendingLimit, _ bound: Int) -> SendingLimits {
    var limits = SendingLimits()
    limits[limit] = bound
    return limits
  }

  /// Sends a message to recipients by these numbers.
  private static func send(
    _ fixture: StoreFixture, from account: AccountID, to recipients: [Int64], _ limits: SendingLimits
  ) async throws {
    let keys = Set(recipients.map { RecipientKey(rawValue: $0) })
    _ = try await fixture.store.deliver(
      try await fixture.stage(mail("sent")), to: [],
      queued: [StoreFixture.queuedMessage(recipients.map { "r\($0)@one.test" }, account: account)],
      internalDate: StoreFixture.date, sent: SentMessage(account: account, recipients: keys, limits: limits))
  }

  private func with(_ body: (StoreFixture, AccountID, Hand) async throws -> Void) async throws {
    let hand = Hand()
    try await StoreFixture.with(options: { $0.clock = hand.clock }) { fixture in
      try await body(fixture, try await fixture.addAccount(), hand)
    }
  }

  /// By each limit: what fills it up, what is then too much, and after how many seconds there is room again.
  static let limitCases: [(limit: SendingLimit, bound: Int, fill: [[Int64]], beyond: [Int64], again: Int64)] = [
    (.messagesPerHour, 2, [[1], [1]], [1], 3_600),
    (.messagesPerDay, 2, [[1], [1]], [1], 86_400),
    (.recipientsPerHour, 5, [[1, 2], [1, 2, 3]], [1], 3_600),
    (.recipientsPerDay, 5, [[1, 2], [1, 2, 3]], [1], 86_400),
    (.newRecipientsPerDay, 3, [[1, 2], [1, 2, 3], [1, 2, 3]], [1, 4], 86_400),
  ]

  @Test(arguments: Self.limitCases.indices)
  func `a message beyond a limit is refused as a whole, until its time is over`(_ index: Int) async throws {
    let row = Self.limitCases[index]
    try await with { fixture, account, hand in
      let limits = limits(row.limit, row.bound)
      for recipients in row.fill { try await Self.send(fixture, from: account, to: recipients, limits) }
      let before = try await fixture.store.queueSummary()
      await #expect(throws: StoreError.sendingLimit(row.limit, row.bound)) {
        try await Self.send(fixture, from: account, to: row.beyond, limits)
      }
      let (use, known) = try await fixture.store.sendingUse(
        of: account, at: hand.clock.now(), known: [RecipientKey(rawValue: 4)])
      #expect(use[row.limit] == row.bound && known.isEmpty)
      #expect(try await fixture.store.queueSummary() == before)
      // Another account has its own, and so has one without a limit.
      try await Self.send(fixture, from: try await fixture.addAccount("bob"), to: row.beyond, limits)
      hand.move(seconds: row.again - 601)
      await #expect(throws: StoreError.sendingLimit(row.limit, row.bound)) {
        try await Self.send(fixture, from: account, to: row.beyond, limits)
      }
      hand.move(seconds: 601)
      try await Self.send(fixture, from: account, to: row.beyond, limits)
      try await Self.send(fixture, from: account, to: [7, 8, 9], SendingLimits())
    }
  }

  @Test func `messages at the same time get no further than the limit, and a restart forgets nothing`() async throws {
    try await with { fixture, account, hand in
      let limits = limits(.messagesPerDay, 10)
      let accepted = await withTaskGroup(of: Bool.self) { group in
        for number in Int64(0)..<40 {
          group.addTask { (try? await Self.send(fixture, from: account, to: [number], limits)) != nil }
        }
        return await group.reduce(0) { $1 ? $0 + 1 : $0 }
      }
      #expect(accepted == 10)
      #expect(try await fixture.store.queueSummary().messages == 10)
      let again = try await fixture.reopenedCopy { $0.clock = hand.clock }
      #expect(try await again.store.sendingUse(of: account, at: hand.clock.now()).use[.newRecipientsPerDay] == 10)
      await #expect(throws: StoreError.sendingLimit(.messagesPerDay, 10)) {
        try await Self.send(again, from: account, to: [1], limits)
      }
      try await again.end()
    }
  }

  @Test func `a recipient is new again a year after the last message`() async throws {
    try await with { fixture, account, hand in
      let key = RecipientKey(rawValue: -5)
      func isKnown() async throws -> Bool {
        try await fixture.store.sendingUse(of: account, at: hand.clock.now(), known: [key]).known == [key]
      }
      try await Self.send(fixture, from: account, to: [-5], SendingLimits())
      hand.move(seconds: 200 * 86_400)
      try await Self.send(fixture, from: account, to: [-5], SendingLimits())
      hand.move(seconds: 300 * 86_400)
      #expect(try await isKnown())
      hand.move(seconds: 66 * 86_400)
      #expect(try await !isKnown())
    }
  }

  @Test func `a clock that was ahead does not keep anybody from sending`() async throws {
    try await with { fixture, account, hand in
      hand.move(seconds: 40 * 86_400)
      try await Self.send(fixture, from: account, to: [1], limits(.messagesPerDay, 1))
      hand.move(seconds: -40 * 86_400)
      try await Self.send(fixture, from: account, to: [1], limits(.messagesPerDay, 1))
    }
  }
}
