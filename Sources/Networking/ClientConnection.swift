package import Cryptography
import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Connections that we open.
package enum ClientConnection {
  package enum Target: Sendable {
    /// A name that the system resolves, or an address as text.
    case internet(host: String, port: UInt16)
    /// - Parameter source: one of this machine's addresses to come from; nil leaves the choice to the system.
    case address(IPAddress, port: UInt16, source: IPAddress? = nil)
    case local(path: String)
  }

  /// TLS from the first byte.
  package struct TLS: Sendable {
    package var context: TLSClientContext
    /// Sent as SNI, and demanded of the certificate if the context verifies. Nil: the target's host.
    package var serverName: String?
    package init(context: TLSClientContext, serverName: String? = nil) {
      self.context = context
      self.serverName = serverName
    }
  }

  /// Connects and, with `tls`, shakes hands. The caller owns the connection and closes it. Where the task is cancelled, it
  /// throws at once.
  package static func connect(to target: Target, tls: TLS? = nil, timeout: Duration = .seconds(30))
    async throws(ConnectionError) -> Connection
  {
    let group = MultiThreadedEventLoopGroup.singleton
    let loop = group.next()
    let promise = loop.makePromise(of: Connection.self)
    let bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(TimeAmount(timeout))
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.recvAllocator, value: ReceiveBuffers())
      .channelOption(.maxMessagesPerRead, value: 1)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let handler = handler(for: channel, target, tls, timeout, promise)
          try channel.pipeline.syncOperations.addHandler(handler)
        }
      }
    let connecting =
      switch target {
      case .internet(let host, let port):
        bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1).connect(host: host, port: Int(port))
      case .address(let address, let port, let source):
        connect(bootstrap, to: address, port: port, from: source, on: loop)
      case .local(let path): bootstrap.connect(unixDomainSocketPath: path)
      }
    // With several addresses to try there may be several channels; the first that is ready wins the promise.
    connecting.whenFailure { promise.fail(connectionError($0)) }
    do {
      return try await withTaskCancellationHandler {
        try await promise.futureResult.get()
      } onCancel: {
        promise.fail(ConnectionError.closed)
        connecting.whenSuccess { $0.close(promise: nil) }
      }
    } catch let error as ConnectionError {
      throw error
    } catch {
      throw .closed
    }
  }

  private static func connect(
    _ bootstrap: ClientBootstrap, to address: IPAddress, port: UInt16, from source: IPAddress?, on loop: any EventLoop
  ) -> EventLoopFuture<any Channel> {
    var bootstrap = bootstrap.channelOption(.tcpOption(.tcp_nodelay), value: 1)
    do {
      if let source { bootstrap = bootstrap.bind(to: try SocketAddress(ipAddress: source.description, port: 0)) }
      return bootstrap.connect(to: try SocketAddress(ipAddress: address.description, port: Int(port)))
    } catch {
      return loop.makeFailedFuture(error)
    }
  }

  private static func connectionError(_ error: any Error) -> ConnectionError {
    if let error = error as? IOError { return .unreachable(String(cString: strerror(error.errnoCode))) }
    if let error = error as? NIOConnectionError, let first = error.connectionErrors.first?.error {
      return connectionError(first)
    }
    return error is ChannelError ? .timedOut : .closed
  }

  private static func handler(
    for channel: any Channel, _ target: Target, _ tls: TLS?, _ timeout: Duration,
    _ promise: EventLoopPromise<Connection>
  ) -> ConnectionHandler {
    let transport = ChannelTransport(eventLoop: channel.eventLoop)
    var setup = ConnectionSetup(
      timeout: timeout,
      didOpen: { info in
        let connection = Connection(
          id: newConnectionID(), remoteAddress: PeerAddress(channel.remoteAddress),
          localPort: UInt16(clamping: channel.localAddress?.port ?? 0),
          localAddress: (channel.localAddress?.ipAddress).flatMap { IPAddress($0) }, tls: info, transport: transport)
        promise.succeed(connection)
        return connection
      },
      didFail: { error, _ in promise.fail(error) },
      didClose: {})
    if let tls {
      var serverName = tls.serverName
      if serverName == nil, case .internet(let host, _) = target { serverName = host }
      setup.security = .client(tls.context, serverName: serverName)
    }
    return ConnectionHandler(setup: setup, transport: transport)
  }
}
