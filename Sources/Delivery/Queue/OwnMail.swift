import DKIM
package import MailStore
package import MessageFormat
package import SMTP

/// Mail that the server writes itself, on its way: in one commit it is where it belongs, in mailboxes here or in the
/// queue. What leaves is signed by the keys of the domain it comes from. It has the null reverse-path, so nothing ever
/// comes back for it.
package struct OwnMail: Sendable {
  package struct Letter: Sendable {
    package var recipient: EmailAddress
    /// Of the address in From.
    package var author: Domain
    /// The header, and the body up to `original`.
    package var head: [UInt8]
    /// A part of a message in the store that stands between head and tail.
    package var original: (content: ContentReference, range: Range<Int>)?
    package var tail: [UInt8] = []
    package var parameters = MailParameters()
    package var assurance = QueueDestination.Assurance.policy

    package init(to recipient: EmailAddress, from author: Domain, head: [UInt8]) {
      self.recipient = recipient
      self.author = author
      self.head = head
    }

    fileprivate var size: Int { head.count + (original?.range.count ?? 0) + tail.count }
  }

  private let store: MailStore
  private let router: Router
  private let keys: DomainKeys?
  private let routes: OutboundRoutes
  private let clock: WallClock

  /// - Parameter keys: nil: nothing is signed.
  package init(
    store: MailStore, router: Router, keys: DomainKeys?, routes: OutboundRoutes = OutboundRoutes(), clock: WallClock
  ) {
    self.routes = routes
    self.store = store
    self.router = router
    self.keys = keys
    self.clock = clock
  }

  /// Whether what leaves in the name of this domain has a signature.
  package func signs(for author: Domain) -> Bool { !identifiers(author).isEmpty }

  private func identifiers(_ author: Domain) -> [SigningIdentifier] { keys?.identifiers(covering: author) ?? [] }

  /// - Parameters:
  ///   - schedule: how long it is tried.
  ///   - progress: what changes in the same commit.
  /// - Returns: false where there is no such recipient here, and nothing was done.
  package func send(
    _ letter: Letter, _ schedule: RetrySchedule, progress: QueueProgress
  ) async throws(StoreError) -> Bool {
    let (accounts, elsewhere): ([AccountID], [EmailAddress])
    switch try await router.route(letter.recipient, from: .server) {
    case .deliver(let found, let others): (accounts, elsewhere) = (found, others)
    case .remote: (accounts, elsewhere) = ([], [letter.recipient])
    case .unknown, .loop, .closed: return false
    }
    let now = clock.now()
    let end = letter.head.withUnsafeBytes { HeaderFields.headerEnd(in: $0) }
    let signature = RunningSignature(
      header: Array(letter.head[..<end]), keys: elsewhere.isEmpty ? [] : identifiers(letter.author), now: now)
    signature?.update(letter.head[end...])
    let body = try await stage(letter, signature)
    let plan = LocalDeliveryPlan(
      recipients: accounts.isEmpty ? [] : [AcceptedRecipient(address: letter.recipient, accounts: accounts)], from: nil,
      received: nil, enforcesQuota: false)
    var queued: [NewQueuedMessage] = []
    if !elsewhere.isEmpty {
      queued.append(
        NewQueuedMessage(
          sender: nil, account: nil, letter.parameters, prefix: signature?.finish() ?? [],
          recipients: elsewhere.map { ($0, nil) }, assurance: letter.assurance,
          QueueTimes(letter.parameters, schedule, now: now, release: nil), routes))
    }
    _ = try await store.deliver(
      body, to: plan.deliveries, queued: queued, internalDate: DateTime(timestamp: now, offsetMinutes: 0),
      progress: progress)
    return true
  }

  private func stage(_ letter: Letter, _ signature: RunningSignature?) async throws(StoreError) -> StagedBody {
    let stage = store.stageBody(expectedSize: letter.size)
    do throws(StoreError) {
      try await stage.append(letter.head)
      if let (content, range) = letter.original {
        var pieces = store.pieces(of: content, range)
        while let piece = try await pieces.next() {
          signature?.update(piece)
          try await stage.append(piece)
        }
      }
      signature?.update(letter.tail)
      try await stage.append(letter.tail)
      return try await stage.finish()
    } catch {
      stage.discard()
      throw error
    }
  }
}
