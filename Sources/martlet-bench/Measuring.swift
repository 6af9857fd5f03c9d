import MailStore
import MessageFormat
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Of this process, user and system time.
func processorSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

func rounded(_ value: Double) -> Double { (value * 1_000).rounded() / 1_000 }

/// Seconds that `body` takes.
func elapsed(_ body: () async throws -> Void) async rethrows -> Double {
  let clock = ContinuousClock()
  let start = clock.now
  try await body()
  return (clock.now - start).seconds
}

final class Counter: Sendable {
  private let count = Atomic<Int>(0)
  var value: Int { count.load(ordering: .relaxed) }
  func add() { count.add(1, ordering: .relaxed) }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

extension MailStore {
  /// `count` accounts of one domain.
  func addAccounts(_ count: Int) async throws -> [AccountID] {
    let domain = Domain("example.test")!
    try await addDomain(domain)
    var accounts: [AccountID] = []
    for number in 0..<count {
      let address = EmailAddress(localPart: "user\(number)", domain: domain)
      accounts.append(try await addAccount(address, secrets: [], quota: Quota()))
    }
    return accounts
  }
}
