package import MailStore

/// One run of a SASL mechanism.  RFC 4422 §3. One task at a time steps it.
package protocol SASLExchange: Sendable {
  /// - Parameter response: the client's decoded response; nil where it gave no initial response (an empty one is `[]`).
  func step(_ response: [UInt8]?) async -> SASLStep
  /// Ends the exchange early: the client cancelled or went away.
  func cancel()
}

package enum SASLStep: Sendable {
  /// To be sent to the client, encoded as the protocol does.
  case challenge([UInt8])
  /// Done. `additionalData` goes with the success where the protocol can, as a last challenge where it can't.
  case authenticated(AuthenticatedAccount, additionalData: [UInt8]?)
  case failed(AuthenticationFailure)
}

package struct AuthenticatedAccount: Hashable, Sendable {
  package var id: AccountID
  /// The login name.
  package var name: String
  package var mechanism: String
  package init(id: AccountID, name: String, mechanism: String) {
    self.id = id
    self.name = name
    self.mechanism = mechanism
  }
}

package enum AuthenticationFailure: Error, Hashable, Sendable {
  /// Unknown user or wrong password: never told apart.
  case invalidCredentials
  /// Too many failures from this address or for this account.
  case tooManyFailures
  /// Right credentials, but they may not act as the identity asked for.  RFC 4422 §3.4.1.
  case notAuthorized
  /// The response is not what the mechanism expects.
  case malformed
  case cancelled
  /// Ours; may pass. The reference is in the log.
  case temporary(reference: String)
}
