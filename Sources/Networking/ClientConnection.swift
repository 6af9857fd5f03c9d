package import Cryptography
import NIOCore
import NIOPosix

/// Connections that we open.
package enum ClientConnection {
  package enum Target: Sendable {
    case internet(host: String, port: UInt16)
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

  /// Connects and, with `tls`, shakes hands. The caller owns the connection and closes it.
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
      case .local(let path): bootstrap.connect(unixDomainSocketPath: path)
      }
    // With several addresses to try there may be several channels; the first that is ready wins the promise.
    connecting.whenFailure { promise.fail($0 is ChannelError ? ConnectionError.timedOut : ConnectionError.closed) }
    do {
      return try await promise.futureResult.get()
    } catch let error as ConnectionError {
      throw error
    } catch {
      throw .closed
    }
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
          localPort: UInt16(clamping: channel.localAddress?.port ?? 0), tls: info, transport: transport)
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
