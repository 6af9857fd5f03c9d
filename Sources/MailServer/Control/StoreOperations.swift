package import Logging
package import MailStore
package import MessageFormat

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
