import Cryptography
import MailStore
import MessageFormat
import Synchronization

extension Authenticator {
  /// True if `password` is the account's or one of its app passwords. Takes some milliseconds for each of them, and as
  /// long where there is no account.
  func isPassword(_ password: [UInt8], of account: Account?, named name: String) -> Bool {
    let password = preparedPassword(password)
    guard let account else {
      return decoySecret(for: name, .sha256).matches(password)
    }
    let key = VerifiedPasswords.key(password, of: account)
    if verifiedPasswords.withLock({ $0.contains(key, at: clock.now()) }) { return true }
    let candidates = ([account.secrets] + account.appPasswords.map(\.secrets)).compactMap(Self.quickestSecret)
    if candidates.isEmpty { return decoySecret(for: name, .sha256).matches(password) }
    guard !password.isEmpty, candidates.contains(where: { $0.matches(password) }) else { return false }
    verifiedPasswords.withLock { $0.insert(key, at: clock.now()) }
    return true
  }

  func decoySecret(for name: String, _ hash: ScramHash) -> ScramSecret {
    decoys.secret(for: decoys.canonicalName(name, domains: source.domains.map(\.text)), hash)
  }

  /// The hashes are all of one password, so one is enough.
  private static func quickestSecret(_ secrets: [StoredSecret]) -> ScramSecret? {
    let parsed = secrets.compactMap { ScramSecret($0) }
    return parsed.first { $0.hash == .sha256 } ?? parsed.first
  }
}

/// Passwords that were found right a short while ago, for clients that log in for every little thing: some
/// milliseconds of hashing become some microseconds. Kept is a keyed digest over the password and the account's
/// secrets, so that a changed or withdrawn password is not found any more.
struct VerifiedPasswords: Sendable {
  private static let processKey = randomBytes(32)
  private static let lifetime: Duration = .seconds(300)
  private var expiries = RecentTable<[UInt8], Timestamp>(capacity: 4096)

  static func key(_ password: [UInt8], of account: Account) -> [UInt8] {
    var message = Array("\(account.id.rawValue)\n".utf8)
    for secret in account.secrets + account.appPasswords.flatMap(\.secrets) {
      message += secret.text.utf8
      message.append(UInt8(ascii: "\n"))
    }
    return hmac(.sha256, key: processKey, message: message + password)
  }

  func contains(_ key: [UInt8], at now: Timestamp) -> Bool { expiries[key].map { now < $0 } ?? false }

  mutating func insert(_ key: [UInt8], at now: Timestamp) { expiries[key] = now.advanced(by: Self.lifetime) }
}
