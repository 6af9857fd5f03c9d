import Bytes
import Cryptography
package import DNS
package import Logging
package import MailStore
package import MessageFormat

/// Tells other domains once a day how TLS with their servers went, where they ask for it.  RFC 8460.
///
/// What ``TLSResultCounter`` has counted goes into the store every minute, so a crash loses the counts of a minute.
/// After the end of a day (UTC) each domain has its report at some moment of the next four hours.
package actor TLSReporter {
  /// Domains whose results of one day are kept.
  static let mostDomains = 10_000
  static let interval = Duration.seconds(60)
  /// RFC 8460 §4.1: not all servers of the world at once.
  static let longestDelay = 14_400
  /// RFC 8460 §5.5.
  static let triesFor = Duration.seconds(86_400)
  /// Questions and reports under way at once.
  private static let atOnce = 8
  private static let commitSize = 200

  private let store: MailStore
  private let counter: TLSResultCounter
  private let resolver: any Resolving
  private let mail: OwnMail
  private let upload: any TLSReportUploading
  private let submitter: @Sendable () -> TLSReport.Submitter
  private let clock: WallClock
  private let logger: Logger

  /// All that was counted before this is in the store.
  private var flushed = Timestamp.unixEpoch
  /// Which domains ask for reports, as far as it was found out on that day.
  private var asking: [DomainName: Bool] = [:]
  private var askingDay: UTCDay?
  /// Reports that could not be brought to all who want them.
  private var failures: [TransportResults.Key: (count: Int, next: Timestamp)] = [:]

  /// - Parameter submitter: asked anew for each report.
  package init(
    store: MailStore, counter: TLSResultCounter, resolver: any Resolving, mail: OwnMail,
    upload: any TLSReportUploading, submitter: @escaping @Sendable () -> TLSReport.Submitter, clock: WallClock,
    logger: Logger
  ) {
    self.store = store
    self.counter = counter
    self.resolver = resolver
    self.mail = mail
    self.upload = upload
    self.submitter = submitter
    self.clock = clock
    self.logger = logger
  }

  /// Until the task is cancelled.
  package func run() async {
    // Of a day of which something may not be in the store yet nothing is told.
    await flush()
    // A web server that does not answer must not keep what is counted.
    async let flushing: Void = everyInterval { await self.flush() }
    await report()
    await everyInterval { await self.report() }
    await flushing
  }

  private nonisolated func everyInterval(_ work: @Sendable () async -> Void) async {
    while (try? await Task.sleep(for: Self.interval)) != nil { await work() }
  }

  // MARK: What was counted

  /// Puts what was counted into the store, for domains that ask for reports.
  /// - Parameter looksUp: false: nobody is asked; what is not known yet is kept.
  package func flush(looksUp: Bool = true) async {
    let now = clock.now()
    let (tallies, lost) = counter.take()
    if lost > 0 { logger.warning("tls_results_lost", metadata: ["sessions": "\(lost)"]) }
    if looksUp { await findOut(Set(tallies.keys.map(\.domain)), on: UTCDay(of: now)) }
    do throws(StoreError) {
      try await keep(tallies.filter { asking[$0.key.domain] ?? true })
    } catch {
      logger.error("tls_results_not_kept", metadata: ["error": "\(error)"])
    }
    flushed = max(flushed, now)
  }

  private func keep(_ tallies: [TLSResultCounter.Key: TLSTally]) async throws(StoreError) {
    var counts: [UTCDay: Int] = [:]
    var changed: [TransportResults] = []
    for (key, tally) in tallies {
      var whole = tally
      let storeKey = TransportResults.Key(day: key.day.number, domain: key.domain.text)
      if let known = try await store.transportResults(storeKey) {
        if let before = TLSTally(decoding: known.results, domain: key.domain) {
          whole = before
          whole.merge(tally)
        }
      } else {
        var count = counts[key.day] ?? 0
        if count == 0 { count = try await store.transportResultsCount(of: key.day.number) }
        guard count < Self.mostDomains else { continue }
        counts[key.day] = count + 1
      }
      changed.append(TransportResults(storeKey, results: whole.encoded))
      if changed.count == Self.commitSize {
        try await store.setTransportResults(changed)
        changed = []
      }
    }
    if !changed.isEmpty { try await store.setTransportResults(changed) }
  }

  /// Which of them ask for reports; each is asked once a day.
  private func findOut(_ domains: Set<DomainName>, on day: UTCDay) async {
    if askingDay != day || asking.count > 2 * Self.mostDomains { (asking, askingDay) = ([:], day) }
    await severalAtOnce(domains.filter { asking[$0] == nil }) { domain in
      switch await self.lookUp(domain) {
      case .record: await self.learn(domain, asks: true)
      case .none: await self.learn(domain, asks: false)
      case .unanswered: break
      }
    }
  }

  private func learn(_ domain: DomainName, asks: Bool) { asking[domain] = asks }

  private enum Lookup {
    case record(TLSReportingRecord)
    case none
    case unanswered(ResolutionError)
  }

  private nonisolated func lookUp(_ domain: DomainName) async -> Lookup {
    guard let name = domain.prefixed(by: "_smtp._tls") else { return .none }
    do throws(ResolutionError) {
      let answer = try await resolver.records(TextRecord.self, at: name)
      return TLSReportingRecord(answer.records).map { .record($0) } ?? .none
    } catch {
      return .unanswered(error)
    }
  }

  // MARK: Reports

  /// Sends what is due.
  func report() async {
    let now = clock.now()
    let keys: [TransportResults.Key]
    do throws(StoreError) {
      keys = try await store.transportResults(before: UTCDay(of: now).number, limit: 2 * Self.mostDomains)
    } catch {
      if error != .closed { logger.error("tls_reports_unreadable", metadata: ["error": "\(error)"]) }
      return
    }
    let known = Set(keys)
    failures = failures.filter { known.contains($0.key) }
    let due = keys.filter { key in
      UTCDay(number: key.day).end <= flushed && max(sendTime(of: key), failures[key]?.next ?? .unixEpoch) <= now
    }
    await severalAtOnce(due) { key in await self.report(key) }
  }

  /// The same whenever it is asked, and another for each server and domain.
  private nonisolated func sendTime(of key: TransportResults.Key) -> Timestamp {
    let random = digest(Array("\(submitter().hostname) \(key.domain) \(key.day)".utf8), .sha256)
    let number = random.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    return UTCDay(number: key.day).end.advanced(by: .seconds(1 + number % Self.longestDelay))
  }

  private func report(_ key: TransportResults.Key) async {
    do throws(StoreError) {
      guard let kept = try await store.transportResults(key), let domain = DomainName(key.domain),
        let tally = TLSTally(decoding: kept.results, domain: domain)
      else { return try await store.removeTransportResults(key) }
      guard clock.now() < sendTime(of: key).advanced(by: Self.triesFor) else {
        log(.notice, "tls_report_given_up", key)
        return try await store.removeTransportResults(key)
      }
      switch await lookUp(domain) {
      case .none: return try await store.removeTransportResults(key)
      case .unanswered(let error):
        log(.notice, "tls_report_waits", key, ["reason": "\(error)"])
        putOff(key)
      case .record(let record):
        let report = TLSReport(tally, of: UTCDay(number: key.day), from: submitter())
        var isDone = true
        for recipient in record.recipients where !kept.told.contains(recipient.description) {
          if try await !bring(report, to: recipient, key) { isDone = false }
        }
        if isDone { try await store.removeTransportResults(key) } else { putOff(key) }
      }
    } catch {
      if error != .closed { log(.error, "tls_report_failed", key, ["error": "\(error)"]) }
      putOff(key)
    }
  }

  /// False where it is to be tried again.
  private func bring(
    _ report: TLSReport, to recipient: TLSReportingRecord.Recipient, _ key: TransportResults.Key
  ) async throws(StoreError) -> Bool {
    var progress = QueueProgress()
    progress.told = [(key, recipient.description)]
    let to: Logger.Metadata = ["to": "\(recipient)"]
    switch recipient {
    case .mail(let address):
      // RFC 8460 §3: nobody may look at one without a signature.
      guard mail.signs(for: report.submitter.contact.domain) else {
        log(.notice, "tls_report_unsigned", key, to) {
          $0["hint"] = "martlet domain dkim \(report.submitter.contact.domain)"
        }
        return false
      }
      let letter = report.letter(
        to: address, token: hexadecimal(randomBytes(12)),
        date: DateTime(timestamp: clock.now(), offsetMinutes: 0))
      var schedule = RetrySchedule()
      schedule.givesUpAfter = Self.triesFor
      schedule.warnsAfter = nil
      guard try await mail.send(letter, schedule, progress: progress) else {
        log(.notice, "tls_report_undeliverable", key, to)
        return true
      }
    case .web(let url):
      do throws(TLSReportUploadError) {
        try await upload.upload(report.file, to: url)
      } catch {
        log(.notice, "tls_report_waits", key, to) { $0["reason"] = "\(error)" }
        return false
      }
      try await store.note(progress)
    }
    log(.info, "tls_report", key, to) {
      $0["successes"] = "\(report.successes)"
      $0["failures"] = "\(report.failures)"
    }
    return true
  }

  private func putOff(_ key: TransportResults.Key) {
    let count = (failures[key]?.count ?? 0) + 1
    var schedule = RetrySchedule()
    schedule.firstPause = .seconds(300)
    let pause = schedule.pause(after: count, random: Double.random(in: 0...1))
    failures[key] = (count, clock.now().advanced(by: pause))
  }

  private nonisolated func log(
    _ level: Logger.Level, _ event: Logger.Message, _ key: TransportResults.Key, _ more: Logger.Metadata = [:],
    _ add: (inout Logger.Metadata) -> Void = { _ in }
  ) {
    var metadata = more
    metadata["domain"] = "\(key.domain)"
    metadata["day"] = "\(UTCDay(number: key.day))"
    add(&metadata)
    logger.log(level: level, event, metadata: metadata)
  }

  /// In the order of `items`, some at a time.
  private nonisolated func severalAtOnce<Item: Sendable>(
    _ items: some Sequence<Item>, _ work: @escaping @Sendable (Item) async -> Void
  ) async {
    await withTaskGroup(of: Void.self) { group in
      var rest = items.makeIterator()
      for _ in 0..<Self.atOnce {
        guard let item = rest.next() else { break }
        group.addTask { await work(item) }
      }
      while await group.next() != nil {
        if let item = rest.next(), !Task.isCancelled { group.addTask { await work(item) } }
      }
    }
  }
}
