package import Logging
package import MailStore
package import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is done with the store as a whole.
extension Administration {
  /// Beside a server that works, when nobody asks for more or less.
  private static let octetsPerSecond: Int64 = 32 << 20

  func verifyStore(
    isThorough: Bool, octetsPerSecond: Int64?, _ progress: @escaping ProgressHandler
  ) async throws(Refusal) -> AdministrativeReply {
    let options = VerificationOptions(
      isThorough: isThorough || isAlone, octetsPerSecond: octetsPerSecond ?? (isAlone ? nil : Self.octetsPerSecond))
    let report = try await stored("the store") { () throws(StoreError) in
      try await store.verify(options, progress: progress)
    }
    logger.notice(
      "store_verified", metadata: ["findings": "\(report.counts.values.reduce(0, +))", "damage": "\(report.hasDamage)"])
    return .verification(report)
  }

  /// Who asks for it wants the room back: packs too that are not mostly dead.
  private static let deadPercentWhenAsked: Int64 = 25

  func compactStore(
    octetsPerSecond: Int64?, _ progress: @escaping ProgressHandler
  ) async throws(Refusal) -> AdministrativeReply {
    let options = CompactionOptions(
      deadPercent: Self.deadPercentWhenAsked,
      octetsPerSecond: octetsPerSecond ?? (isAlone ? nil : Self.octetsPerSecond))
    let report: CompactionReport
    do throws(StoreError) {
      report = try await store.compact(options, progress: progress)
    } catch .deviceFull {
      throw Refusal("the store: there is no space left to write what is still needed of a pack; nothing is lost")
    } catch {
      throw Refusal("the store: \(error.inWords)")
    }
    logger.notice("store_compacted", metadata: report.logMetadata)
    return .compaction(report)
  }

  func backUpStore(
    to directory: String, verifies: Bool, octetsPerSecond: Int64?, _ progress: @escaping ProgressHandler
  ) async throws(Refusal) -> AdministrativeReply {
    let options = BackupOptions(
      verifies: verifies, octetsPerSecond: octetsPerSecond, version: martletVersion, hostname: machineName())
    let report: BackupReport
    do throws(StoreError) {
      report = try await store.backUp(to: directory, options: options, progress: progress)
    } catch .deviceFull {
      throw Refusal("backup to \(directory): there is no space left; the backup of before is as good as it was")
    } catch {
      throw Refusal("backup to \(directory): \(error.inWords)")
    }
    logger.notice(
      "store_backed_up",
      metadata: [
        "directory": "\(report.directory)", "messages": "\(report.messages)", "octets": "\(report.octets)",
        "copied": "\(report.copiedOctets)", "sound": "\(report.isSound)",
      ])
    return .backup(report)
  }

  func restoreMessages(
    _ text: RestoreText, from directory: String, _ progress: @escaping ProgressHandler
  ) async throws(Refusal) -> AdministrativeReply {
    let address = try address(text.account)
    let selection = RestoreSelection(
      account: address, mailbox: try text.mailbox.map(mailboxName), uid: text.uid.map { UID(rawValue: $0) },
      destination: try text.destination.map(mailboxName), isDryRun: text.isDryRun)
    let report: RestoreReport
    do throws(StoreError) {
      report = try await store.restore(selection, from: directory, progress: progress)
    } catch {
      switch error {
      case .accountNotFound: throw Refusal("the backup has no account \(address)")
      case .mailboxNotFound: throw Refusal("the backup has no mailbox \(text.mailbox ?? "") of \(address)")
      case .messageNotFound: throw Refusal("the backup has no UID \(text.uid ?? 0) in \(text.mailbox ?? "")")
      case .overQuota: throw Refusal("\(address) is over quota: raise it and restore again, what is there stays single")
      default: throw Refusal("restore from \(directory): \(error.inWords)")
      }
    }
    if !report.isDryRun {
      logger.notice(
        "messages_restored", metadata: ["user": "\(address)", "messages": "\(report.restored)", "from": "\(directory)"])
    }
    return .restoredMessages(report)
  }

  private func mailboxName(_ text: String) throws(Refusal) -> MailboxName {
    guard let name = MailboxName(text) else { throw Refusal("\(quoted(text)) is not the name of a mailbox") }
    return name
  }
}

private func machineName() -> String? {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, name.count - 1) == 0 else { return nil }
  return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

extension CompactionReport {
  var logMetadata: Logger.Metadata {
    ["packs": "\(packs)", "octets": "\(octetsBefore)", "saved": "\(savedOctets)", "unfit": "\(unfit.count)"]
  }
}

extension VerificationReport {
  /// Of a store that could not even be opened.
  static func unopened(_ text: String) -> VerificationReport {
    var report = VerificationReport()
    report.add(.database, "store.db", text)
    return report
  }
}

/// What a repair found, and what came of it.
package struct RepairReport: Codable, Hashable, Sendable {
  package enum Outcome: String, Codable, Hashable, Sendable {
    case done
    /// There was nothing to do.
    case notNeeded
    /// Nothing was changed, because nobody said that it should be.
    case notConfirmed
  }

  package var plan: RepairPlan
  package var outcome: Outcome
  package init(plan: RepairPlan, outcome: Outcome) {
    self.plan = plan
    self.outcome = outcome
  }
}

/// Rebuilds the `store.db` of a store that no server holds: the one operation that does not go through the door,
/// because there is no store to open.
/// - Parameter confirm: is shown the plan before anything is changed.
package func repairStore(
  in dataDirectory: String, clock: WallClock, logger: Logger, progress: @escaping ProgressHandler = { _ in },
  confirm: (RepairPlan) -> Bool
) async -> AdministrativeReply {
  do throws(StoreError) {
    let options = StoreOptions(clock: clock, logger: logger)
    let repair = try await StoreRepair.prepare(at: dataDirectory, options: options, progress: progress)
    guard repair.plan.isNeeded else {
      await repair.cancel()
      return .repair(RepairReport(plan: repair.plan, outcome: .notNeeded))
    }
    guard confirm(repair.plan) else {
      await repair.cancel()
      return .repair(RepairReport(plan: repair.plan, outcome: .notConfirmed))
    }
    try await repair.perform(progress: progress)
    return .repair(RepairReport(plan: repair.plan, outcome: .done))
  } catch .locked {
    return .failed(
      "a server holds \(dataDirectory): stop it first (martlet store verify looks at the store while it runs)")
  } catch .corrupt(let text) {
    return .failed("\(dataDirectory): \(text)")
  } catch {
    return .failed("\(dataDirectory): \(error.inWords)")
  }
}

/// Brings back all of a store from the backup in `directory`, into a data directory that no server holds: what the door
/// leads to is not there yet.
/// - Parameter replaces: a store that is there is moved aside.
package func restoreStore(
  from directory: String, to dataDirectory: String, replaces: Bool, clock: WallClock,
  progress: @escaping ProgressHandler = { _ in }
) async -> AdministrativeReply {
  do throws(StoreError) {
    let restore = WholeRestore(from: directory, to: dataDirectory, replaces: replaces, clock: clock)
    return .restoredStore(try await restore.run(progress: progress))
  } catch .locked {
    return .failed("a server holds \(dataDirectory): stop it first, or restore one --account into it while it runs")
  } catch .corrupt(let text) {
    return .failed(text)
  } catch {
    return .failed("restore to \(dataDirectory): \(error.inWords)")
  }
}
