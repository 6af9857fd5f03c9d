import Bytes
import Networking

/// What travels over a control connection that has become a stream of mail: a kind (one octet), a length (four,
/// big-endian) and a payload.
struct TransferFrame: Equatable {
  enum Kind: UInt8 {
    // From the command.
    case mailbox = 0x4D  // M: an origin; answered by `settled`
    case offers = 0x4F  // O: messages of it, without bodies; answered by `news`
    case facts = 0x46  // F: the message whose octets came before
    case abandoned = 0x58  // X: what came of a message is void
    case leave = 0x4C  // L: no more of this origin; answered by `left`
    case end = 0x45  // E: no more of anything; answered by `ended`

    // From the server.
    case settled = 0x6D  // m
    case news = 0x6F  // o
    case stored = 0x73  // s: a commit is done
    case left = 0x6C  // l
    case ended = 0x65  // e
    /// Why it ends here, in words.
    case failed = 0x66  // f
    case exportedMailbox = 0x62  // b
    case exportedMessage = 0x68  // h: its octets follow
    case exportProblem = 0x70  // p: the message cannot be read

    // From both.
    case octets = 0x43  // C: of a message
  }

  var kind: Kind
  var payload: [UInt8]

  /// A window of offers with long keywords is the most there is.
  static let payloadLimit = 8 << 20
  static let headerSize = 5

  enum Parsed: Equatable {
    case needsMore
    case frame(TransferFrame, consumed: Int)
    case malformed
  }

  static func parse(_ bytes: UnsafeRawBufferPointer) -> Parsed {
    guard bytes.count >= headerSize else { return .needsMore }
    let count = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
    guard let kind = Kind(rawValue: bytes[0]), count <= payloadLimit else { return .malformed }
    guard bytes.count - headerSize >= count else { return .needsMore }
    let payload = Array(bytes[headerSize..<headerSize + count])
    return .frame(TransferFrame(kind: kind, payload: payload), consumed: headerSize + count)
  }
}

/// A connection of frames. Output gathers until it is worth sending, or until `flush`.
final class TransferChannel {
  enum Failure: Error {
    case closed
    case malformed
    case timedOut
    case stopping
  }

  private let connection: Connection
  private var output: [UInt8] = []

  private static let outputLimit = 128 << 10

  init(_ connection: Connection) { self.connection = connection }

  func send(_ kind: TransferFrame.Kind, _ payload: [UInt8] = []) async throws(Failure) {
    appendHeader(kind, payload.count)
    output.append(contentsOf: payload)
    if output.count >= Self.outputLimit { try await flush() }
  }

  func send(_ kind: TransferFrame.Kind, _ payload: UnsafeRawBufferPointer) {
    appendHeader(kind, payload.count)
    output.append(contentsOf: payload)
  }

  var isFull: Bool { output.count >= Self.outputLimit }

  private func appendHeader(_ kind: TransferFrame.Kind, _ count: Int) {
    output.append(kind.rawValue)
    withUnsafeBytes(of: UInt32(count).bigEndian) { output.append(contentsOf: $0) }
  }

  func flush() async throws(Failure) {
    guard !output.isEmpty else { return }
    let bytes = output
    output = []
    do throws(ConnectionError) { try await connection.send(bytes) } catch { throw .closed }
  }

  /// A frame that has arrived already.
  func poll() throws(Failure) -> TransferFrame? {
    if let frame = try take() { return frame }
    return connection.pollInput() ? try take() : nil
  }

  /// Sends what has gathered and waits.
  func next(timeout: Duration) async throws(Failure) -> TransferFrame {
    while true {
      if let frame = try poll() { return frame }
      try await flush()
      switch await connection.waitForInput(timeout: timeout) {
      case .bytes: continue
      case .interrupted: if connection.isStopping { throw .stopping }
      case .timedOut: throw .timedOut
      case .ended: throw .closed
      }
    }
  }

  private func take() throws(Failure) -> TransferFrame? {
    let parsed = connection.received.consume { bytes in
      let parsed = TransferFrame.parse(bytes)
      if case .frame(_, let consumed) = parsed { return (consumed, parsed) }
      return (0, parsed)
    }
    switch parsed {
    case .needsMore: return nil
    case .frame(let frame, _): return frame
    case .malformed: throw .malformed
    }
  }

  func close() { connection.close() }
}
