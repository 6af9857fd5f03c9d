import MailStore

/// What is done to a store beside the changes of its users, while the power may fail.
enum Upkeep: Sendable {
  case none
  case backingUp(to: String)
  /// Takes away for good what was deleted, however short ago.
  case purging
  /// Gives back the room in packs of what was purged.
  case compacting

  var purges: Bool {
    switch self {
    case .none, .backingUp: false
    case .purging, .compacting: true
    }
  }

  /// How often, in one life.
  private static let times = 3

  /// Returns the backups that were said to be made.
  func run(_ store: MailStore, _ disk: SimulatedDisk) async throws -> Int {
    var done = 0
    for _ in 0..<Self.times where disk.remains == nil {
      do throws(StoreError) {
        switch self {
        case .none: return 0
        case .backingUp(let directory):
          _ = try await store.backUp(to: directory)
          done += 1
        case .purging:
          _ = try await store.purgeDeleted()
        case .compacting:
          _ = try await store.purgeDeleted()
          _ = try await store.compact()
        }
      } catch {
        guard disk.remains != nil || disk.hasFailed else { throw Violation("upkeep failed without a cause: \(error)") }
      }
    }
    return done
  }
}
