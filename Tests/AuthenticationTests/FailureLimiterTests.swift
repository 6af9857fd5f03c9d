import MessageFormat
import Testing

@testable import Authentication

struct FailureLimiterTests {
  let start = Timestamp(seconds: 1_000_000)

  @Test("Each failure is held back longer, up to a bound, and a success starts afresh")
  func delays() {
    var limiter = FailureLimiter()
    var delays: [Int] = []
    for _ in 0..<8 { delays.append(fail(&limiter, "alice", "192.0.2.1")) }
    #expect(delays == [0, 1, 2, 4, 8, 15, 15, 15])
    limiter.recordSuccess(account: "alice@example.test", address: "192.0.2.1")
    #expect(fail(&limiter, "alice@example.test", "192.0.2.1") == 0)
  }

  @Test("An account is locked for one address, and for the others it is not")
  func lockOfAnAccount() {
    var limiter = FailureLimiter()
    for count in 1...20 {
      #expect(limiter.verdict(account: "alice", address: "192.0.2.1", at: start) == .allowed, "before failure \(count)")
      _ = fail(&limiter, count.isMultiple(of: 2) ? "Alice" : "alice@example.test", "192.0.2.1")
    }
    #expect(limiter.verdict(account: "alice", address: "192.0.2.1", at: start) == .locked)
    #expect(limiter.verdict(account: "alice", address: "192.0.2.2", at: start) == .allowed)
    #expect(limiter.verdict(account: "bob", address: "192.0.2.1", at: start) == .allowed)
    let later = start.advanced(by: .seconds(15 * 60))
    #expect(limiter.verdict(account: "alice", address: "192.0.2.1", at: later) == .allowed)
    #expect(seconds(limiter.recordFailure(account: "alice", address: "192.0.2.1", at: later)) == 0)
  }

  @Test("An address that guesses at many accounts is slowed down and locked")
  func lockOfAnAddress() {
    var limiter = FailureLimiter()
    var delays: [Int] = []
    for count in 0..<100 {
      #expect(limiter.verdict(address: "192.0.2.1", at: start) == .allowed)
      delays.append(fail(&limiter, "user\(count)", "192.0.2.1"))
    }
    #expect(delays[0..<16] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 15])
    #expect(limiter.verdict(account: "anyone", address: "192.0.2.1", at: start) == .locked)
    #expect(limiter.verdict(account: "anyone", address: "192.0.2.2", at: start) == .allowed)
  }

  @Test("A loopback address is never locked", arguments: ["127.0.0.1", "127.1.2.3", "::1", "local"])
  func loopback(_ address: String) {
    var limiter = FailureLimiter()
    for _ in 0..<200 { _ = fail(&limiter, "alice", address) }
    #expect(limiter.verdict(account: "alice", address: address, at: start) == .allowed)
  }

  @Test("A botnet's thousands of addresses fill no memory")
  func bounded() {
    var table = RecentTable<Int, Int>(capacity: 1000)
    for key in 0..<100_000 { table[key] = key }
    #expect(table.count <= 1000)
    #expect(table[99_999] == 99_999 && table[99_500] == 99_500)
    #expect(table[0] == nil)
    for key in 100_000..<200_000 {
      table[99_999] = key
      table[key] = key
    }
    #expect(table[99_999] == 199_999)
  }

  private func fail(_ limiter: inout FailureLimiter, _ account: String, _ address: String) -> Int {
    seconds(limiter.recordFailure(account: account, address: address, at: start))
  }

  private func seconds(_ duration: Duration) -> Int { Int(duration.components.seconds) }
}
