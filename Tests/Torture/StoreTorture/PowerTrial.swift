import Foundation
import Logging
import MailStore
import MessageFormat

/// Cuts the power of a store under load, again and again on what each cut has left, and looks each time whether all
/// that was acknowledged is there.
package struct PowerTrial {
  package struct Plan: Sendable {
    package var seed: UInt64
    /// The power fails this many times,
    package var cuts: Int
    /// or until then.
    package var deadline: ContinuousClock.Instant?
    package var workers = 4
    /// Operations of the disk between two cuts, at most.
    package var operations = 300
    /// In every second life the disk fails now and then.
    package var hasFaults = true

    package init(seed: UInt64, cuts: Int = .max, deadline: ContinuousClock.Instant? = nil) {
      self.seed = seed
      self.cuts = cuts
      self.deadline = deadline
    }
  }

  static let domain = Domain("example.test")!
  private static let accounts = 3
  /// After one cut in so many, what it left is made again from the packs.
  private static let livesToRebuild = 5
  /// What a disk that failed may leave: files of changes that never came to be, where no power cut brings order.
  private static let leftovers: Set<StoreFinding.Kind> = [.packUnknown, .fileUnknown]
  /// Texts looked for after a cut.
  private static let searches = 3

  private static var options: StoreOptions {
    var options = StoreOptions(logger: Logger(label: "torture") { _ in SwiftLogNoOpLogHandler() })
    // Small, so that all of it happens often: new packs, bodies of their own, bodies through the spool.
    options.packSize = 40_000
    options.largeBodyThreshold = 7_000
    options.stagingBudget = 16_000
    options.searchIndexDelay = .milliseconds(1)
    return options
  }

  private let plan: Plan
  /// What cuts leave is put into folders of this one.
  private let folder: String
  private var random: SeededGenerator
  private var image = DiskImage()
  private var workers: [Worker]
  private var floors: [MailboxID: Mailbox] = [:]
  /// Whether one was ever said to be made.
  private var hasBackup = false
  /// Whether the disk has ever failed.
  private var hasFailed = false
  private var report = PowerReport()

  private init(_ plan: Plan, in folder: String) {
    self.plan = plan
    self.folder = folder
    random = SeededGenerator(seed: plan.seed)
    workers = []
    for number in 0..<plan.workers { workers.append(Worker(number: number, seed: random.next())) }
  }

  /// Throws a `Violation`; the folder then holds what the store was opened on.
  package static func run(
    _ plan: Plan, in folder: String, progress: (PowerReport) -> Void = { _ in }
  ) async throws -> PowerReport {
    var trial = PowerTrial(plan, in: folder)
    while trial.report.cuts < plan.cuts, plan.deadline.map({ .now < $0 }) ?? true {
      do {
        try await trial.live()
      } catch let violation as Violation {
        throw Violation("seed \(plan.seed), life \(trial.report.cuts + 1): \(violation)")
      }
      trial.report.cuts += 1
      progress(trial.report)
    }
    return trial.report
  }

  /// From power on to power off.
  private mutating func live() async throws {
    let root = "\(folder)/\(report.cuts)"
    try image.write(to: root)
    let cut = random.oneIn(2) ? random.spread(upTo: plan.operations) : .random(in: 1...plan.operations, using: &random)
    let disk = SimulatedDisk(image, root: root, seed: random.next(), cutAt: cut)
    let upkeep: Upkeep =
      [.none, .none, .backingUp(to: "\(root)/backup"), .purging, .compacting].randomElement(using: &random) ?? .none
    let mayBePurged = upkeep.purges
    let faults = plan.hasFaults && random.oneIn(2) ? DiskFaults(seed: random.next()) : nil
    if faults != nil, random.oneIn(4) { disk.setFaults(faults) }
    if let store = try await open(root, disk, keepDeleted: mayBePurged ? .zero : .seconds(1 << 30)) {
      if disk.hasFailed { hasFailed = true }
      try await check(store)
      if hasBackup { try await checkBackup(root) }
      for number in workers.indices { workers[number].mayBePurged = mayBePurged }
      disk.setFaults(faults)
      try await work(store, disk, upkeep)
      await store.close()
    } else {
      report.cutsWhileOpening += 1
    }
    image = disk.cut()
    if disk.hasFailed { hasFailed = true }
    try FileManager.default.removeItem(atPath: root)
    if report.cuts % Self.livesToRebuild == 0 { try await rebuild() }
  }

  /// Nil where the power failed first.
  private mutating func open(
    _ root: String, _ disk: SimulatedDisk, keepDeleted: Duration
  ) async throws -> MailStore? {
    var options = Self.options
    options.keepDeleted = keepDeleted
    options.fault = { disk.perform($0) }
    do throws(StoreError) {
      do throws(StoreError) {
        return try await MailStore.open(at: root + "/store", options: options)
      } catch {
        if disk.remains != nil { return nil }
        guard disk.hasFailed else { throw error }
        // It may refuse to open a disk that fails; once that is over it must.
        disk.setFaults(nil)
        return try await MailStore.open(at: root + "/store", options: options)
      }
    } catch {
      if disk.remains != nil { return nil }
      throw Violation("the store does not open: \(error)")
    }
  }

  private mutating func work(_ store: MailStore, _ disk: SimulatedDisk, _ upkeep: Upkeep) async throws {
    do throws(StoreError) {
      if !store.directory.isLocal(Self.domain) { try await store.addDomain(Self.domain) }
      while store.directory.accounts.count < Self.accounts {
        let address = EmailAddress(localPart: "user\(store.directory.accounts.count)", domain: Self.domain)
        _ = try await store.addAccount(address, secrets: [StoredSecret("hash")], quota: Quota())
      }
    } catch {
      guard disk.remains != nil || disk.hasFailed else { throw Violation("no accounts can be made: \(error)") }
      return
    }
    // What other sessions were shown counts as much as what the one who asked was told.
    let feeds = store.directory.accounts.map { store.subscribe(to: $0.id) {} }
    // Now and then the store has time to close.
    let changes = random.oneIn(3) ? random.spread(upTo: 20) : plan.operations
    async let backups = upkeep.run(store, disk)
    workers = try await withThrowingTaskGroup(of: Worker.self) { group in
      for worker in workers {
        group.addTask {
          var worker = worker
          try await worker.work(store, disk, changes: changes)
          return worker
        }
      }
      var ended: [Worker] = []
      for try await worker in group { ended.append(worker) }
      return ended.sorted { $0.number < $1.number }
    }
    let made = try await backups
    report.backups += made
    if made > 0 { hasBackup = true }
    for change in feeds.flatMap({ $0.drain() }) { raiseFloor(change) }
  }

  // MARK: Checks

  private mutating func raiseFloor(_ change: Change) {
    switch change {
    case .appended(let mailbox, let states), .flagged(let mailbox, let states):
      for state in states { floors[mailbox]?.rise(uidNext: state.uid.rawValue + 1, state.modSequence) }
    case .expunged(let mailbox, _, let modSequence): floors[mailbox]?.rise(uidNext: 1, modSequence)
    case .mailboxDeleted(let mailbox): floors[mailbox] = nil
    case .mailboxList, .lagged: break
    }
  }

  private mutating func check(_ store: MailStore) async throws {
    try await verify(store, allowsLeftovers: hasFailed)
    let contents = try await StoreContents.read(store, isQuiet: true)
    for mailbox in contents.mailboxes {
      if let floor = floors[mailbox.id] {
        guard mailbox.uidValidity == floor.uidValidity, mailbox.uidNext >= floor.uidNext,
          mailbox.highestModSequence >= floor.highestModSequence
        else { throw Violation("\(mailbox.name) was \(floor), is \(mailbox)") }
      }
    }
    for number in workers.indices { workers[number].accept(try found(workers[number], contents)) }
    for number in contents.holdings.keys where !workers.indices.contains(number) {
      throw Violation("there is something of a worker \(number)")
    }
    floors = Dictionary(uniqueKeysWithValues: contents.mailboxes.map { ($0.id, $0) })
    try await search(store, contents)
    report.acknowledged = workers.reduce(0) { $0 + $1.acknowledged }
    report.refused = workers.reduce(0) { $0 + $1.refused }
  }

  private func verify(_ store: MailStore, allowsLeftovers: Bool) async throws {
    let findings = try await store.verify(VerificationOptions(isThorough: true)).findings
      .filter { !(allowsLeftovers && Self.leftovers.contains($0.kind)) }
    guard findings.isEmpty else {
      throw Violation(findings.map { "\($0.kind): \($0.subject): \($0.text)" }.joined(separator: "; "))
    }
  }

  /// The search index may be behind, and leaves nothing out.
  private mutating func search(_ store: MailStore, _ contents: StoreContents) async throws {
    let places = contents.holdings.values.flatMap { $0.messages.flatMap { message, places in places.map { (message, $0) } } }
    for _ in 0..<Self.searches {
      guard let (message, place) = places.randomElement(using: &random), let mailbox = place.mailbox,
        let uid = place.uid
      else { return }
      report.searches += 1
      let found = try await store.candidates(for: .contains(Array(message.name.utf8)), in: mailbox)
      guard found?.contains(uid) ?? true else { throw Violation("a search for \(message.name) does not find it") }
    }
  }

  /// The last backup that was made, or a later one of which nobody was told, is whole.
  private func checkBackup(_ root: String) async throws {
    let copy = "\(folder)/backup"
    try? FileManager.default.removeItem(atPath: copy)
    do {
      try FileManager.default.copyItem(atPath: "\(root)/backup", toPath: copy)
    } catch {
      throw Violation("the backup is gone: \(error)")
    }
    let store = try await MailStore.open(at: copy, options: Self.options)
    // Of backups that were interrupted.
    try await verify(store, allowsLeftovers: true)
    _ = try await StoreContents.read(store, isQuiet: true)
    await store.close()
    try FileManager.default.removeItem(atPath: copy)
  }

  /// What the cut has left is the same without `store.db`.
  private mutating func rebuild() async throws {
    let root = "\(folder)/rebuilt"
    try? FileManager.default.removeItem(atPath: root)
    try image.write(to: root)
    guard image.files["store/store.db"] != nil else { return }
    let store = try await MailStore.open(at: root + "/store", options: Self.options)
    let expected = try await StoreContents.read(store, isQuiet: true)
    await store.close()
    guard try !FileManager.default.contentsOfDirectory(atPath: root + "/store/packs").isEmpty else { return }
    try FileManager.default.removeItem(atPath: root + "/store/store.db")
    let repair = try await StoreRepair.prepare(at: root + "/store", options: Self.options)
    try await repair.perform()
    let plan = repair.plan
    // A disk that failed may leave a large file, of which the plan takes note.
    guard plan.source == .packs, plan.damages.isEmpty, plan.notes.isEmpty || hasFailed, plan.lostCount == 0 else {
      throw Violation("without store.db: \(plan)")
    }
    let again = try await MailStore.open(at: root + "/store", options: Self.options)
    let found = try await StoreContents.read(again, isQuiet: true)
    try await verify(again, allowsLeftovers: hasFailed)
    await again.close()
    if let difference = found.difference(from: expected) { throw Violation("rebuilt from packs: \(difference)") }
    try FileManager.default.removeItem(atPath: root)
    report.rebuilt += 1
  }

  /// What there is of a worker's, once it is found to be what it should be.
  private mutating func found(_ worker: Worker, _ contents: StoreContents) throws -> Holdings {
    let found = contents.holdings[worker.number] ?? Holdings()
    let validities = Dictionary(uniqueKeysWithValues: contents.mailboxes.map { ($0.id, $0) })
    for (message, places) in found.messages {
      for place in places {
        guard let mailbox = place.mailbox, let uid = place.uid, let row = validities[mailbox] else { continue }
        if let owner = worker.owners[mailbox]?[uid], owner != message {
          throw Violation("UID \(uid.rawValue) of \(row.name) was \(owner.name) and is \(message.name)")
        }
        report.messages += 1
      }
    }
    for (mailbox, uids) in worker.owners {
      guard let row = validities[mailbox], let last = uids.keys.max() else { continue }
      guard row.uidNext > last else { throw Violation("UIDNEXT of \(row.name) is not above \(last.rawValue)") }
    }
    let difference = found.difference(from: worker.holdings, mayBePurged: worker.mayBePurged)
    guard let intended = worker.intended else {
      if let difference { throw Violation("worker \(worker.number): \(difference)") }
      return found
    }
    if difference == nil {
      report.undone += 1
    } else if let other = found.difference(from: intended, mayBePurged: worker.mayBePurged) {
      throw Violation(
        "worker \(worker.number): \(difference ?? ""); or, if the change in hand has happened, \(other)")
    } else {
      report.happened += 1
    }
    return found
  }
}

extension Mailbox {
  fileprivate mutating func rise(uidNext: UInt32, _ modSequence: ModSequence) {
    self.uidNext = max(self.uidNext, UID(rawValue: uidNext))
    highestModSequence = max(highestModSequence, modSequence)
  }
}
