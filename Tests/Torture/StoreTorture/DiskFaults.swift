import MailStore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Errors of a disk that come in bursts: for some operations all of one kind fail, on all files or those of one sort.
struct DiskFaults: Sendable {
  private enum Kind: CaseIterable {
    case write, flush, truncate, create, rename, remove, flushDirectory

    init?(_ operation: FileOperation) {
      switch operation {
      case .write: self = .write
      case .flush: self = .flush
      case .truncate: self = .truncate
      case .create: self = .create
      case .rename: self = .rename
      case .remove: self = .remove
      case .flushDirectory: self = .flushDirectory
      case .makeDirectory: return nil
      }
    }

    var codes: [Int32] {
      switch self {
      case .write, .create, .rename: [ENOSPC, EIO]
      case .flush, .truncate, .remove, .flushDirectory: [EIO]
      }
    }
  }

  private var random: SeededGenerator
  private var kind: Kind?
  private var code: Int32 = 0
  /// The end of the paths that fail; empty for all.
  private var ending = ""
  /// Operations until the burst ends, or until the next begins.
  private var left: Int
  private(set) var hasStruck = false

  /// Operations between two bursts, at most.
  private static let calm = 300
  private static let endings = ["", "", "-wal", ".pack", ".db", "large"]
  /// How long one lasts.
  private static let burst = 100

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    left = random.spread(upTo: Self.calm)
  }

  /// The error number the operation is to fail with, or 0.
  mutating func strike(_ operation: FileOperation) -> Int32 {
    if left == 0 {
      if kind == nil, let next = Kind.allCases.randomElement(using: &random) {
        kind = next
        code = next.codes.randomElement(using: &random) ?? EIO
        ending = Self.endings.randomElement(using: &random) ?? ""
        left = random.spread(upTo: Self.burst)
      } else {
        kind = nil
        left = random.spread(upTo: Self.calm)
      }
    }
    left -= 1
    guard let kind, Kind(operation) == kind, operation.path.hasSuffix(ending) else { return 0 }
    hasStruck = true
    return code
  }
}
