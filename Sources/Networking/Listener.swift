import Cryptography
package import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A bound socket whose connections are each given to one task.
package final class Listener: Sendable {
  private struct State {
    var channel: (any Channel)?
    var isStopped = false
  }

  private let configuration: ListenerConfiguration
  private let logger: Logger
  private let session: @Sendable (Connection) async -> Void
  private let socket: ListeningSocket
  private let registry: ConnectionRegistry
  private let group = MultiThreadedEventLoopGroup.singleton
  private let state = Mutex(State())

  /// How long `accept` is left alone after it has failed.
  fileprivate static let acceptPause = TimeAmount.seconds(1)
  /// What sessions get to notice that their connection has been closed under them.
  private static let abruptEndLimit = TimeAmount.seconds(5)

  /// The port that was bound; 0 for local sockets.
  package var port: UInt16 { socket.port }
  /// Connections that are open now.
  package var connectionCount: Int { registry.count }

  /// Binds and begins to accept. `session` runs in a task of its own for each connection; the connection is closed when
  /// it returns.
  package static func start(
    _ configuration: ListenerConfiguration, logger: Logger,
    session: @escaping @Sendable (Connection) async -> Void
  ) async throws -> Listener {
    let listener = try Listener(configuration, logger: logger, session: session)
    do {
      try await listener.accept().get()
    } catch {
      listener.socket.close()
      throw ListenError(endpoint: configuration.endpoint, reason: "\(error)")
    }
    return listener
  }

  private init(
    _ configuration: ListenerConfiguration, logger: Logger, session: @escaping @Sendable (Connection) async -> Void
  ) throws(ListenError) {
    self.configuration = configuration
    self.logger = logger
    self.session = session
    socket = try ListeningSocket(configuration)
    registry = ConnectionRegistry(
      maximum: configuration.maximumConnections, maximumPerAddress: configuration.maximumConnectionsPerAddress)
  }

  /// Closes the listening socket. Sessions go on.
  package func stopAccepting() async {
    let channel = state.withLock { state -> (any Channel)? in
      guard !state.isStopped else { return nil }
      state.isStopped = true
      socket.close()
      return state.channel
    }
    try? await channel?.close()
  }

  /// Waits until all sessions have ended, or closes the rest after `limit`.
  package func drain(within limit: Duration) async {
    let registry = registry
    registry.beginDraining()
    let limit = TimeAmount(limit)
    let loop = group.next()
    let closing = loop.scheduleTask(in: limit) { registry.closeAll() }
    let givingUp = loop.scheduleTask(in: limit + Self.abruptEndLimit) { registry.giveUp() }
    await registry.waitUntilEmpty()
    closing.cancel()
    givingUp.cancel()
  }

  // MARK: Accepting

  private func accept() -> EventLoopFuture<Void> {
    guard let descriptor = socket.duplicate() else {
      return group.next().makeFailedFuture(ChannelError.operationUnsupported)
    }
    var bootstrap = ServerBootstrap(group: group)
      .serverChannelInitializer { [logger] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: logger))
        }
      }
      // NIO calls `listen` once more with a backlog of its own.
      .serverChannelOption(.backlog, value: ListeningSocket.backlog)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.recvAllocator, value: ReceiveBuffers())
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelInitializer { [self] channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(handler(for: channel))
        }
      }
    if !socket.isLocal { bootstrap = bootstrap.childChannelOption(.tcpOption(.tcp_nodelay), value: 1) }
    return bootstrap.withBoundSocket(descriptor).map { [self] channel in
      let isStopped = state.withLock { state in
        state.channel = channel
        return state.isStopped
      }
      if isStopped { channel.close(promise: nil) }
      channel.closeFuture.whenComplete { [weak self] _ in self?.acceptAgainLater() }
    }
  }

  /// NIO has closed the accepting channel. If we did not ask for it, another goes on after a pause.
  private func acceptAgainLater() {
    guard !state.withLock({ $0.isStopped }) else { return }
    logger.warning("accept_interrupted", metadata: ["port": "\(port)"])
    _ = group.next().scheduleTask(in: Self.acceptPause) { [weak self] in
      guard let self, !state.withLock({ $0.isStopped }) else { return }
      accept().whenFailure { [weak self] _ in self?.acceptAgainLater() }
    }
  }

  // MARK: One connection

  private func handler(for channel: any Channel) -> ConnectionHandler {
    let transport = ChannelTransport(eventLoop: channel.eventLoop)
    let (id, isWelcome) = registry.accepted(transport)
    let peer = Peer(PeerAddress(channel.remoteAddress))
    let isProxy = peer.address.ip.map { ip in configuration.proxies.contains { $0.contains(ip) } } ?? false

    var setup = ConnectionSetup(
      timeout: configuration.handshakeTimeout,
      didOpen: { [self] tls in open(id, peer.address, transport, tls) },
      didFail: { [logger] _, reason in
        logger.info("connection_failed", metadata: ["rip": "\(peer.address)", "reason": "\(reason)"])
      },
      didClose: { [registry] in registry.channelClosed(id) })
    setup.refusal = configuration.refusal
    if case .implicitTLS(let tls) = configuration.security {
      setup.security = .server(tls, applicationProtocols: configuration.applicationProtocols)
    }
    let admit = { [registry, logger] (client: PeerAddress) in
      if let ip = client.ip, !registry.claim(id, for: ip) {
        logger.warning("too_many_connections_from_address", metadata: ["rip": "\(client)"])
        return false
      }
      return true
    }
    if peer.address == .local, !socket.isLocal {
      // It was reset before we could ask who it is, and must not pass for a local one.
      setup.isRefused = true
      setup.refusal = []
    } else if !isWelcome {
      logger.warning(
        "too_many_connections",
        metadata: ["rip": "\(peer.address)", "limit": "\(configuration.maximumConnections)"])
      setup.isRefused = true
    } else if isProxy {
      // A proxy's own address is no client's: what counts is the one its header names.
      setup.expectsProxyHeader = true
      setup.proxyHeaderDidArrive = { client in
        guard let client else { return true }
        peer.address = client
        return admit(client)
      }
    } else {
      setup.isRefused = !admit(peer.address)
    }
    return ConnectionHandler(setup: setup, transport: transport)
  }

  private func open(_ id: UInt64, _ peer: PeerAddress, _ transport: ChannelTransport, _ tls: TLSInfo?) -> Connection {
    let connection = Connection(
      id: newConnectionID(), remoteAddress: peer, localPort: socket.port, tls: tls, transport: transport)
    registry.sessionBegan(id, connection)
    Task(executorPreference: transport.executor) { [session, registry] in
      await session(connection)
      connection.close(.afterSending)
      registry.sessionEnded(id)
    }
    return connection
  }
}

/// Who is at the other end: the socket's peer until a PROXY header names somebody else. On one event loop only.
private final class Peer {
  var address: PeerAddress
  init(_ address: PeerAddress) { self.address = address }
}

/// When `accept` fails, says why in the log and stops accepting for a while.
///
/// NIO's own handler for this only delays the next read it is asked for. After a failed `accept` (no descriptors left)
/// the read before is still pending, so the event loop would try again at once, for ever, at full speed.
private final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = any Channel

  private let logger: Logger
  init(logger: Logger) { self.logger = logger }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    logger.warning("accept_failed", metadata: ["reason": "\(error)"])
    let channel = context.channel
    try? channel.syncOptions?.setOption(.autoRead, value: false)
    context.eventLoop.scheduleTask(in: Listener.acceptPause) {
      // It may have been closed in the meantime.
      try? channel.syncOptions?.setOption(.autoRead, value: true)
    }
  }
}
