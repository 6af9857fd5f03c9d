package import MailStore

/// Derives what is stored for a password: SCRAM-SHA-1, -256 and -512 secrets with one random salt each.  RFC 5802 §3.
/// Slow on purpose; do not call on an event loop.
package func storedSecrets(for password: String, iterations: Int = 10_000) -> [StoredSecret] { fatalError("skeleton") }
