import Foundation
import Logging
import MailStore
import MessageFormat
import Networking
import SMTP
import SMTPClient
import Synchronization
import TestSupport
import Testing

@testable import Delivery

/// Other people's servers, in memory: some take mail, some say nothing, and the others are not there.
private final class World: MailTransport {
  struct State {
    var hanging: Set<String> = []
    var living: Set<String> = []
    /// Destinations that somebody asked the way to, in order.
    var asked: [String] = []
    var sessions = 0
    /// The servers hang up after each message.
    var hangsUp = false
    /// RCPT commands of messages that were taken.
    var arrived: [String] = []
    /// Messages that were taken.
    var messages = 0
    /// How far the clock that tells the time is off.
    var offset = Duration.zero
    /// Destinations whose servers greet and then say nothing to this command.
    var silent: [String: String] = [:]
    /// What the servers offer besides PIPELINING.
    var offers: [String] = []
  }
  let state: Mutex<State>
  let activity = Activity()
  let clock = FakeClock()
  /// The time, which somebody may put forward or back.
  var wallClock: WallClock { WallClock { self.clock.now.advanced(by: self.state.withLock { $0.offset }) } }

  init(living: Set<String>, hanging: Set<String> = [], hangsUp: Bool = false) {
    state = Mutex(State(hanging: hanging, living: living, hangsUp: hangsUp))
  }

  func way(to destination: String) async -> TransportWay {
    state.withLock { $0.asked.append(destination) }
    activity.happened()
    return .hosts(Walk(world: self, destination: destination))
  }

  struct Walk: HostWalk {
    let world: World
    let destination: String
    var lastFailure: DeliveryNote?
    var isDone = false

    mutating func restart() { isDone = false }

    mutating func next() async -> OpenSession? {
      if isDone { return nil }
      isDone = true
      let (lives, hangs) = world.state.withLock {
        ($0.living.contains(destination), $0.hanging.contains(destination))
      }
      // Until the server stops.
      if hangs { try? await Task.sleep(for: .seconds(3_600)) }
      guard lives else { return nil }
      let server = ScriptedServer(world, silence: world.state.withLock { $0.silent[destination] })
      guard let session = try? await server.session() else { return nil }
      world.state.withLock { $0.sessions += 1 }
      return OpenSession(session: session, host: "mx.\(destination)")
    }
  }
}

/// Says yes to everything.
private final class ScriptedServer: ScriptedPeer {
  private struct State {
    var recipients: [String] = []
    var isContent = false
    var isSilent = false
  }
  private let world: World
  private let silence: String?
  private let state = Mutex(State())

  init(_ world: World, silence: String?) {
    self.world = world
    self.silence = silence
  }

  func session() async throws -> ClientSession {
    let transport = ScriptedTransport(peer: self, clock: world.clock)
    let connection = transport.connection()
    connection.transportDidReceive(Array("220 mx.test\r\n".utf8))
    var settings = ClientSettings(name: "here.test", tls: .never)
    settings.usesChunking = false
    return try await ClientSession.open(on: connection, settings: settings)
  }

  func answer(_ line: String) -> (reply: String?, hangsUp: Bool) {
    state.withLock { state in
      if state.isContent {
        guard line == "." else { return (nil, false) }
        state.isContent = false
        let hangsUp = world.state.withLock { world in
          world.arrived += state.recipients
          world.messages += 1
          return world.hangsUp
        }
        world.activity.happened()
        return ("250 taken", hangsUp)
      }
      if let silence, state.isSilent || line.hasPrefix(silence) {
        state.isSilent = true
        world.activity.happened()
        return (nil, false)
      }
      switch line.prefix(4) {
      case "EHLO":
        let lines = ["250-mx.test"] + world.state.withLock { $0.offers }.map { "250-\($0)" } + ["250 PIPELINING"]
        return (lines.joined(separator: "\r\n"), false)
      case "MAIL": state.recipients = []
      case "RCPT": state.recipients.append(String(line.dropFirst("RCPT TO:".count)))
      case "DATA":
        state.isContent = true
        return ("354 go ahead", false)
      case "QUIT": return ("221 bye", true)
      default: break
      }
      return ("250 ok", false)
    }
  }
}

@Suite(.timeLimit(.minutes(3))) struct QueueRunnerTests {
  private static let logger = Logger(label: "queue") { _ in SwiftLogNoOpLogHandler() }

  /// Runs the queue of a store until `body` has ended; `after` looks at what is left.
  private func run(
    _ world: World, limits: QueueLimits = QueueLimits(), routes: OutboundRoutes = OutboundRoutes(),
    before: (MailStore) async throws -> Void = { _ in }, _ body: (MailStore) async throws -> Void,
    after: (MailStore) async throws -> Void = { _ in }
  ) async throws {
    try await TemporaryStore.with(clock: world.wallClock) { store in
      let router = Router(store: store, hostname: Domain("here.test")!, unknown: .refuse, clock: world.wallClock)
      let reporter = DeliveryReporter(
        store: store, mail: OwnMail(store: store, router: router, keys: nil, clock: world.wallClock),
        hostname: Domain("here.test")!, clock: world.wallClock, logger: Self.logger)
      let runner = QueueRunner(
        store: store, router: router, routes: routes, transport: world, reporter: reporter, limits: limits,
        clock: world.wallClock, steadyClock: SteadyClock { .microseconds(world.clock.now.microseconds) },
        logger: Self.logger)
      try await before(store)
      let task = Task { await runner.run() }
      do {
        try await body(store)
      } catch {
        task.cancel()
        await task.value
        throw error
      }
      task.cancel()
      await task.value
      try await after(store)
    }
  }

  private func enqueue(
    _ addresses: String..., in store: MailStore, due: Timestamp, sender: String = "me@here.test",
    parameters: String = "", recipientParameters: String = ""
  ) async throws {
    let stage = store.stageBody(expectedSize: nil)
    try await stage.append(Array("Subject: hello\r\n\r\nHello.\r\n".utf8))
    let message = NewQueuedMessage(
      sender: EmailAddress(sender), parameters: parameters, notBefore: due,
      expires: due.advanced(by: .seconds(86_400)),
      recipients: addresses.map { text in
        let address = EmailAddress(text)!
        return NewQueuedRecipient(
          address: address, destination: address.domain.text, parameters: recipientParameters)
      })
    _ = try await store.deliver(
      try await stage.finish(), to: [], queued: [message], internalDate: DateTime(timestamp: due, offsetMinutes: 0))
  }

  private func arrived(_ count: Int, in world: World) async -> [String] {
    await world.activity.wait {
      let arrived = world.state.withLock { $0.arrived }
      return arrived.count >= count ? arrived : nil
    } ?? []
  }

  @Test func whatComesOneAfterTheOtherTakesOneSession() async throws {
    let world = World(living: ["live.test"])
    var limits = QueueLimits()
    limits.rest = .seconds(3_600)
    try await run(world, limits: limits) { store in
      for number in 1...5 {
        try await enqueue("a\(number)@live.test", in: store, due: world.clock.now)
        #expect(await arrived(number, in: world).last == "<a\(number)@live.test>")
      }
      #expect(await arrived(5, in: world).count == 5)
    }
    #expect(world.state.withLock { $0.sessions } == 1)
  }

  @Test func aSessionThatIsOverIsReplacedAndNothingIsLost() async throws {
    let world = World(living: ["live.test"], hangsUp: true)
    try await run(world) { store in
      for number in 1...5 {
        try await enqueue("a\(number)@live.test", in: store, due: world.clock.now)
        _ = await arrived(number, in: world)
      }
      #expect(await arrived(5, in: world).sorted() == (1...5).map { "<a\($0)@live.test>" })
    }
  }

  @Test func whatWasJustWrittenDoesNotWaitForABacklogThatHangs() async throws {
    let dead = Set((1...300).map { "d\($0).test" })
    let world = World(living: ["live.test"], hanging: dead)
    try await run(world) { store in
      let old = world.clock.now.advanced(by: .seconds(-60))
      for name in dead { try await enqueue("a@\(name)", in: store, due: old) }
      let limits = QueueLimits()
      let backlog = limits.destinations - limits.recentDestinations
      _ = await world.activity.wait { world.state.withLock { $0.asked.count } >= backlog ? true : nil }
      try await enqueue("a@live.test", in: store, due: world.clock.now)
      #expect(await arrived(1, in: world) == ["<a@live.test>"])
      #expect(world.state.withLock { $0.asked.count } == backlog + 1)
    }
  }

  @Test func whatTheEndCutsShortIsDueAtTheNextStart() async throws {
    let world = World(living: [], hanging: ["slow.test"])
    try await run(world) { store in
      try await enqueue("a@slow.test", in: store, due: world.clock.now)
      _ = await world.activity.wait { world.state.withLock { $0.asked.count } == 1 ? true : nil }
    } after: { store in
      let room = QueueRoom(reachable: 10, unreachable: 0)
      let look = try await store.look(atQueue: world.clock.now, without: [], room)
      #expect(look.destinations.map(\.name) == ["slow.test"])
      let waiting = try await store.dueDeliveries(
        for: "slow.test", at: world.clock.now, after: nil, without: [], limit: 10)
      #expect(waiting.flatMap(\.recipients).map(\.attempts) == [0])
    }
  }

  @Test func heldMailComesToItsMailboxAtItsTimeAndNotBefore() async throws {
    let world = World(living: [])
    try await run(world) { store in
      let account = try await bob(in: store)
      let release = world.clock.now.advanced(by: .seconds(86_400))
      try await hold(for: account, until: release, in: store, world)
      func count() async throws -> Int { try await inboxCount(of: account, in: store) }
      let room = QueueRoom(reachable: 10, unreachable: 10)
      #expect(try await store.look(atQueue: world.clock.now, without: [], room).next == release)
      #expect(try await count() == 0)
      // Somebody wakes the queue when the time has come: here the next message.
      world.clock.move(to: release)
      try await enqueue("a@dead.test", in: store, due: world.clock.now)
      while try await count() == 0 { await Task.yield() }
      #expect(try await count() == 1)
    }
  }

  @Test func heldMailThatCannotBeReadDoesNotKeepTheOthers() async throws {
    let world = World(living: [])
    let temporary = try await TemporaryStore(clock: world.wallClock)
    defer { temporary.removeFolder() }
    let store = temporary.store
    let account = try await bob(in: store)
    let release = world.clock.now.advanced(by: .seconds(60))
    // A large message has a file of its own.
    try await hold("first", size: 2 << 20, for: account, until: release, in: store, world)
    try await hold("second", for: account, until: release.advanced(by: .seconds(1)), in: store, world)
    let large = temporary.directory + "/large"
    let files = try FileManager.default.subpathsOfDirectory(atPath: large)
    for file in files { try FileManager.default.removeItem(atPath: large + "/" + file) }
    world.clock.move(to: release.advanced(by: .seconds(2)))
    let router = Router(store: store, hostname: Domain("here.test")!, unknown: .refuse, clock: world.wallClock)
    let held = HeldMail(
      store: store, router: router, schedule: RetrySchedule(), clock: world.wallClock, logger: Self.logger)
    await held.release()
    #expect(try await inboxCount(of: account, in: store) == 1)
    // It is tried again by itself, and given up in the end like any other.
    let destination = try await store.queuedDestination(HeldMail.destination)
    #expect(destination?.failures == 0)
    func waiting(after pause: Int) async throws -> [QueuedDelivery] {
      try await store.dueDeliveries(
        for: HeldMail.destination, at: world.clock.now.advanced(by: .seconds(pause)), after: nil, without: [], limit: 9)
    }
    #expect(try await waiting(after: 0).isEmpty)
    let later = try await waiting(after: 3_600)
    #expect(later.flatMap(\.recipients).map(\.attempts) == [1])
    #expect(later.first?.recipients.first.flatMap { DeliveryNote(decoding: $0.result) }?.action == .delayed)
    await temporary.remove()
  }

  private func bob(in store: MailStore) async throws -> AccountID {
    try await store.addDomain(Domain("here.test")!)
    return try await store.addAccount(EmailAddress("bob@here.test")!, secrets: [], quota: Quota())
  }

  /// A message for bob that is held back.
  private func hold(
    _ subject: String = "hello", size: Int = 0, for account: AccountID, until release: Timestamp, in store: MailStore,
    _ world: World
  ) async throws {
    let outgoing = OutgoingMail(schedule: RetrySchedule(), rewriting: nil, keys: nil, clock: world.clock.wallClock)
    let stage = store.stageBody(expectedSize: nil)
    let line = String(repeating: "x", count: 62) + "\r\n"
    let text = "Subject: \(subject)\r\n\r\n" + String(repeating: line, count: size / 64 + 1)
    try await stage.append(Array(text.utf8))
    let queued = outgoing.messages(
      for: [AcceptedRecipient(address: EmailAddress("bob@here.test")!, accounts: [account])],
      from: EmailAddress("me@here.test"), account: nil, MailParameters(), received: received(world), signature: [],
      release: release, isLocal: { _ in true })
    _ = try await store.deliver(
      try await stage.finish(), to: [], queued: queued,
      internalDate: DateTime(timestamp: world.clock.now, offsetMinutes: 0))
  }

  private func inboxCount(of account: AccountID, in store: MailStore) async throws -> Int {
    let inbox = try await store.mailbox(named: .inbox, of: account)
    guard let inbox else { return 0 }
    return try await store.index(of: inbox.id).uids.count
  }

  private func received(_ world: World) -> ReceivedField {
    ReceivedField(
      heloName: "phone", peer: "local", by: "here.test", with: "ESMTPSA", id: "1", recipient: nil, tls: nil,
      date: DateTime(timestamp: world.clock.now, offsetMinutes: 0))
  }

  @Test(arguments: [
    // BY, held for, given up after, warned after; seconds from now
    (nil, 0, 432_000, 14_400), ("BY=600;R", 0, 600, nil), ("BY=20000;R", 0, 20_000, 14_400),
    ("BY=600;N", 0, 432_000, 600), ("BY=-5;N", 0, 432_000, 14_400), ("BY=500000;N", 0, 432_000, 14_400),
    (nil, 1_000, 433_000, 15_400), ("BY=600;R", 1_000, 1_600, nil),
  ] as [(String?, Int, Int, Int?)])
  func timesOfAMessageFollowFromWhatWasAskedFor(by: String?, hold: Int, expires: Int, warns: Int?) throws {
    let now = Timestamp(seconds: 1_000_000)
    let parameters = try MailParameters(written: (by ?? "").utf8)
    let times = QueueTimes(
      parameters, RetrySchedule(), now: now, release: hold > 0 ? now.advanced(by: .seconds(hold)) : nil)
    #expect(times.notBefore == now.advanced(by: .seconds(hold)))
    #expect(times.expires == now.advanced(by: .seconds(expires)))
    #expect(times.warns == warns.map { now.advanced(by: .seconds($0)) })
    // What is left is counted from when the message came.
    let left = times.deliverBy?.remaining(at: now.advanced(by: .seconds(hold + 100)), since: now).seconds
    #expect(left == parameters.deliverBy.map { $0.seconds - 100 })
  }

  @Test(arguments: [
    // BY, NOTIFY, what the server offers, what is reported
    ("600;N", nil, [], .relayed), ("600;N", "FAILURE", [], .relayed), ("600;N", "NEVER", [], nil),
    ("600;N", nil, ["DELIVERBY"], nil), ("600;N", nil, ["DSN"], .relayed), ("-600;N", nil, ["DELIVERBY"], nil),
    ("600;NT", nil, ["DELIVERBY", "DSN"], .relayed), ("600;NT", "DELAY", ["DELIVERBY 900"], .relayed),
    ("600;NT", "NEVER", ["DELIVERBY", "DSN"], nil), ("600;RT", nil, ["DELIVERBY 60", "DSN"], .relayed),
    ("600;RT", "NEVER", ["DELIVERBY"], nil), ("600;R", nil, ["DELIVERBY"], nil), ("600;R", nil, [], .failed),
    ("600;RT", "DELAY", ["DSN"], nil), ("600;RT", nil, ["DELIVERBY 900"], .failed),
  ] as [(String, String?, [String], ReportAction?)])
  func whoNamesATimeIsToldWhereItIsNotPromisedAndOfEachStepOnRequest(
    by: String, notify: String?, offers: [String], expected: ReportAction?
  ) async throws {
    let world = World(living: ["live.test"])
    world.state.withLock { $0.offers = offers }
    try await TemporaryStore.with(clock: world.wallClock) { store in
      try await enqueue(
        "a@live.test", in: store, due: world.clock.now, parameters: " BY=\(by)",
        recipientParameters: notify.map { " NOTIFY=\($0)" } ?? "")
      let limits = QueueLimits()
      var places = QueuePlaces(limits, SteadyClock { .zero })
      let resting = RestingSessions(limits)
      let queue = DestinationQueue(
        try #require(try await store.queuedDestination("live.test")), store: store, transport: world, resting: resting,
        pace: places.take("live.test", isReachable: true), schedule: RetrySchedule(), limits: limits, signature: nil,
        clock: world.wallClock, logger: Self.logger)
      await queue.run()
      await resting.end()
      let later = world.clock.now.advanced(by: .seconds(3_600))
      let notes = try await store.dueReports(at: later, limit: 10).flatMap(\.recipients)
        .compactMap { DeliveryNote(decoding: $0.result) }
      #expect(notes.map(\.action) == [expected].compactMap(\.self))
      // With `R` it goes to nobody who does not promise to be in time.
      let isPromised = !by.contains("R") || offers.first == "DELIVERBY" || offers.first == "DELIVERBY 60"
      #expect(world.state.withLock { $0.messages } == (isPromised ? 1 : 0))
    }
  }

  @Test func manyMessagesForManyDestinationsArriveOnceEach() async throws {
    let names = (1...20).map { "d\($0).test" }
    let world = World(living: Set(names))
    try await run(world) { store in
      for number in 1...200 { try await enqueue("a\(number)@\(names[number % 20])", in: store, due: world.clock.now) }
      let arrived = await arrived(200, in: world)
      #expect(Set(arrived).count == 200)
      #expect(arrived.count == 200)
    }
  }

  @Test func serversThatSayNothingLeaveTheirPlacesHoweverManyTheyAre() async throws {
    // All of them fresh: nobody knows yet what they are like.
    let dead = (1...700).map { "d\($0).test" }
    let world = World(living: ["live.test"], hanging: Set(dead))
    let limits = QueueLimits()
    try await run(world, limits: limits) { store in
      for name in dead { try await enqueue("a@\(name)", in: store, due: world.clock.now) }
      func asked(_ count: Int) async {
        _ = await world.activity.wait {
          world.state.withLock { $0.asked.count { $0 != "live.test" } } >= count ? true : nil
        }
      }
      // Every place is taken by one that hangs, and each moment that goes by frees those of another lot.
      var count = limits.destinations
      await asked(count)
      for round in 1...4 {
        world.clock.move(to: world.clock.now.advanced(by: limits.patience))
        try await enqueue("a\(round)@live.test", in: store, due: world.clock.now)
        #expect(await arrived(round, in: world).last == "<a\(round)@live.test>")
        count = min(dead.count, count + limits.destinations - limits.recentDestinations)
        await asked(count)
      }
      // What has arrived is noted before the end, or it would count as tried.
      func waiting() async throws -> Int {
        try await store.dueDeliveries(for: "live.test", at: world.clock.now, after: nil, without: [], limit: 1).count
      }
      while try await waiting() > 0 { await Task.yield() }
    } after: { store in
      // Those that were put off for others count as not reached, and none of their messages as tried.
      let late = try await store.look(
        atQueue: world.clock.now.advanced(by: .seconds(400)), without: [], QueueRoom(reachable: 0, unreachable: 700))
      #expect(late.destinations.count >= 100)
      let waiting = try await store.queuedMessages(QueueFilter(), limit: 1_000).flatMap(\.recipients)
      #expect(waiting.count == 700)
      #expect(waiting.allSatisfy { $0.attempts == 0 })
    }
  }

  @Test func whatWasWrittenSecondsAgoLeavesPlacesForWhatIsWrittenNow() async throws {
    let dead = (1...300).map { "d\($0).test" }
    let world = World(living: ["live.test"], hanging: Set(dead))
    let limits = QueueLimits()
    try await run(world, limits: limits) { store in
      let before = world.clock.now.advanced(by: .seconds(-2))
      for name in dead { try await enqueue("a@\(name)", in: store, due: before) }
      let asked = limits.destinations - limits.newestDestinations
      _ = await world.activity.wait { world.state.withLock { $0.asked.count } >= asked ? true : nil }
      try await enqueue("a@live.test", in: store, due: world.clock.now)
      #expect(await arrived(1, in: world) == ["<a@live.test>"])
    }
  }

  @Test(arguments: ["MAIL", "RCPT", "DATA"])
  func aServerThatFallsSilentIsLetAloneAsAWhole(command: String) async throws {
    let world = World(living: ["live.test", "silent.test"])
    world.state.withLock { $0.silent["silent.test"] = command }
    try await run(world) { store in
      for number in 1...3 { try await enqueue("a\(number)@silent.test", in: store, due: world.clock.now) }
      _ = await world.activity.wait { world.state.withLock { $0.asked.contains("silent.test") } ? true : nil }
      try await enqueue("a@live.test", in: store, due: world.clock.now)
      #expect(await arrived(1, in: world) == ["<a@live.test>"])
      while try await store.queuedDestination("live.test") != nil { await Task.yield() }
      // The times of RFC 5321 go by.
      let end = world.clock.now.advanced(by: .seconds(3_600))
      while try await store.queuedDestination("silent.test")?.failures == 0 {
        if !world.clock.fireNext(until: end) { await Task.yield() }
      }
    } after: { store in
      let waiting = try await store.queuedMessages(QueueFilter(), limit: 10).flatMap(\.recipients)
      #expect(waiting.map(\.attempts).reduce(0, +) <= 1)
      #expect(waiting.count == 3)
    }
  }

  @Test func whatOneServerTakesIsOneMessageForAllDomainsAlsoIfItWasQueuedBefore() async throws {
    let world = World(living: ["/hub", "direct.test"])
    let hub = Transport(.server(MailServerPlace(.host("hub.test", port: 25), dialect: .smtp)))
    let routes = OutboundRoutes(
      transports: ["hub": hub],
      routes: [
        .init(to: [.exactly(Domain("direct.test")!)], transport: "direct"), .init(to: [.any], transport: "hub"),
      ])
    try await run(
      world, routes: routes,
      before: { store in
        try await enqueue("a@one.test", "b@two.test", "c@three.test", "d@direct.test", in: store, due: world.clock.now)
      }
    ) { store in
      #expect(
        await arrived(4, in: world).sorted() == ["<a@one.test>", "<b@two.test>", "<c@three.test>", "<d@direct.test>"])
      #expect(world.state.withLock { $0.messages } == 2)
    }
  }

  @Test(arguments: [86_400, -86_400, 31 * 86_400, -31 * 86_400])
  func aClockThatIsPutForwardOrBackMakesNothingComeBackStormOrSleep(seconds: Int) async throws {
    let world = World(living: ["live.test"])
    try await run(world) { store in
      try await enqueue("a@away.test", in: store, due: world.clock.now)
      while try await store.queuedDestination("away.test")?.failures == 0 { await Task.yield() }
      world.state.withLock {
        $0.living.insert("away.test")
        $0.offset = .seconds(seconds)
      }
      // Somebody else's message makes the runner look.
      let now = world.wallClock.now()
      try await enqueue("b@live.test", in: store, due: now)
      #expect(await arrived(1, in: world) == ["<b@live.test>"])
      let destination = try #require(try await store.queuedDestination("away.test"))
      let pause = destination.nextAttempt.microseconds - now.microseconds
      #expect((1...181).contains(pause / 1_000_000))
      #expect(world.state.withLock { $0.asked.count { $0 == "away.test" } } == 1)
      world.clock.move(to: world.clock.now.advanced(by: .seconds(181)))
      try await enqueue("c@live.test", in: store, due: world.wallClock.now())
      #expect(await arrived(3, in: world).sorted() == ["<a@away.test>", "<b@live.test>", "<c@live.test>"])
    }
  }
}
