package import Cryptography
package import Networking
import Synchronization

/// How a connection of a transcript comes about.
package struct ConnectionRequest: Sendable {
  /// What kind of listener it came to, such as `submission`; the test target knows what it means. Empty by default.
  package var role = ""
  package var remote = PeerAddress.internet(IPAddress(bytes: [192, 0, 2, 7])!, port: 40_000)
  package var tls: TLSInfo?

  package init() {}

  /// What a finished handshake in a transcript settles.
  package static func tlsInfo(certificateFor email: String? = nil) -> TLSInfo {
    var info = TLSInfo(version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384")
    info.exporterBinding = [UInt8](repeating: 0x42, count: 32)
    info.endPointBinding = [UInt8](repeating: 0x43, count: 32)
    if let email {
      info.peerCertificate = Array("certificate of \(email)".utf8)
      info.peerCertificateIsTrusted = true
      info.peerEmailAddresses = [email]
    }
    return info
  }
}

/// A client in a test: its connection, the session on the other side, and what of the session's output has been read.
package final class ScriptedClient: Sendable {
  package let request: ConnectionRequest
  package let connection: Connection
  package let transport: InMemoryTransport
  private let activity: Activity
  private let session: Task<Void, Never>
  private let hasEnded: Ended
  private let positions = Mutex((read: 0, lastSend: 0))

  private final class Ended: Sendable {
    let value = Mutex(false)
  }

  /// Connects and starts the session.
  package init(
    id: String, request: ConnectionRequest, clock: FakeClock, activity: Activity,
    session: @escaping @Sendable (Connection) async -> Void
  ) {
    self.request = request
    self.activity = activity
    let transport = InMemoryTransport(clock: clock, activity: activity)
    let connection = Connection(
      id: id, remoteAddress: request.remote, localPort: 0, tls: request.tls, transport: transport)
    transport.attach(connection)
    let ended = Ended()
    self.transport = transport
    self.connection = connection
    hasEnded = ended
    self.session = Task {
      await session(connection)
      connection.close()
      ended.value.withLock { $0 = true }
      activity.happened()
    }
  }

  package var sessionHasEnded: Bool { hasEnded.value.withLock { $0 } }

  /// True while the session waits for this client or for time to pass, or has ended.
  package var isAtRest: Bool {
    sessionHasEnded || (transport.isDrained && (connection.isWaiting || transport.isBlocked))
  }

  package func send(_ bytes: [UInt8]) {
    positions.withLock { $0.lastSend = transport.outputCount }
    transport.deliver(bytes)
  }

  /// What the server has sent that has not been read.
  package var unread: ArraySlice<UInt8> { transport.output(from: positions.withLock { $0.read }) }
  /// What the server has sent since the client last sent something.
  package var sinceLastSend: ArraySlice<UInt8> { transport.output(from: positions.withLock { $0.lastSend }) }

  package func markRead(_ count: Int) { positions.withLock { $0.read += count } }

  /// Takes the next whole line, without its CRLF, if one is there.
  package func takeLine() -> [UInt8]? {
    let bytes = unread
    var index = bytes.startIndex
    while let end = bytes[index...].firstIndex(of: 0x0A) {
      if end > bytes.startIndex, bytes[end - 1] == 0x0D {
        markRead(end + 1 - bytes.startIndex)
        return Array(bytes[bytes.startIndex..<end - 1])
      }
      index = end + 1
    }
    return nil
  }

  /// The next line, for actions of a test target; nil when the server has closed or the watchdog has bitten.
  package func nextLine() async -> [UInt8]? {
    let answer: [UInt8]?? = await activity.wait {
      if let line = takeLine() { return .some(line) }
      return sessionHasEnded ? .some(nil) : nil
    }
    return answer ?? nil
  }
}
