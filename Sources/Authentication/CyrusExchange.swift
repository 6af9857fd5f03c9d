import CCyrusSASL
import Synchronization

/// An exchange that Cyrus SASL runs, on the worker threads.
final class CyrusExchange: SASLExchange {
  private enum State: Sendable {
    /// Nothing has come from the client; it may have been asked for its first response.
    case fresh
    case started(CyrusConnection)
    /// On a worker thread.
    case stepping
    case ended
  }

  private enum Outcome: Sendable {
    case challenge([UInt8], CyrusConnection)
    case done(user: String, data: [UInt8])
    case failed(AuthenticationFailure)
    case broken(CyrusFailure)
  }

  /// Longer responses are no password and no proof. The protocols allow up to 12,288 octets of base64.  RFC 4954 §4.
  private static let longestResponse = 16_384

  private let mechanism: Mechanism
  private let context: AuthenticationContext
  private let authenticator: Authenticator
  private let attempt: LoginAttempt
  private let state = Mutex(State.fresh)

  init(_ mechanism: Mechanism, _ context: AuthenticationContext, _ authenticator: Authenticator) {
    self.mechanism = mechanism
    self.context = context
    self.authenticator = authenticator
    let hash: ScramHash? = if case .scram(let hash, _) = mechanism { hash } else { nil }
    attempt = LoginAttempt(authenticator, context, mechanism: mechanism.name, hash: hash)
  }

  func step(_ response: [UInt8]?) async -> SASLStep {
    attempt.stepBegins()
    let previous = state.withLock { state in
      defer { if case .ended = state {} else { state = .stepping } }
      return state
    }
    let connection: CyrusConnection?
    switch previous {
    case .started(let started): connection = started
    case .fresh: connection = nil
    case .stepping, .ended: return .failed(.cancelled)
    }
    if connection == nil, response == nil, mechanism.isClientFirst {
      return goOn(.fresh) ? .challenge([]) : .failed(.cancelled)
    }
    if let response, response.count > Self.longestResponse { return await end(.malformed) }
    switch await authenticator.workers.run({ self.work(connection, response) }) {
    case .challenge(let data, let connection)?:
      return goOn(.started(connection)) ? .challenge(data) : .failed(.cancelled)
    case .done(let user, let data)?:
      cancel()
      switch await attempt.succeed(as: user) {
      case .success(let account): return .authenticated(account, additionalData: data.isEmpty ? nil : data)
      case .failure(let failure): return .failed(failure)
      }
    case .failed(let failure)?: return await end(failure)
    case .broken(let failure)?: return await end(attempt.temporaryFailure(cause: failure.description))
    case nil: return await end(attempt.temporaryFailure(cause: "too many logins are waiting"))
    }
  }

  func cancel() { state.withLock { $0 = .ended } }

  /// False if it was cancelled while it ran.
  private func goOn(_ next: State) -> Bool {
    state.withLock { state in
      guard case .stepping = state else { return false }
      state = next
      return true
    }
  }

  private func end(_ failure: AuthenticationFailure) async -> SASLStep {
    cancel()
    return .failed(await attempt.fail(failure))
  }

  // MARK: On a worker thread

  private func work(_ existing: CyrusConnection?, _ response: [UInt8]?) -> Outcome {
    let knewUser = attempt.hasUser
    do throws(CyrusFailure) {
      let connection: CyrusConnection
      if let existing {
        connection = existing
      } else {
        connection = try CyrusConnection(
          mechanism: mechanism, service: context.service.rawValue, hostname: authenticator.hostname, delegate: attempt)
        if let failure = try prepare(connection, response ?? []) { return .failed(failure) }
      }
      switch connection.step(response) {
      case .challenge(let data): return .challenge(data, connection)
      case .done(let user, let data): return .done(user: user, data: data)
      case .failed(let failure):
        return outcome(of: failure, knewUser: knewUser)
      }
    } catch {
      return .broken(error)
    }
  }

  /// What the library must know before the first step, found in the client's first message.
  private func prepare(
    _ connection: CyrusConnection, _ response: [UInt8]
  ) throws(CyrusFailure) -> AuthenticationFailure? {
    switch mechanism {
    case .plain, .login: return nil
    case .external:
      guard let name = attempt.certificateIdentity(requested: String(decoding: response, as: UTF8.self)) else {
        return attempt.refusal ?? .invalidCredentials
      }
      try connection.setExternalIdentity(name)
      return nil
    case .scram(_, let bound):
      guard let flag = GS2BindingFlag(clientFirstMessage: response) else { return .malformed }
      let available = context.tls.map { ChannelBinding.available(in: $0) } ?? []
      switch flag.choice(among: available, bound: bound) {
      case .unbound: return nil
      case .bound(let binding):
        try connection.bind(to: binding)
        return nil
      case .refused(let failure): return failure
      }
    }
  }

  private func outcome(of failure: CyrusFailure, knewUser: Bool) -> Outcome {
    if let refusal = attempt.refusal { return .failed(refusal) }
    switch failure.code {
    // The library calls a wrong proof or binding a protocol error too.
    case SASL_BADPROT: return .failed(knewUser ? .invalidCredentials : .malformed)
    case SASL_BADAUTH, SASL_NOUSER, SASL_NOVERIFY, SASL_BADBINDING: return .failed(.invalidCredentials)
    case SASL_NOAUTHZ: return .failed(.notAuthorized)
    // A name that is too long, or nothing but blanks.
    case SASL_BUFOVER, SASL_BADPARAM, SASL_FAIL: return .failed(.malformed)
    default: return .broken(failure)
    }
  }
}
