package import Cryptography

/// What carries a `Connection`'s bytes: a NIO channel in the server, memory in tests.
package protocol ConnectionTransport: AnyObject, Sendable {
  /// Queues bytes for the peer, in order. May be called from any thread.
  func send(_ bytes: [UInt8])
  /// Bytes queued and not yet handed to the system.
  var pendingByteCount: Int { get }
  /// Suspends until less than the high-water mark is pending. Throws once the connection is gone.
  func waitUntilWritable() async throws(ConnectionError)
  /// Starts or stops reading from the peer: back-pressure.
  func setReading(_ enabled: Bool)
  /// Turns to TLS after everything queued has been sent, and returns when the handshake is done. Plaintext that has
  /// arrived and was not consumed has been dropped by then.
  func startTLS(_ side: TLSSide) async throws(ConnectionError) -> TLSInfo
  /// Calls `body` once after `delay` unless cancelled.
  func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> any ScheduledCall
  /// Closes after sending what is queued (`.afterSending`) or at once (`.abruptly`).
  func close(_ mode: CloseMode)
  /// Called by the connection each time its session has suspended in `waitForInput` (`Connection.isWaiting` is true by
  /// then, and may be false again). For tests, which wait for a dialogue to come to rest; a real transport ignores it.
  func sessionIsWaiting()
}

extension ConnectionTransport {
  package func sessionIsWaiting() {}
}

/// Which side of a handshake is ours.
package enum TLSSide: Sendable {
  case server(TLSServerContext)
  /// `serverName` is sent as SNI, and demanded of the certificate if the context verifies.
  case client(TLSClientContext, serverName: String)
}

package protocol ScheduledCall: Sendable {
  func cancel()
}

package enum CloseMode: Sendable {
  case afterSending
  case abruptly
}

package enum ConnectionError: Error, Sendable {
  /// The peer or we have closed it.
  case closed
  /// The TLS handshake failed; the text is for the log.
  case handshakeFailed(String)
  case timedOut
  /// It never came to a connection: refused, no route; the system's words are for the log.
  case unreachable(String)
}
