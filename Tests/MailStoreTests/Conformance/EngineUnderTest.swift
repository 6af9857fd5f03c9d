import MailStore
import Testing

/// The storage engines there are. A suite that is `everyEngine` runs all its tests with each; a new engine is one case
/// here.
enum EngineUnderTest: CaseIterable, Sendable {
  case sqlite

  /// The one with which the test at hand runs.
  @TaskLocal static var current = EngineUnderTest.sqlite

  func open(at path: String, options: StoreOptions) async throws -> MailStore {
    switch self {
    case .sqlite: try await MailStore.open(at: path, options: options)
    }
  }

  /// Looks at all that a store which is not open has left behind.
  func checkRemains(of path: String) async throws {
    switch self {
    case .sqlite: try await checkInvariants(of: path)
    }
  }
}

/// What every engine must do.
struct EveryEngine: SuiteTrait, TestTrait, TestScoping {
  let isRecursive = true

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    guard testCase != nil else { return try await function() }
    for engine in EngineUnderTest.allCases {
      try await EngineUnderTest.$current.withValue(engine) { try await function() }
    }
  }
}

extension Trait where Self == EveryEngine {
  static var everyEngine: EveryEngine { EveryEngine() }
}
