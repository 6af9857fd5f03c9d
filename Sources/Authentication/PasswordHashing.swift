import Cryptography
package import MailStore

/// What deriving a secret costs unless said otherwise: about 5 ms of a core.
package let defaultIterations = 10_000

/// Derives what is stored for a password: SCRAM-SHA-1, -256 and -512 secrets with one random salt each.  RFC 5802 §3.
/// Slow on purpose; do not call on an event loop.
package func storedSecrets(for password: String, iterations: Int = defaultIterations) -> [StoredSecret] {
  let prepared = preparedPassword(Array(password.utf8))
  return ScramHash.allCases.map { hash in
    ScramSecret(
      hash: hash, password: prepared, salt: randomBytes(ScramSecret.saltLength), iterations: iterations
    ).stored
  }
}
