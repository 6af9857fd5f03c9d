package import Logging
package import MailStore
package import MessageFormat
import Synchronization

package enum CredentialPolicy: Sendable {
  /// The store decides.
  case verified
  /// `dev`: any name that is an address and any password; the account is made on demand. Only PLAIN and LOGIN are
  /// offered.
  case anyPassword
}

/// The mechanisms cannot be had on this machine.
package struct AuthenticationUnavailable: Error, CustomStringConvertible {
  package let description: String
}

/// The one SASL layer. All three frontends use it, so one failure policy holds over all protocols.
///
/// Passwords: PLAIN, LOGIN and `verify` take the account's password and each of its app passwords. SCRAM takes the
/// account's password only: its challenge carries one salt, so the server would have to know which password the client
/// is about to prove.
package final class Authenticator: Sendable {
  /// Suspends for a refusal's delay; ends early when the task is cancelled.
  package typealias Sleep = @Sendable (Duration) async -> Void

  let source: any CredentialSource
  let policy: CredentialPolicy
  let hostname: String
  let clock: WallClock
  let logger: Logger
  let sleep: Sleep
  let workers: WorkerThreads
  let decoys = DecoySecrets()
  let limiter: Mutex<FailureLimiter>
  let verifiedPasswords = Mutex(VerifiedPasswords())
  private let loaded: Set<String>

  /// - Parameter sleep: how a refused client is kept waiting; a test gives one that returns at once.
  package convenience init(
    store: MailStore, policy: CredentialPolicy, hostname: String, clock: WallClock, logger: Logger,
    sleep: @escaping Sleep = { try? await Task.sleep(for: $0) }
  ) throws {
    try self.init(
      source: StoreCredentials(store: store), policy: policy, hostname: hostname, clock: clock, logger: logger,
      sleep: sleep)
  }

  init(
    source: any CredentialSource, policy: CredentialPolicy, hostname: String, clock: WallClock, logger: Logger,
    limits: FailureLimiter.Limits = FailureLimiter.Limits(), sleep: @escaping Sleep
  ) throws(AuthenticationUnavailable) {
    switch CyrusLibrary.mechanisms {
    case .success(let names): loaded = names
    case .failure(let failure): throw AuthenticationUnavailable(description: failure.description)
    }
    guard loaded.contains("PLAIN"), loaded.contains(ScramHash.sha256.rawValue) else {
      throw AuthenticationUnavailable(
        description: "Cyrus SASL finds no plug-ins for PLAIN and SCRAM (Debian has them in libsasl2-modules)")
    }
    self.source = source
    self.policy = policy
    self.hostname = hostname
    self.clock = clock
    self.logger = logger
    self.sleep = sleep
    limiter = Mutex(FailureLimiter(limits: limits))
    workers = WorkerThreads(count: 4, waitingLimit: 2_000)
  }

  /// Mechanism names to announce now, strongest first.
  package func mechanisms(for context: AuthenticationContext) -> [String] {
    Mechanism.all.filter { isOffered($0, context) }.map(\.name)
  }

  /// Nil if the mechanism is unknown or not allowed in this context.
  package func begin(_ mechanism: String, _ context: AuthenticationContext) -> (any SASLExchange)? {
    guard let mechanism = Mechanism(name: mechanism), isOffered(mechanism, context) else { return nil }
    return CyrusExchange(mechanism, context, self)
  }

  /// True if name and password may be sent as they are (LOGIN, USER/PASS, PLAIN).
  package func allowsPlaintext(_ context: AuthenticationContext) -> Bool {
    Mechanism.plain.isOffered(in: context, policy: policy)
  }

  /// IMAP LOGIN and POP3 USER/PASS: the same check and the same failure policy as PLAIN.
  package func verify(name: String, password: [UInt8], _ context: AuthenticationContext) async
    -> Result<AuthenticatedAccount, AuthenticationFailure>
  {
    guard allowsPlaintext(context) else { return .failure(.notAuthorized) }
    let attempt = LoginAttempt(self, context, mechanism: context.service == .pop3 ? "USER" : "LOGIN", hash: nil)
    attempt.stepBegins()
    switch await workers.run({ attempt.isPassword(password, of: name) }) {
    case true?: return await attempt.succeed(as: name)
    case false?: return .failure(await attempt.fail(.invalidCredentials))
    case nil: return .failure(await attempt.fail(attempt.temporaryFailure(cause: "too many logins are waiting")))
    }
  }

  private func isOffered(_ mechanism: Mechanism, _ context: AuthenticationContext) -> Bool {
    mechanism.isOffered(in: context, policy: policy) && loaded.contains(mechanism.pluginName)
  }
}
