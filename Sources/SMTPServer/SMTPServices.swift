package import Authentication
package import Cryptography
package import Delivery
package import Logging
package import MailStore
package import MessageFormat

/// What kind of peer a listener serves.
package enum SMTPRole: String, Sendable {
  /// Port 25: mail for local domains from anyone; AUTH is not offered.
  case exchange
  /// Ports 587 and 465: authenticated accounts send.  RFC 6409.
  case submission
  /// RFC 2033: one reply a recipient after the data.
  case lmtp
}

/// Everything a session is given.
package struct SMTPServices: Sendable {
  package typealias Deliver =
    @Sendable (StagedBody, [LocalDelivery], [NewQueuedMessage], SentMessage?, DateTime) async throws(StoreError)
    -> [Result<AppendResult, StoreError>]

  package var store: MailStore
  /// Takes a message that is whole, for mailboxes and for the queue, and returns when it is durable: one result for each
  /// delivery, in order. The store's `deliver`, unless another is put in its place.
  package var deliver: Deliver
  package var authenticator: Authenticator
  package var router: Router
  /// Nil: nothing is sent to other servers.
  package var outgoing: OutgoingMail?
  /// What an account may send to other servers, where it has no limits of its own.
  package var sendingLimits = SendingLimits.standard
  package var limitNotices: LimitNotices
  /// Nil: STARTTLS is not offered.
  package var tls: TLSServerContext?
  /// The name in the greeting and in trace fields.
  package var hostname: String
  package var clock: WallClock
  package var logger: Logger
  package var limits: SMTPLimits
  /// SOLICIT keywords of messages that are not taken, in lower case.  RFC 3865.
  package var refusedSolicitations: Set<String> = []
  /// Plaintext AUTH without TLS (only `dev` on loopback).
  package var allowsPlaintextAuthentication: Bool
  /// `dev`: submission accepts any sender and loops everything back to local accounts.
  package var acceptsAnySender: Bool
  package init(
    store: MailStore, authenticator: Authenticator, router: Router, tls: TLSServerContext?, hostname: String,
    clock: WallClock, logger: Logger, outgoing: OutgoingMail? = nil, limits: SMTPLimits = SMTPLimits(),
    allowsPlaintextAuthentication: Bool = false, acceptsAnySender: Bool = false,
    limitNotices: LimitNotices = LimitNotices()
  ) {
    self.limitNotices = limitNotices
    self.store = store
    deliver = { (body, deliveries, queued, sent, date) async throws(StoreError) in
      try await store.deliver(body, to: deliveries, queued: queued, internalDate: date, sent: sent)
    }
    self.authenticator = authenticator
    self.router = router
    self.outgoing = outgoing
    self.tls = tls
    self.hostname = hostname
    self.clock = clock
    self.logger = logger
    self.limits = limits
    self.allowsPlaintextAuthentication = allowsPlaintextAuthentication
    self.acceptsAnySender = acceptsAnySender
  }

  /// RFC 3865 §2.1: a refused class takes what is below it along.
  func refusesSolicitation(_ keyword: String) -> Bool {
    let keyword = keyword.lowercased()
    return refusedSolicitations.contains { keyword == $0 || keyword.hasPrefix($0 + ":") }
  }
}
