import Cryptography
import DKIM
import DNS
import HTTPSClient
import Logging
import MailStore
import MessageFormat
import SMTP
import Synchronization
import TestSupport
import Testing

@testable import Delivery

/// Takes reports or does not.
private final class Web: TLSReportUploading {
  private let state = Mutex<(isDown: Bool, taken: [String], tries: Int)>((false, [], 0))
  var isDown: Bool {
    get { state.withLock { $0.isDown } }
    set { state.withLock { $0.isDown = newValue } }
  }
  var taken: [String] { state.withLock { $0.taken } }
  var tries: Int { state.withLock { $0.tries } }

  func upload(_ file: [UInt8], to url: HTTPSURL) async throws(TLSReportUploadError) {
    let isDown = state.withLock { state in
      state.tries += 1
      if !state.isDown { state.taken.append("\(url)") }
      return state.isDown
    }
    if isDown { throw TLSReportUploadError("it is down") }
  }
}

/// A reporter of `ours.test` on a clock of its own. It begins in the middle of a day.
private struct World {
  let clock: FakeClock
  let resolver = FakeResolver([
    "_smtp._tls.both.test": [.txt("v=TLSRPTv1; rua=mailto:tls@both.test,https://web.test/v1")],
    "_smtp._tls.mail.test": [.txt("v=TLSRPTv1; rua=mailto:tls@mail.test")],
  ])
  let web = Web()
  let store: MailStore
  let counter: TLSResultCounter
  let keys: DomainKeys
  let reporter: TLSReporter

  static func with(_ body: (World) async throws -> Void) async throws {
    let clock = FakeClock()
    try await TemporaryStore.with(clock: clock.wallClock) { store in
      try await store.addDomain(Domain("ours.test")!)
      try await body(World(store, clock))
    }
  }

  init(_ store: MailStore, _ clock: FakeClock) {
    self.clock = clock
    let logger = Logger(label: "reports") { _ in SwiftLogNoOpLogHandler() }
    self.store = store
    counter = TLSResultCounter(clock: clock.wallClock)
    keys = DomainKeys(store: store, resolver: resolver, clock: clock.wallClock, logger: logger)
    let router = Router(store: store, hostname: Domain("mail.ours.test")!, unknown: .refuse, clock: clock.wallClock)
    reporter = TLSReporter(
      store: store, counter: counter, resolver: resolver,
      mail: OwnMail(store: store, router: router, keys: keys, clock: clock.wallClock), upload: web,
      submitter: {
        TLSReport.Submitter(
          contact: EmailAddress("reports@ours.test")!, organization: "Ours", hostname: Domain("mail.ours.test")!)
      }, clock: clock.wallClock, logger: logger)
  }

  /// The keys of `ours.test` are in DNS.
  func publishKeys() async throws {
    for key in try await keys.keys(of: Domain("ours.test")!, replaces: false) {
      resolver.set(key.record.name, [.txt(key.record.text)])
    }
    _ = try await keys.keys(of: Domain("ours.test")!, replaces: false)
    #expect(keys.identifiers(for: Domain("ours.test")!).count == 2)
  }

  func count(_ domains: String...) {
    for text in domains {
      let domain = DomainName(text)!
      counter.count(
        TLSResult(policy: TLSResult.Policy(kind: .none, domain: domain), host: domain, failure: nil), for: domain)
    }
  }

  /// A look at what is due, as there is one every minute.
  func look() async {
    await reporter.flush()
    await reporter.report()
  }

  func pass(hours: Double) { clock.move(to: clock.now.advanced(by: .seconds(hours * 3_600))) }

  func kept() async throws -> [String] {
    try await store.transportResults(before: 100_000, limit: 100).map { "\($0.domain)" }
  }

  /// Reports in the queue: whom they are for, and under which destination.
  func queued() async throws -> [String] {
    try await store.queuedMessages(QueueFilter(), limit: 100).flatMap(\.recipients)
      .map { "\($0.address) \($0.destination)" }
  }
}

@Suite struct TLSReporterTests {
  @Test("A day is reported within four hours of its end, once, and then forgotten")
  func aDay() async throws {
    try await World.with { world in
      try await world.publishKeys()
      world.count("both.test", "mail.test", "both.test")
      await world.look()
      // The last second of the day.
      world.pass(hours: 12)
      world.clock.move(to: UTCDay(of: world.clock.now).start.advanced(by: .milliseconds(-1)))
      await world.look()
      #expect(try await world.queued().isEmpty)
      #expect(world.web.tries == 0)
      #expect(try await world.kept() == ["both.test", "mail.test"])

      world.pass(hours: 4.01)
      await world.look()
      #expect(
        try await world.queued().sorted() == ["tls@both.test both.test;tls=any", "tls@mail.test mail.test;tls=any"])
      #expect(world.web.taken == ["https://web.test/v1"])
      #expect(try await world.kept().isEmpty)
      let message = try #require(try await world.store.queuedMessages(QueueFilter(), limit: 1).first).message
      #expect(message.sender == nil)
      let text = String(
        decoding: try await world.store.read(message.content, range: 0..<message.content.size), as: UTF8.self)
      #expect(text.split(separator: "DKIM-Signature: ").count == 2 && text.contains("tls-report-domain"))
      for _ in 0..<30 {
        world.pass(hours: 1)
        await world.look()
      }
      #expect(try await world.queued().count == 2)
      #expect(world.web.tries == 1)
      // An administrator finds them by their domain.
      let found = try await world.store.queuedMessages(QueueFilter(domain: "mail.test"), limit: 10)
      #expect(found.count == 1)
    }
  }

  @Test("The servers of the world do not all report in the same moment")
  func spread() async throws {
    try await World.with { world in
      for number in 0..<40 {
        world.resolver.set("_smtp._tls.d\(number).test", [.txt("v=TLSRPTv1; rua=https://web.test/\(number)")])
        world.count("d\(number).test")
      }
      await world.look()
      let midnight = UTCDay(of: world.clock.now).end
      world.clock.move(to: midnight)
      await world.look()
      #expect(world.web.taken.isEmpty)
      var taken: [Int] = []
      for hour in 1...4 {
        world.clock.move(to: midnight.advanced(by: .seconds(3_600 * hour)))
        await world.look()
        taken.append(world.web.taken.count)
      }
      #expect(taken.last == 40 && Set(taken).count == 4, "\(taken)")
    }
  }

  @Test("Who asks for nothing has nothing kept, and who stops asking has it forgotten")
  func whoAsks() async throws {
    try await World.with { world in
      try await world.publishKeys()
      world.count("silent.test", "mail.test")
      await world.reporter.flush()
      #expect(try await world.kept() == ["mail.test"])
      // Each is asked once a day, and anew the next.
      world.count("silent.test", "mail.test")
      let asked = world.resolver.asked.count
      await world.reporter.flush()
      #expect(world.resolver.asked.count == asked)
      world.resolver.remove("_smtp._tls.mail.test")
      world.pass(hours: 17)
      await world.look()
      #expect(try await world.queued().isEmpty)
      #expect(try await world.kept().isEmpty)
    }
  }

  @Test("What DNS does not answer for is kept until it does")
  func silence() async throws {
    try await World.with { world in
      try await world.publishKeys()
      world.resolver.fail("_smtp._tls.mail.test", .txt, .timedOut)
      world.count("mail.test")
      await world.look()
      #expect(try await world.kept() == ["mail.test"])
      world.pass(hours: 17)
      await world.look()
      #expect(try await world.queued().isEmpty)
      world.resolver.fail("_smtp._tls.mail.test", .txt, nil)
      await world.look()
      #expect(try await world.queued().isEmpty, "it is asked again after some minutes")
      world.pass(hours: 0.2)
      await world.look()
      #expect(try await world.queued() == ["tls@mail.test mail.test;tls=any"])
    }
  }

  @Test("A web server that is down is tried for a day, and the mail goes out once meanwhile")
  func down() async throws {
    try await World.with { world in
      try await world.publishKeys()
      world.web.isDown = true
      world.count("both.test")
      await world.look()
      world.pass(hours: 16.01)
      await world.look()
      #expect(try await world.queued().count == 1)
      #expect(world.web.tries == 1)
      for _ in 0..<(8 * 60) {
        world.pass(hours: 1 / 60)
        await world.look()
      }
      #expect((5...8).contains(world.web.tries), "\(world.web.tries)")
      #expect(try await world.queued().count == 1)
      world.web.isDown = false
      world.pass(hours: 5)
      await world.look()
      #expect(world.web.taken == ["https://web.test/v1"])
      #expect(try await world.kept().isEmpty)
      #expect(try await world.queued().count == 1)
    }
  }

  @Test("What nobody could be told within a day is given up")
  func givenUp() async throws {
    try await World.with { world in
      world.web.isDown = true
      world.count("both.test", "mail.test")
      await world.look()
      world.pass(hours: 16.01)
      await world.look()
      // Without keys there is no signature, and without that nobody may read it.
      let (queued, kept) = (try await world.queued(), try await world.kept())
      #expect(queued.isEmpty && kept.count == 2)
      world.pass(hours: 24)
      await world.look()
      #expect(try await world.kept().isEmpty)
      #expect(try await world.queued().isEmpty)
      #expect(world.web.tries == 1)
    }
  }

  @Test("What a second reporter finds in the store goes on where the first has ended")
  func restart() async throws {
    try await World.with { world in
      world.count("mail.test")
      await world.reporter.flush()
      world.count("mail.test", "new.test")
      // At the end nobody is asked any more.
      await world.reporter.flush(looksUp: false)
      #expect(try await world.kept() == ["mail.test", "new.test"])
      let key = TransportResults.Key(day: UTCDay(of: world.clock.now).number, domain: "mail.test")
      let kept = try #require(try await world.store.transportResults(key))
      let tally = try #require(TLSTally(decoding: kept.results, domain: DomainName("mail.test")!))
      #expect(tally.entries.map(\.successes) == [2])
      let second = World(world.store, world.clock)
      try await second.publishKeys()
      second.pass(hours: 17)
      await second.look()
      #expect(try await second.queued().count == 1)
      #expect(try await second.kept().isEmpty)
    }
  }

  @Test("What is counted between two visits is bounded")
  func bounded() async throws {
    let counter = TLSResultCounter(clock: FakeClock().wallClock)
    for number in 0..<10_100 {
      let domain = DomainName("d\(number).test")!
      counter.count(
        TLSResult(policy: TLSResult.Policy(kind: .none, domain: domain), host: domain, failure: nil), for: domain)
    }
    let (tallies, lost) = counter.take()
    #expect(tallies.count == 10_000 && lost == 100)
    #expect(counter.take().tallies.isEmpty)
  }
}
