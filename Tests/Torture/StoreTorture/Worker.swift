import MailStore
import MessageFormat

/// Changes things in a store one after the other, and knows what it was told of each. Works on messages, mailboxes and
/// aliases of its own, among those of others.
struct Worker: Sendable {
  let number: Int
  /// Everything acknowledged.
  private(set) var holdings = Holdings()
  /// What there will be if the change in hand has happened, whose answer did not come.
  private(set) var intended: Holdings?
  /// Whose each UID is that was ever acknowledged: none is given twice.
  private(set) var owners: [MailboxID: [UID: Holdings.Message]] = [:]
  private(set) var acknowledged = 0
  /// Changes that a failing disk made fail.
  private(set) var refused = 0
  var random: SeededGenerator
  var made = 0
  /// In this life somebody takes away for good what was deleted.
  var mayBePurged = false

  /// With more messages than this, some are expunged.
  static let messageLimit = 24
  static let folderLimit = 4
  static let queueLimit = 8
  /// After this many failures in a row the store has not recovered.
  private static let patience = 500

  init(number: Int, seed: UInt64) {
    self.number = number
    random = SeededGenerator(seed: seed)
  }

  /// Until the power fails, or for `changes`.
  mutating func work(_ store: MailStore, _ disk: SimulatedDisk, changes: Int) async throws {
    let accounts = store.directory.accounts.map(\.id)
    for _ in 0..<changes where disk.remains == nil {
      let (intended, change) = nextChange(accounts)
      guard let change else { continue }
      self.intended = intended
      do throws(StoreError) {
        accept(try await change(store))
        acknowledged += 1
      } catch {
        if disk.remains != nil { return }
        guard disk.hasFailed else { throw Violation("a change failed without a cause: \(error)") }
        refused += 1
        try await settle(store, disk, accounts[0])
      }
    }
  }

  /// What the store holds of this worker's things is from now on what it knows.
  mutating func accept(_ holdings: Holdings) {
    self.holdings = holdings
    intended = nil
    for (message, places) in holdings.messages {
      for place in places {
        if let mailbox = place.mailbox, let uid = place.uid { owners[mailbox, default: [:]][uid] = message }
      }
    }
  }

  /// A change failed while there is power. Its commit may still come back after a cut, until a later one has taken its
  /// place in the log; and as long as there is power nothing of it may be seen.
  private mutating func settle(_ store: MailStore, _ disk: SimulatedDisk, _ account: AccountID) async throws {
    for _ in 0..<Self.patience {
      if disk.remains != nil { return }
      made += 1
      let quota = Quota(bytes: 1 << 50 + Int64(number) << 40 + Int64(made))
      guard (try? await store.setQuota(quota, of: account)) != nil else { continue }
      intended = nil
      let found = try await StoreContents.read(store, isQuiet: false).holdings[number] ?? Holdings()
      if let difference = found.difference(from: holdings, mayBePurged: mayBePurged) {
        throw Violation("after a change that failed, worker \(number): \(difference)")
      }
      return
    }
    throw Violation("the store does not recover from failures")
  }
}
