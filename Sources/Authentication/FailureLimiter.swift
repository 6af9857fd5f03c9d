import MessageFormat

/// Counts failed logins by address and by account, and says how long the next refusal is held back and when no more is
/// checked. A value: failures go in, delays and verdicts come out.
///
/// The whole server is never locked: what is locked is one address, or one account for one address. A loopback
/// address is never locked either, because a webmail or a proxy on it speaks for everybody.
struct FailureLimiter: Sendable {
  struct Limits: Sendable {
    /// Failures are forgotten this long after the last one.
    var window: Duration = .seconds(15 * 60)
    /// Guesses at one account from one address.
    var perAccountAndAddress = 20
    /// Guesses from one address at all accounts.
    var perAddress = 100
    /// An address is suspected after this many; several people with old passwords may sit behind one.
    var perAddressBeforeDelay = 10
    /// The longest a refusal is held back. Below what clients take for a dead server.
    var longestDelay: Duration = .seconds(15)
    /// Entries of each table: memory is bounded whatever a botnet sends.
    var tableCapacity = 10_000
  }

  enum Verdict: Hashable, Sendable { case allowed, locked }

  private struct Guess: Hashable, Sendable {
    var account: String
    var address: String
  }
  private struct Record: Sendable {
    var count: Int
    var last: Timestamp
  }

  let limits: Limits
  private var guesses: RecentTable<Guess, Record>
  private var addresses: RecentTable<String, Record>
  private var accounts: RecentTable<String, Record>

  init(limits: Limits = Limits()) {
    self.limits = limits
    guesses = RecentTable(capacity: limits.tableCapacity)
    addresses = RecentTable(capacity: limits.tableCapacity)
    accounts = RecentTable(capacity: limits.tableCapacity)
  }

  /// May a login from `address` be checked at all?
  func verdict(address: String, at now: Timestamp) -> Verdict {
    guard !Self.isLoopback(address) else { return .allowed }
    return count(addresses[address], now) >= limits.perAddress ? .locked : .allowed
  }

  /// May `account` be tried from `address`?
  func verdict(account: String, address: String, at now: Timestamp) -> Verdict {
    guard !Self.isLoopback(address) else { return .allowed }
    let guess = Guess(account: Self.accountKey(account), address: address)
    return count(guesses[guess], now) >= limits.perAccountAndAddress ? .locked : verdict(address: address, at: now)
  }

  /// - Returns: how long to hold the refusal back: 0, 1, 2, 4 … seconds.
  mutating func recordFailure(account: String, address: String, at now: Timestamp) -> Duration {
    let guess = Guess(account: Self.accountKey(account), address: address)
    var failures = bump(&guesses[guess], now)
    failures = max(failures, bump(&accounts[guess.account], now))
    if !Self.isLoopback(address) {
      failures = max(failures, bump(&addresses[address], now) - limits.perAddressBeforeDelay)
    }
    guard failures > 1 else { return .zero }
    return min(.seconds(1 << min(failures - 2, 30)), limits.longestDelay)
  }

  mutating func recordSuccess(account: String, address: String) {
    guesses[Guess(account: Self.accountKey(account), address: address)] = nil
    accounts[Self.accountKey(account)] = nil
  }

  private func count(_ record: Record?, _ now: Timestamp) -> Int {
    guard let record, now < record.last.advanced(by: limits.window) else { return 0 }
    return record.count
  }

  private func bump(_ record: inout Record?, _ now: Timestamp) -> Int {
    let count = count(record, now) + 1
    record = Record(count: count, last: now)
    return count
  }

  /// Counted by local part alone, so that `alice` and `alice@example.org` are one, whether the account exists or not.
  private static func accountKey(_ name: String) -> String {
    let local = name.utf8.lastIndex(of: UInt8(ascii: "@")).map { name[..<$0] } ?? name[...]
    return local.lowercased()
  }

  static func isLoopback(_ address: String) -> Bool {
    address.hasPrefix("127.") || address == "::1" || address == "local"
  }
}
