package import Cryptography
import Synchronization

/// One connection, owned by the one task that runs its session.
///
/// Bytes arrive from the transport into an inbox; the session takes what is there as often as it likes without
/// suspending and suspends in `waitForInput` only when it needs more. So a batch of pipelined commands costs one
/// wake-up, and the session writes its replies at once with `send`.
///
/// Everything but `interrupt()` and `close` is for the owning task only.
package final class Connection: Sendable {
  /// Unique in this process, on every log line of the connection.
  package let id: String
  /// After a PROXY header, the address that it names.
  package let remoteAddress: PeerAddress
  package let localPort: UInt16
  /// This end's, where we opened the connection; nil otherwise, and for local sockets.
  package let localAddress: IPAddress?

  /// Received and not yet consumed bytes. It belongs to the owning task alone, which is why no lock guards it.
  nonisolated(unsafe) package var received = ReceivedBytes()

  /// Told of every run of bytes the session takes or sends, decrypted, for looking for a fault. Set before the session
  /// runs; called by its task alone.
  nonisolated(unsafe) package var trace: (@Sendable (TraceDirection, [UInt8]) -> Void)?

  private let transport: any ConnectionTransport
  private let inboxLimit: Int
  private let shared: Mutex<Shared>

  /// Bytes pending in the transport beyond which `send` waits.
  private static let outputLimit = 65_536
  /// How long a peer may take to make room in a full output queue. RFC 5321 §4.5.3.2 gives a data block 3 minutes.
  package static let outputStallLimit = Duration.seconds(300)

  /// What the owning task, the transport and `interrupt()` touch at the same time.
  private struct Shared {
    /// Arrived and not yet moved to `received`.
    var inbox: [UInt8] = []
    /// How much of `inbox` arrived before the last `send`: it cannot be an answer to what was sent.
    var countBeforeLastSend = 0
    var end: EndOfInput?
    var canSend = true
    var isHandshakeOverdue = false
    var isInterrupted = false
    var isStopping = false
    /// The transport was told to stop reading.
    var isHeldBack = false
    var waiter: CheckedContinuation<InputEvent, Never>?
    /// Tells one wait from the next, so that a late timer ends nothing but its own.
    var waitNumber = 0
    var timedOutWait = -1
    var tls: TLSInfo?
  }

  /// - Parameter inboxLimit: bytes kept for a slow session before the transport is told to stop reading.
  package init(
    id: String, remoteAddress: PeerAddress, localPort: UInt16, localAddress: IPAddress? = nil, tls: TLSInfo?,
    transport: any ConnectionTransport, inboxLimit: Int = 65_536
  ) {
    self.id = id
    self.remoteAddress = remoteAddress
    self.localPort = localPort
    self.localAddress = localAddress
    self.transport = transport
    self.inboxLimit = inboxLimit
    shared = Mutex(Shared(tls: tls))
  }

  /// Non-nil once TLS protects the connection, from the start or by `startTLS`.
  package var tls: TLSInfo? { shared.withLock { $0.tls } }

  // MARK: Input

  /// Suspends until bytes arrive that are not yet in `received` and adds them to it, or until something else happens.
  /// An `interrupt()` from before the call is not lost.
  package func waitForInput(timeout: Duration) async -> InputEvent {
    let (due, number) = shared.withLock { shared in
      shared.waitNumber += 1
      return (Self.eventThatIsDue(&shared), shared.waitNumber)
    }
    if let due {
      if case .bytes = due { moveInbox() }
      return due
    }
    let timer = transport.schedule(after: timeout) { [weak self] in self?.endWait(number) }
    let event = await withCheckedContinuation { continuation in
      let due = shared.withLock { shared -> InputEvent? in
        if let due = Self.eventThatIsDue(&shared) { return due }
        if shared.timedOutWait == number { return .timedOut }
        shared.waiter = continuation
        return nil
      }
      if let due { continuation.resume(returning: due) } else { transport.sessionIsWaiting() }
    }
    timer.cancel()
    if case .bytes = event { moveInbox() }
    return event
  }

  /// Takes what has arrived into `received` without waiting. Returns true if there was anything.
  package func pollInput() -> Bool { moveInbox() }

  /// Makes the current or next `waitForInput` return `.interrupted`. From any thread.
  package func interrupt() {
    resumeWaiter(with: .interrupted) { $0.isInterrupted = true } consume: { $0.isInterrupted = false }
  }

  /// What `waitForInput` can return at once: input first, so that a chatty client and a chatty mailbox both get on.
  private static func eventThatIsDue(_ shared: inout Shared) -> InputEvent? {
    if !shared.inbox.isEmpty { return .bytes }
    if shared.isInterrupted {
      shared.isInterrupted = false
      return .interrupted
    }
    return shared.end.map { .ended($0) }
  }

  @discardableResult
  private func moveInbox() -> Bool {
    let (arrived, mayReadAgain) = shared.withLock { shared in
      let arrived = shared.inbox
      shared.inbox = []
      shared.countBeforeLastSend = 0
      let mayReadAgain = shared.isHeldBack
      shared.isHeldBack = false
      return (arrived, mayReadAgain)
    }
    if !arrived.isEmpty {
      received.append(arrived)
      trace?(.received, arrived)
    }
    if mayReadAgain { transport.setReading(true) }
    return !arrived.isEmpty
  }

  private func endWait(_ number: Int) {
    let waiter = shared.withLock { shared -> CheckedContinuation<InputEvent, Never>? in
      guard shared.waitNumber == number else { return nil }
      shared.timedOutWait = number
      defer { shared.waiter = nil }
      return shared.waiter
    }
    waiter?.resume(returning: .timedOut)
  }

  /// Notes a change and wakes the session if it waits, in which case it has been told and `consume` takes the note back.
  private func resumeWaiter(
    with event: InputEvent, note: (inout Shared) -> Void, consume: (inout Shared) -> Void = { _ in }
  ) {
    let waiter = shared.withLock { shared -> CheckedContinuation<InputEvent, Never>? in
      note(&shared)
      guard let waiter = shared.waiter else { return nil }
      shared.waiter = nil
      consume(&shared)
      return waiter
    }
    waiter?.resume(returning: event)
  }

  // MARK: Output

  /// Queues bytes for the peer, and suspends only while too much is already queued.
  /// - Parameter stallLimit: how long that may take; then the connection is closed.
  package func send(
    _ bytes: [UInt8], stallLimit: Duration = Connection.outputStallLimit
  ) async throws(ConnectionError) {
    let canSend = shared.withLock { shared in
      shared.countBeforeLastSend = shared.inbox.count
      return shared.canSend
    }
    guard canSend else { throw .closed }
    guard !bytes.isEmpty else { return }
    trace?(.sent, bytes)
    transport.send(bytes)
    guard transport.pendingByteCount > Self.outputLimit else { return }
    // A peer that never reads must not hold a session for ever.
    let timer = transport.schedule(after: stallLimit) { [transport] in transport.close(.abruptly) }
    defer { timer.cancel() }
    try await transport.waitUntilWritable()
  }

  /// Drops what was received in plaintext, then shakes hands as the server.  RFC 3207 §4.2, RFC 9051 §6.2.1, RFC 2595 §4.
  ///
  /// The reply that invites the peer to shake hands has to be the last thing sent: what arrived before it is dropped,
  /// what comes after it can only be the handshake and is given to TLS, never to the session.
  package func startTLS(_ context: TLSServerContext, timeout: Duration) async throws(ConnectionError) -> TLSInfo {
    received.removeAll()
    shared.withLock { shared in
      shared.inbox.removeFirst(min(shared.countBeforeLastSend, shared.inbox.count))
      shared.countBeforeLastSend = 0
    }
    return try await shakeHands(.server(context), timeout: timeout)
  }

  /// Drops what was received in plaintext, then shakes hands as the client. After the reply that agrees to TLS a server
  /// says nothing before our handshake, so whatever is there was put in by somebody else.
  package func startTLS(
    _ context: TLSClientContext, serverName: String, timeout: Duration
  ) async throws(ConnectionError) -> TLSInfo {
    received.removeAll()
    _ = takeBytesForHandshake()
    return try await shakeHands(.client(context, serverName: serverName), timeout: timeout)
  }

  private func shakeHands(_ side: TLSSide, timeout: Duration) async throws(ConnectionError) -> TLSInfo {
    let timer = transport.schedule(after: timeout) { [weak self] in
      guard let self else { return }
      shared.withLock { $0.isHandshakeOverdue = true }
      transport.close(.abruptly)
    }
    defer { timer.cancel() }
    let info: TLSInfo
    do {
      info = try await transport.startTLS(side)
    } catch {
      throw shared.withLock { $0.isHandshakeOverdue } ? .timedOut : error
    }
    shared.withLock { $0.tls = info }
    return info
  }

  package func close(_ mode: CloseMode = .afterSending) { transport.close(mode) }

  // MARK: Stopping

  /// True while the session is suspended in `waitForInput` with nothing to tell it: no input, interrupt, end or
  /// timeout is due. Tests see by it that a dialogue has come to rest.
  package var isWaiting: Bool { shared.withLock { $0.waiter != nil } }
  /// Set by `requestStop()`: the session is to take its leave at the next moment its protocol allows.
  package var isStopping: Bool { shared.withLock { $0.isStopping } }
  /// Asks the session to end, and interrupts it. From any thread.
  package func requestStop() {
    shared.withLock { $0.isStopping = true }
    interrupt()
  }

  // MARK: For the transport

  /// Bytes from the peer, decrypted.
  package func transportDidReceive(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    let (waiter, isOverLimit) = shared.withLock { shared in
      if shared.inbox.isEmpty { shared.inbox = bytes } else { shared.inbox.append(contentsOf: bytes) }
      let isOverLimit = shared.inbox.count > inboxLimit && !shared.isHeldBack
      if isOverLimit { shared.isHeldBack = true }
      let waiter = shared.waiter
      shared.waiter = nil
      return (waiter, isOverLimit)
    }
    if isOverLimit { transport.setReading(false) }
    waiter?.resume(returning: .bytes)
  }

  /// Nothing more will come. What has arrived is still given to the session first.
  package func transportDidEnd(_ end: EndOfInput) {
    resumeWaiter(with: .ended(end)) { shared in
      if shared.end == nil { shared.end = end }
      // After the peer's FIN it may still be answered; after a reset it may not.
      if case .reset = end { shared.canSend = false }
    }
  }

  /// What arrived after the reply to STARTTLS, before the transport had turned to TLS: the beginning of the handshake.
  package func takeBytesForHandshake() -> [UInt8] {
    shared.withLock { shared in
      defer { shared.inbox = [] }
      return shared.inbox
    }
  }
}

package enum TraceDirection: Sendable {
  case received
  case sent
}

package enum InputEvent: Sendable {
  /// `received` has grown.
  case bytes
  case interrupted
  case timedOut
  /// Nothing more will come.
  case ended(EndOfInput)
}

package enum EndOfInput: Sendable {
  /// The peer has finished (FIN, and close_notify under TLS).
  case closed
  /// TLS ended without close_notify: what came last may be cut off.
  case truncated
  /// Reset, or closed by us.
  case reset
}
