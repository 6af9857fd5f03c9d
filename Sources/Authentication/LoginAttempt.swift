import Bytes
import Cryptography
import Logging
import MailStore
import MessageFormat
import Synchronization

/// One login, by whatever mechanism: who it is about, whether the limits let it be checked, and how it ends. Every
/// login ends here, in `succeed` or `fail`, which count and log it.
final class LoginAttempt: CyrusDelegate {
  private enum Identity: Sendable {
    case account(Account)
    /// Made when the login succeeds.
    case newAccount(EmailAddress)

    var address: EmailAddress {
      switch self {
      case .account(let account): account.address
      case .newAccount(let address): address
      }
    }
  }

  private struct State: Sendable {
    var name: String?
    var identity: Identity?
    var refusal: AuthenticationFailure?
    var stepBegan = ContinuousClock.now
  }

  /// A refusal is never quicker than this, so that neither hashing nor the number of app passwords shows in its time.
  private static let shortestRefusal: Duration = .milliseconds(300)
  /// Names in the log are cut here.
  private static let longestLoggedName = 256

  private let authenticator: Authenticator
  private let context: AuthenticationContext
  private let mechanism: String
  private let hash: ScramHash?
  private let state = Mutex(State())

  init(_ authenticator: Authenticator, _ context: AuthenticationContext, mechanism: String, hash: ScramHash?) {
    self.authenticator = authenticator
    self.context = context
    self.mechanism = mechanism
    self.hash = hash
  }

  /// The user is known: a secret or password has been looked at.
  var hasUser: Bool { state.withLock { $0.name != nil } }
  /// Why it was refused, where that was decided here.
  var refusal: AuthenticationFailure? { state.withLock { $0.refusal } }

  /// Refusals are timed from here.
  func stepBegins() { state.withLock { $0.stepBegan = .now } }

  // MARK: While it runs

  func secret(for name: String) -> String? {
    guard mayBeChecked(name), let hash else { return nil }
    guard case .account(let account)? = identify(name),
      let secret = account.secrets.lazy.compactMap({ ScramSecret($0) }).first(where: { $0.hash == hash })
    else { return authenticator.decoySecret(for: name, hash).stored.text }
    return secret.stored.text
  }

  func isPassword(_ password: [UInt8], of name: String) -> Bool {
    guard mayBeChecked(name) else { return false }
    let identity = identify(name)
    let isRight: Bool
    switch authenticator.policy {
    case .anyPassword: isRight = identity != nil
    case .verified:
      let account: Account? = if case .account(let account)? = identity { account } else { nil }
      isRight = authenticator.isPassword(password, of: account, named: name)
    }
    if !isRight { refuse(.invalidCredentials) }
    return isRight
  }

  /// An identity to act as is the user's own or none: nobody acts for another.  RFC 4422 §3.4.1.
  func mayAct(_ authenticated: String, as requested: String) -> Bool {
    if authenticated == requested { return true }
    if let own = identity(named: authenticated)?.address, let other = identity(named: requested)?.address,
      own.lookupKey == other.lookupKey
    {
      return true
    }
    refuse(.notAuthorized)
    return false
  }

  /// The account of the client's certificate that it asks to act as, or the first; nil if none of its addresses is one.
  func certificateIdentity(requested: String) -> String? {
    let accounts = (context.tls?.peerEmailAddresses ?? []).compactMap { authenticator.source.account(login: $0) }
    let wanted = requested.isEmpty ? nil : authenticator.source.account(named: requested)
    guard let account = accounts.first(where: { $0.id == wanted?.id }) ?? accounts.first else {
      state.withLock { $0.name = context.tls?.peerEmailAddresses.first ?? "" }
      return nil
    }
    let name = account.address.description
    guard mayBeChecked(name) else { return nil }
    return name
  }

  private func mayBeChecked(_ name: String) -> Bool {
    state.withLock { $0.name = name }
    let (key, now) = (context.countingKey, authenticator.clock.now())
    if authenticator.limiter.withLock({ $0.verdict(account: name, address: key, at: now) }) == .allowed { return true }
    refuse(.tooManyFailures)
    return false
  }

  private func identify(_ name: String) -> Identity? {
    let identity = identity(named: name)
    state.withLock { $0.identity = identity }
    return identity
  }

  private func identity(named name: String) -> Identity? {
    if let account = authenticator.source.account(named: name) { return .account(account) }
    guard authenticator.policy == .anyPassword else { return nil }
    if name.utf8.contains(UInt8(ascii: "@")) { return EmailAddress(name).map { .newAccount($0) } }
    guard let domain = authenticator.source.domains.first else { return nil }
    return EmailAddress("\(name)@\(domain)").map { .newAccount($0) }
  }

  private func refuse(_ failure: AuthenticationFailure) {
    state.withLock { $0.refusal = $0.refusal ?? failure }
  }

  // MARK: How it ends

  func succeed(as user: String) async -> Result<AuthenticatedAccount, AuthenticationFailure> {
    let id: AccountID
    let address: EmailAddress
    switch state.withLock({ $0.identity }) ?? identity(named: user) {
    case .account(let account)?: (id, address) = (account.id, account.address)
    case .newAccount(let new)?:
      do {
        (id, address) = (try await authenticator.source.makeAccount(new), new)
      } catch {
        return .failure(await fail(temporaryFailure(cause: "making the account: \(error)")))
      }
    // Removed since the password was checked.
    case nil: return .failure(await fail(.invalidCredentials))
    }
    let name = address.description
    authenticator.limiter.withLock { $0.recordSuccess(account: name, address: context.countingKey) }
    authenticator.logger.info("auth_ok", metadata: metadata(user: name))
    return .success(AuthenticatedAccount(id: id, name: name, mechanism: mechanism))
  }

  /// Counts and logs the failure, holds it back as long as the limits say, and returns what to answer.
  func fail(_ failure: AuthenticationFailure) async -> AuthenticationFailure {
    let state = state.withLock { $0 }
    let failure = state.refusal ?? failure
    let delay: Duration?
    switch failure {
    case .invalidCredentials, .notAuthorized:
      delay = authenticator.limiter.withLock {
        $0.recordFailure(account: state.name ?? "", address: context.countingKey, at: authenticator.clock.now())
      }
    case .tooManyFailures: delay = .zero
    case .malformed, .cancelled, .temporary: delay = nil
    }
    var metadata = metadata(user: state.name ?? "")
    metadata["reason"] = .string(Self.reason(failure))
    authenticator.logger.notice("auth_failed", metadata: metadata)
    if let delay {
      let spent = ContinuousClock.now - state.stepBegan
      await authenticator.sleep(max(max(delay, Self.shortestRefusal) - spent, .zero))
    }
    return failure
  }

  func temporaryFailure(cause: String) -> AuthenticationFailure {
    let reference = hexadecimal(randomBytes(4))
    authenticator.logger.error(
      "auth_error", metadata: ["reference": "\(reference)", "cause": "\(cause)", "conn": "\(context.connectionID)"])
    return .temporary(reference: reference)
  }

  private func metadata(user: String) -> Logger.Metadata {
    [
      "user": .string(String(user.unicodeScalars.prefix(Self.longestLoggedName))),
      "mechanism": .string(mechanism),
      "protocol": .string(context.protocolName),
      "rip": .string(context.remoteAddress),
      "tls": .string(context.tls?.version ?? "no"),
      "conn": .string(context.connectionID),
    ]
  }

  private static func reason(_ failure: AuthenticationFailure) -> String {
    switch failure {
    case .invalidCredentials: "credentials"
    case .tooManyFailures: "locked"
    case .notAuthorized: "authorization"
    case .malformed: "malformed"
    case .cancelled: "cancelled"
    case .temporary: "temporary"
    }
  }
}
