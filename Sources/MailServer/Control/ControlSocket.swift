import Bytes
import FoundationEssentials
import Logging
import Networking

/// The running server's side of the control socket: one JSON request a line, one JSON reply a line.
///
/// The socket is in the data directory, which only its owner can enter: whoever can open it may do everything.
struct ControlSession {
  let connection: Connection
  let perform: @Sendable (AdministrativeOperation) async -> AdministrativeReply

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
    return await send(await perform(operation))
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

/// Where the control socket of a data directory is.
package func controlSocketPath(in dataDirectory: String) -> String { "\(dataDirectory)/control.sock" }

/// Asks the server that holds the data directory. Nil where none answers there.
package func askServer(_ operation: AdministrativeOperation, dataDirectory: String, seconds: Int = 60)
  -> AdministrativeReply?
{
  guard let socket = try? LocalSocket(connectingTo: controlSocketPath(in: dataDirectory)),
    let request = try? JSONEncoder().encode(operation), socket.send(Array(request) + [0x0A])
  else { return nil }
  guard let line = socket.readLine(limit: 64 << 20, seconds: seconds) else {
    return .failed("the server took the request and gave no reply within \(seconds) seconds")
  }
  guard let reply = try? JSONDecoder().decode(AdministrativeReply.self, from: Data(line)) else {
    return .failed("the server's reply is not one that this version knows")
  }
  return reply
}
