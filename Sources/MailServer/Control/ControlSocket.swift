import Bytes
import FoundationEssentials
import Logging
package import MailStore
import Networking

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The running server's side of the control socket: one JSON request a line, one JSON reply a line. Before the reply to
/// a long operation come lines of progress. A client that goes away cancels its operation. Two operations turn the
/// connection into a stream of mail, which ends it.
///
/// The socket is in the data directory, which only its owner can enter: whoever can open it may do everything.
struct ControlSession {
  let connection: Connection
  let administration: Administration
  /// The server's own matter; nil where none is running.
  let status: @Sendable () -> ServerStatus?

  /// Between two lines of progress.
  private static let progressInterval = Duration.milliseconds(100)
  /// An alias may have thousands of targets; nothing else comes near.
  private static let lineLimit = 1 << 20
  /// A command sends its request at once and goes away after the reply.
  private static let idleLimit = Duration.seconds(60)

  mutating func run() async {
    while true {
      switch connection.received.takeLine(limit: Self.lineLimit, ending: .crlfOrLF) {
      case .line(let line): guard await answer(line) else { return }
      case .tooLong: guard await send(.failed("the request is longer than \(Self.lineLimit) octets")) else { return }
      case .needsMore:
        switch await connection.waitForInput(timeout: Self.idleLimit) {
        case .bytes: continue
        case .interrupted: if connection.isStopping { return }
        case .timedOut, .ended: return
        }
      }
    }
  }

  private func answer(_ line: [UInt8]) async -> Bool {
    guard let operation = try? JSONDecoder().decode(AdministrativeOperation.self, from: Data(line)) else {
      return await send(.failed("the request is not one that this version knows"))
    }
    switch await administration.stream(for: operation) {
    case .refused(let text)?: return await send(.failed(text))
    case .open(let stream)?:
      guard await send(.stream) else { return false }
      // A session of its own task runs on its connection's event loop. Reading thousands of messages is not for there.
      await Task { [connection] in await stream(connection) }.value
      return false
    case nil: break
    }
    // Only the newest is of interest, and the reply comes last.
    let (replies, continuation) = AsyncStream.makeStream(
      of: AdministrativeReply.self, bufferingPolicy: .bufferingNewest(1))
    let task = Task {
      continuation.yield(await perform(operation) { continuation.yield(.progress($0)) })
      continuation.finish()
    }
    var lastProgress: ContinuousClock.Instant?
    for await reply in replies {
      if case .progress = reply {
        let now = ContinuousClock.now
        if let lastProgress, now - lastProgress < Self.progressInterval { continue }
        lastProgress = now
      }
      guard await send(reply) else {
        task.cancel()
        return false
      }
    }
    return true
  }

  private func perform(
    _ operation: AdministrativeOperation, progress: @escaping ProgressHandler
  ) async -> AdministrativeReply {
    if operation == .status, let status = status() { return .status(status) }
    return await administration.perform(operation, progress: progress)
  }

  private func send(_ reply: AdministrativeReply) async -> Bool {
    guard let data = try? JSONEncoder().encode(reply) else { return false }
    do throws(ConnectionError) {
      try await connection.send(Array(data) + [0x0A])
      return true
    } catch {
      return false
    }
  }
}

/// Takes commands on a unix socket, which only the owner of this process can connect to.
/// - Parameter path: what a stopped server has left there is removed; the store's lock says that none is running.
func listenForCommands(
  at path: String, _ administration: Administration, status: @escaping @Sendable () -> ServerStatus? = { nil },
  logger: Logger
) async throws -> Listener {
  unlink(path)
  let listener = try await Listener.start(
    ListenerConfiguration(endpoint: .local(path: path), security: .plaintext), logger: logger
  ) { connection in
    var session = ControlSession(connection: connection, administration: administration, status: status)
    await session.run()
  }
  chmod(path, 0o600)
  return listener
}

/// Where the control socket of a data directory is.
package func controlSocketPath(in dataDirectory: String) -> String { "\(dataDirectory)/control.sock" }

/// Asks the server that holds the data directory. Nil where none answers there.
/// - Parameter seconds: how long to wait for each line: for the next report of progress, or the reply.
package func askServer(
  _ operation: AdministrativeOperation, dataDirectory: String, seconds: Int = 60, progress: ProgressHandler = { _ in }
) -> AdministrativeReply? {
  guard var socket = try? LocalSocket(connectingTo: controlSocketPath(in: dataDirectory)),
    let request = try? JSONEncoder().encode(operation), socket.send(Array(request) + [0x0A])
  else { return nil }
  while true {
    guard let line = socket.readLine(limit: 64 << 20, seconds: seconds) else {
      return .failed("the server took the request and gave no reply within \(seconds) seconds")
    }
    guard let reply = try? JSONDecoder().decode(AdministrativeReply.self, from: Data(line)) else {
      return .failed("the server's reply is not one that this version knows")
    }
    guard case .progress(let reported) = reply else { return reply }
    progress(reported)
  }
}
