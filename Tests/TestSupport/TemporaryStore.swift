import Foundation
package import Logging
package import MailStore
package import MessageFormat

/// A store in a folder of its own that goes away with it.
package struct TemporaryStore: Sendable {
  package let store: MailStore
  package let directory: String

  package init(clock: WallClock = .system, logger: Logger = Logger(label: "store")) async throws {
    directory = Self.newDirectory()
    store = try await MailStore.open(at: directory, options: StoreOptions(clock: clock, logger: logger))
  }

  package func remove() async {
    await store.close()
    removeFolder()
  }

  /// Leaves the store open: for a test that has failed and may still use it.
  package func removeFolder() { try? FileManager.default.removeItem(atPath: directory) }

  /// Runs `body` with a store and removes it afterwards.
  package static func with<Result>(
    clock: WallClock = .system, _ body: (MailStore) async throws -> Result
  ) async throws -> Result {
    let temporary = try await TemporaryStore(clock: clock)
    do {
      let result = try await body(temporary.store)
      await temporary.remove()
      return result
    } catch {
      await temporary.remove()
      throw error
    }
  }

  private static func newDirectory() -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-test-\(UUID().uuidString)")
    return folder.path
  }
}
