package import Cryptography

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

  /// - Parameter inboxLimit: bytes kept for a slow session before the transport is told to stop reading.
  package init(
    id: String, remoteAddress: PeerAddress, localPort: UInt16, tls: TLSInfo?, transport: any ConnectionTransport,
    inboxLimit: Int = 65_536
  ) { fatalError("skeleton") }

  /// Non-nil once TLS protects the connection, from the start or by `startTLS`.
  package var tls: TLSInfo? { fatalError("skeleton") }

  /// Received and not yet consumed bytes.
  package var received: ReceivedBytes {
    get { fatalError("skeleton") }
    set { fatalError("skeleton") }
  }

  /// Suspends until bytes arrive that are not yet in `received` and adds them to it, or until something else happens.
  /// An `interrupt()` from before the call is not lost.
  package func waitForInput(timeout: Duration) async -> InputEvent { fatalError("skeleton") }

  /// Takes what has arrived into `received` without waiting. Returns true if there was anything.
  package func pollInput() -> Bool { fatalError("skeleton") }

  /// Makes the current or next `waitForInput` return `.interrupted`. From any thread.
  package func interrupt() { fatalError("skeleton") }

  /// Queues bytes for the peer, and suspends only while too much is already queued.
  package func send(_ bytes: [UInt8]) async throws(ConnectionError) { fatalError("skeleton") }

  /// Drops what was received in plaintext, then shakes hands as the server.  RFC 3207 §4.2, RFC 9051 §6.2.1, RFC 2595 §4.
  package func startTLS(_ context: TLSServerContext, timeout: Duration) async throws(ConnectionError) -> TLSInfo {
    fatalError("skeleton")
  }

  package func close(_ mode: CloseMode = .afterSending) { fatalError("skeleton") }

  /// True while the session is suspended in `waitForInput` with nothing to tell it: no input, interrupt, end or
  /// timeout is due. Tests see by it that a dialogue has come to rest.
  package var isWaiting: Bool { fatalError("skeleton") }
  /// Set by `requestStop()`: the session is to take its leave at the next moment its protocol allows.
  package var isStopping: Bool { fatalError("skeleton") }
  /// Asks the session to end, and interrupts it. From any thread.
  package func requestStop() { fatalError("skeleton") }

  // MARK: For the transport

  /// Bytes from the peer, decrypted.
  package func transportDidReceive(_ bytes: [UInt8]) { fatalError("skeleton") }
  package func transportDidEnd(_ end: EndOfInput) { fatalError("skeleton") }
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
