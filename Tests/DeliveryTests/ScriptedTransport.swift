import Cryptography
import Networking
import Synchronization
import TestSupport

/// Whoever is at the other end of a ``ScriptedTransport``.
protocol ScriptedPeer: AnyObject, Sendable {
  /// To a line without its end: a reply without its end, or nothing; and whether the connection is closed after it.
  func answer(_ line: String) -> (reply: String?, hangsUp: Bool)
}

/// A connection in memory whose other end answers line by line. Time stands still on it.
final class ScriptedTransport: ConnectionTransport {
  private struct State {
    var connection: Connection?
    var line: [UInt8] = []
    var replies: [UInt8] = []
    var isClosed = false
    var isPumping = false
  }
  private let peer: any ScriptedPeer
  private let clock: FakeClock
  private let state = Mutex(State())

  init(peer: any ScriptedPeer, clock: FakeClock) {
    self.peer = peer
    self.clock = clock
  }

  /// Call it once.
  func connection() -> Connection {
    let connection = Connection(
      id: "scripted", remoteAddress: .local, localPort: 25, tls: nil, transport: self)
    state.withLock { $0.connection = connection }
    return connection
  }

  func send(_ bytes: [UInt8]) {
    let pumps = state.withLock { state in
      guard !state.isClosed else { return false }
      for byte in bytes where byte != 0x0D {
        guard byte == 0x0A else {
          state.line.append(byte)
          continue
        }
        let (reply, hangsUp) = peer.answer(String(decoding: state.line, as: UTF8.self))
        state.line = []
        if let reply { state.replies += Array((reply + "\r\n").utf8) }
        if hangsUp { state.isClosed = true }
      }
      defer { state.isPumping = true }
      return !state.isPumping
    }
    // From elsewhere, as a network's would come.
    if pumps { Task { self.pump() } }
  }

  private func pump() {
    while true {
      let (connection, replies, isClosed) = state.withLock { state in
        defer { state.replies = [] }
        if state.replies.isEmpty { state.isPumping = false }
        return (state.connection, state.replies, state.isClosed)
      }
      if replies.isEmpty {
        if isClosed { connection?.transportDidEnd(.closed) }
        return
      }
      connection?.transportDidReceive(replies)
    }
  }

  func close(_ mode: CloseMode) {
    let connection = state.withLock { state in
      state.isClosed = true
      defer { state.connection = nil }
      return state.connection
    }
    connection?.transportDidEnd(.reset)
  }

  func schedule(after delay: Duration, _ body: @escaping @Sendable () -> Void) -> any ScheduledCall {
    clock.schedule(after: delay, body)
  }

  func startTLS(_ side: TLSSide) async throws(ConnectionError) -> TLSInfo { throw .closed }
  var pendingByteCount: Int { 0 }
  func waitUntilWritable() async throws(ConnectionError) {}
  func setReading(_ enabled: Bool) {}
}
