import Synchronization

/// Holds on the store's packs and large files: while there is one, none of them may be removed or cut, because somebody
/// is reading what an earlier state of `store.db` names.
///
/// Whoever removes files commits first that nothing names them any more, and then asks: where a hold is there, they stay
/// until a later attempt. Whoever holds takes the hold before the state that it will read from.
final class FileHolds: Sendable {
  private let count = Mutex(0)

  /// Runs `body` with a hold.
  func holding<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
    count.withLock { $0 += 1 }
    defer { count.withLock { $0 -= 1 } }
    return try body()
  }

  /// Runs `remove` unless there is a hold, and none can begin before it is done. False where it was not run.
  func ifNone(_ remove: () -> Void) -> Bool {
    count.withLock { count in
      guard count == 0 else { return false }
      remove()
      return true
    }
  }
}
