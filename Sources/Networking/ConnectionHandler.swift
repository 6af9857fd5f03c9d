import Cryptography
import NIOCore

/// What happens to a channel before its session begins, and who hears of it.
struct ConnectionSetup {
  enum Security {
    case plaintext
    case server(TLSServerContext, applicationProtocols: [String])
    case client(TLSClientContext, serverName: String?)
  }

  /// The connection is over a limit: it gets `refusal` and is closed.
  var isRefused = false
  var refusal: [UInt8] = []
  var expectsProxyHeader = false
  var security = Security.plaintext
  /// For a PROXY header and a TLS handshake from the start, together.
  var timeout: Duration
  /// Called once with the client a PROXY header names, or nil if it names none. False: it is not wanted here.
  var proxyHeaderDidArrive: (PeerAddress?) -> Bool = { _ in true }
  /// Called once when bytes can flow; makes the connection and starts its session.
  var didOpen: (TLSInfo?) -> Connection?
  /// Called instead if it never gets so far; the text is for the log.
  var didFail: (ConnectionError, String) -> Void
  /// Called once at the very end.
  var didClose: () -> Void
}

/// One channel's life on its event loop: PROXY header, TLS, bytes in and out, the end.
///
/// It is the only handler of its pipeline. TLS is a value it asks, not a handler of its own, which saves an idle
/// connection a kilobyte and each batch of bytes two calls.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Phase {
    case waitingForProxyHeader([UInt8])
    /// `completion` is STARTTLS's; from the start there is none.
    case handshaking(TLSSession, completion: ((Result<TLSInfo, ConnectionError>) -> Void)?)
    case open(TLSSession?)
    /// Everything has been sent; the peer's FIN is awaited so that no reset overtakes our last reply.
    case lingering
    case closed
  }

  /// How long the last reply may take to leave, and how long we then wait for the peer's FIN.
  private static let lastFlushLimit = TimeAmount.seconds(30)
  private static let lingerLimit = TimeAmount.seconds(3)
  /// A server that stops does not wait long for clients that do not go.
  private static let lingerLimitAtStop = TimeAmount.milliseconds(500)

  private let setup: ConnectionSetup
  private let transport: ChannelTransport
  private var phase = Phase.open(nil)
  private var context: ChannelHandlerContext?
  private var connection: Connection?
  private var setupTimeout: Scheduled<Void>?
  /// Plaintext that has arrived and is handed on when NIO has read what there was.
  private var arrived: [UInt8] = []
  private var hasReachedEnd = false
  private var hasBegun = false
  /// The setup has been told how it went.
  private var isSettled = false
  /// `close(.afterSending)` has been asked for.
  private var isClosing = false

  init(setup: ConnectionSetup, transport: ChannelTransport) {
    self.setup = setup
    self.transport = transport
    transport.handler = self
  }

  // MARK: Beginning

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { begin() }
  }

  func channelActive(context: ChannelHandlerContext) { begin() }

  private func begin() {
    guard let context, !hasBegun else { return }
    hasBegun = true
    if setup.isRefused { return refuse() }
    if case .plaintext = setup.security, !setup.expectsProxyHeader {
      open(nil)
      return
    }
    setupTimeout = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(setup.timeout)) { [weak self] in
      self?.fail(.timedOut, "no complete PROXY header or TLS handshake in time")
    }
    if setup.expectsProxyHeader {
      phase = .waitingForProxyHeader([])
    } else {
      secure()
    }
  }

  private func secure() {
    do throws(TLSError) {
      switch setup.security {
      case .plaintext:
        open(nil)
      case .server(let tls, let applicationProtocols):
        phase = .handshaking(
          try TLSSession(server: tls, applicationProtocols: applicationProtocols), completion: nil)
      case .client(let tls, let serverName):
        let session = try TLSSession(client: tls, serverName: serverName)
        phase = .handshaking(session, completion: nil)
        try session.startHandshake()
        write(session.takeOutput(), plaintextCount: 0)
      }
    } catch {
      fail(.handshakeFailed(error.description), error.description)
    }
  }

  private func open(_ session: TLSSession?) {
    setupTimeout?.cancel()
    setupTimeout = nil
    phase = .open(session)
    isSettled = true
    connection = setup.didOpen(session?.info)
    if connection == nil { abort() }
  }

  /// STARTTLS: everything queued goes out in plaintext, then the handshake is awaited.
  func startTLS(_ side: TLSSide, completion: @escaping (Result<TLSInfo, ConnectionError>) -> Void) {
    flush()
    guard case .open(nil) = phase, !isClosing, !hasReachedEnd else { return completion(.failure(.closed)) }
    var early = (connection?.takeBytesForHandshake() ?? []) + arrived
    arrived = []
    let session: TLSSession
    do throws(TLSError) {
      switch side {
      case .server(let tls):
        session = try TLSSession(server: tls)
      case .client(let tls, let serverName):
        // Nothing a server has said before our first flight is part of the handshake.
        early = []
        session = try TLSSession(client: tls, serverName: serverName)
        try session.startHandshake()
      }
    } catch {
      return completion(.failure(.handshakeFailed(error.description)))
    }
    phase = .handshaking(session, completion: completion)
    if session.hasOutput { write(session.takeOutput(), plaintextCount: 0) }
    if !early.isEmpty {
      early.withUnsafeBytes { decrypt($0, session) }
      deliver()
    }
    // It may have been held back by what has just been dropped.
    setReading(true)
  }

  // MARK: Input

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    unwrapInboundIn(data).withUnsafeReadableBytes { take($0) }
  }

  private func take(_ bytes: UnsafeRawBufferPointer) {
    switch phase {
    case .waitingForProxyHeader(let before): readProxyHeader(before + bytes)
    case .handshaking(let session, _): decrypt(bytes, session)
    case .open(let session?): decrypt(bytes, session)
    case .open(nil): arrived.append(contentsOf: bytes)
    case .lingering, .closed: break
    }
  }

  private func readProxyHeader(_ bytes: [UInt8]) {
    switch ProxyHeader.parse(bytes) {
    case .needsMore:
      phase = .waitingForProxyHeader(bytes)
    case .malformed:
      fail(.closed, "no PROXY header from a proxy")
    case .header(let header):
      let client: PeerAddress? = if case .client(let address) = header.source { address } else { nil }
      guard setup.proxyHeaderDidArrive(client) else { return refuse() }
      phase = .open(nil)
      secure()
      if header.count < bytes.count { bytes[header.count...].withUnsafeBytes { take($0) } }
    }
  }

  private func decrypt(_ bytes: UnsafeRawBufferPointer, _ session: TLSSession) {
    guard !session.hasReceivedClose else { return }
    do throws(TLSError) {
      try session.receive(bytes, into: &arrived)
    } catch {
      // There may be an alert that tells the peer why.
      write(session.takeOutput(), plaintextCount: 0)
      fail(.handshakeFailed(error.description), error.description)
      return
    }
    if session.hasOutput { write(session.takeOutput(), plaintextCount: 0) }
    if case .handshaking(_, let completion) = phase, let info = session.info {
      if let completion {
        phase = .open(session)
        completion(.success(info))
        flush()
      } else {
        open(session)
      }
    }
    if session.hasReceivedClose {
      deliver()
      connection?.transportDidEnd(.closed)
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) { deliver() }

  private func deliver() {
    guard !arrived.isEmpty, let connection else { return }
    let bytes = arrived
    arrived = []
    connection.transportDidReceive(bytes)
  }

  func setReading(_ enabled: Bool) {
    // After the end of input there is nothing to hold back, and while lingering the FIN has to be seen.
    guard let context, enabled || !isClosing else { return }
    try? context.channel.syncOptions?.setOption(.autoRead, value: enabled)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .some(.inputClosed) = event as? ChannelEvent else { return }
    hasReachedEnd = true
    switch phase {
    case .waitingForProxyHeader: fail(.closed, "closed before the PROXY header")
    case .handshaking: fail(.closed, "closed within the TLS handshake")
    case .open(let session):
      deliver()
      // RFC 8446 §6.1: without close_notify somebody else may have cut the connection.
      if let session {
        if !session.hasReceivedClose { connection?.transportDidEnd(.truncated) }
      } else {
        connection?.transportDidEnd(.closed)
      }
    case .lingering: abort()
    case .closed: break
    }
  }

  // MARK: Output

  /// Sends what the session has queued.
  func flush() {
    guard case .open(let session) = phase, context != nil else { return }
    let queue = transport.takeQueue()
    guard !queue.isEmpty else { return }
    let count = queue.reduce(0) { $0 + $1.count }
    guard let session else {
      write(queue, plaintextCount: count)
      return
    }
    do throws(TLSError) {
      for bytes in queue { try session.send(bytes) }
    } catch {
      fail(.closed, error.description)
      return
    }
    write(session.takeOutput(), plaintextCount: count)
  }

  private func write(_ bytes: [UInt8], plaintextCount: Int) { write([bytes], plaintextCount: plaintextCount) }

  private func write(_ pieces: [[UInt8]], plaintextCount: Int) {
    guard let context else { return }
    let count = pieces.reduce(0) { $0 + $1.count }
    guard count > 0 else { return }
    var buffer = context.channel.allocator.buffer(capacity: count)
    for piece in pieces { buffer.writeBytes(piece) }
    guard plaintextCount > 0 else {
      context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
      return
    }
    let promise = context.eventLoop.makePromise(of: Void.self)
    let transport = transport
    promise.futureResult.whenComplete { _ in transport.didSend(plaintextCount) }
    context.writeAndFlush(wrapOutboundOut(buffer), promise: promise)
  }

  // MARK: The end

  func close(_ mode: CloseMode) {
    guard let context, !isClosing || mode == .abruptly else { return }
    guard mode == .afterSending, case .open(let session) = phase else { return abort() }
    flush()
    isClosing = true
    if let session {
      session.sendClose()
      write(session.takeOutput(), plaintextCount: 0)
    }
    finishSending(context)
  }

  /// For those who are over a limit. Under TLS the words would need a handshake first, which is exactly what a flood must
  /// not get.
  private func refuse() {
    guard let context else { return }
    isClosing = true
    isSettled = true
    if case .plaintext = setup.security { write(setup.refusal, plaintextCount: 0) }
    phase = .lingering
    finishSending(context)
  }

  /// Once everything has left: our FIN, then a short wait for the peer's. Closing at once would answer input still on its
  /// way with a reset, which may destroy our last reply at the peer.
  private func finishSending(_ context: ChannelHandlerContext) {
    let loop = context.eventLoop.assumeIsolated()
    setupTimeout = loop.scheduleTask(in: Self.lastFlushLimit) { [weak self] in self?.abort() }
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { [weak self] _ in self?.linger() }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
  }

  private func linger() {
    setupTimeout?.cancel()
    guard let context, !hasReachedEnd else { return abort() }
    if case .closed = phase { return }
    phase = .lingering
    setReading(true)
    context.close(mode: .output, promise: nil)
    let limit = connection?.isStopping == true ? Self.lingerLimitAtStop : Self.lingerLimit
    setupTimeout = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [weak self] in
      self?.abort()
    }
  }

  private func fail(_ error: ConnectionError, _ reason: String) {
    if case .handshaking(_, let completion?) = phase {
      phase = .closed
      completion(.failure(error))
    } else if connection == nil {
      failSetup(error, reason)
    } else {
      deliver()
      connection?.transportDidEnd(.truncated)
    }
    abort()
  }

  private func failSetup(_ error: ConnectionError, _ reason: String) {
    guard !isSettled else { return }
    isSettled = true
    setup.didFail(error, reason)
  }

  private func abort() {
    setupTimeout?.cancel()
    setupTimeout = nil
    context?.close(mode: .all, promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { abort() }

  func channelInactive(context: ChannelHandlerContext) { finish() }
  func handlerRemoved(context: ChannelHandlerContext) { finish() }

  private func finish() {
    if self.context == nil { return }
    let before = phase
    phase = .closed
    deliver()
    if case .handshaking(_, let completion?) = before { completion(.failure(.closed)) }
    // Of several addresses tried at once, those that never got through are not the setup's business.
    if connection == nil, hasBegun { failSetup(.closed, "closed before it was ready") }
    setupTimeout?.cancel()
    setupTimeout = nil
    connection?.transportDidEnd(.reset)
    connection = nil
    context = nil
    transport.didClose()
    setup.didClose()
  }
}
