import Cryptography
import MailStore

/// Secrets of users that don't exist, so that they answer like those that do: the same name always has the same salt,
/// and checking a password takes as long. No password matches them.
struct DecoySecrets: Sendable {
  private let key: [UInt8]

  init(key: [UInt8] = randomBytes(32)) { self.key = key }

  /// - Parameter name: what was asked for, made whole by `canonicalName`.
  func secret(for name: String, _ hash: ScramHash) -> ScramSecret {
    func derive(_ purpose: String) -> [UInt8] {
      hmac(hash.algorithm, key: key, message: Array("\(purpose)\0\(hash.rawValue)\0\(name)".utf8))
    }
    return ScramSecret(
      hash: hash, iterations: defaultIterations, salt: Array(derive("salt").prefix(ScramSecret.saltLength)),
      storedKey: derive("stored key"), serverKey: derive("server key"))
  }

  /// A real account answers alike under all spellings of its name, with and without its domain; so does a decoy: case
  /// is folded, and a bare local part is given one of the domains, always the same one.
  func canonicalName(_ name: String, domains: [String]) -> String {
    let name = name.lowercased()
    guard !name.utf8.contains(UInt8(ascii: "@")), !domains.isEmpty else { return name }
    let choice = hmac(.sha256, key: key, message: Array("domain\0\(name)".utf8)).prefix(4)
    let index = choice.reduce(0) { $0 << 8 | Int($1) } % domains.count
    return "\(name)@\(domains[index])"
  }
}
