import COpenSSL

/// Why a TLS session cannot go on. The texts are for the log.
package enum TLSError: Error, Sendable, CustomStringConvertible {
  case unavailable(String)
  case handshakeFailed(String)
  /// A record that cannot be decrypted, a broken message, an alert.
  case broken(String)

  package var description: String {
    switch self {
    case .unavailable(let reason): "TLS is unavailable: \(reason)"
    case .handshakeFailed(let reason): "the TLS handshake failed: \(reason)"
    case .broken(let reason): "the TLS connection broke: \(reason)"
    }
  }
}

/// One side of one TLS connection, without a socket: ciphertext goes in and plaintext comes out, and the other way round.
///
/// It belongs to one thread at a time. After any call `takeOutput()` has what is to be sent to the peer, also after one
/// that threw: an alert may be in it.
package final class TLSSession {
  /// What the handshake settled; nil until it is done.
  package private(set) var info: TLSInfo?
  /// The peer has said that it sends no more (close_notify). Without it the end of the connection is a truncation.
  package private(set) var hasReceivedClose = false

  private let ssl: OpaquePointer
  private let memory = TLSMemory()
  private let isServer: Bool
  /// OpenSSL's callbacks point into it.
  private let owner: AnyObject
  /// In ALPN's wire format, for a server's callback.
  let applicationProtocols: [UInt8]

  /// The server side.
  /// - Parameter applicationProtocols: the ALPN names served here, best first. Empty: whatever the client asks for is
  ///   passed over.
  package init(server context: TLSServerContext, applicationProtocols: [String] = []) throws(TLSError) {
    let configuration = context.current
    self.applicationProtocols = wireFormat(applicationProtocols)
    owner = configuration
    isServer = true
    ERR_clear_error()
    guard let ssl = SSL_new(configuration.defaultContext) else { throw .unavailable(takeOpenSSLErrors()) }
    self.ssl = ssl
    try attachMemory()
    SSL_set_accept_state(ssl)
    _ = SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
  }

  /// The client side; `startHandshake` makes the first flight.
  /// - Parameters:
  ///   - serverName: sent as SNI and checked against the certificate where the context verifies. An IP address is
  ///     checked but not sent.
  ///   - resuming: what `resumption` gave in an earlier session with the same server.
  package init(
    client context: TLSClientContext, serverName: String?, applicationProtocols: [String] = [],
    resuming: TLSResumption? = nil
  ) throws(TLSError) {
    self.applicationProtocols = wireFormat(applicationProtocols)
    owner = context
    isServer = false
    ERR_clear_error()
    guard let ssl = SSL_new(context.context.pointer) else { throw .unavailable(takeOpenSSLErrors()) }
    self.ssl = ssl
    try attachMemory()
    SSL_set_connect_state(ssl)
    if let serverName { context.expect(serverName, of: ssl) }
    if !self.applicationProtocols.isEmpty {
      _ = SSL_set_alpn_protos(ssl, self.applicationProtocols, UInt32(self.applicationProtocols.count))
    }
    if let resuming { _ = SSL_set_session(ssl, resuming.session) }
  }

  private func attachMemory() throws(TLSError) {
    guard let bio = memory.makeBIO() else {
      throw .unavailable(takeOpenSSLErrors())
    }
    // With one BIO for both directions the session takes over the one reference.
    SSL_set_bio(ssl, bio, bio)
  }

  deinit { SSL_free(ssl) }

  /// Makes the first flight of a client; a server has nothing to say before its client has spoken.
  package func startHandshake() throws(TLSError) { try shakeHands() }

  /// Takes ciphertext from the peer and appends the plaintext in it. The handshake is part of it: once `info` is non-nil
  /// it is done.
  package func receive(_ ciphertext: UnsafeRawBufferPointer, into plaintext: inout [UInt8]) throws(TLSError) {
    memory.input = ciphertext
    defer { memory.input = UnsafeRawBufferPointer(start: nil, count: 0) }
    if info == nil {
      try shakeHands()
      if info == nil { return }
    }
    try decrypt(into: &plaintext)
  }

  /// Encrypts bytes for the peer.
  package func send(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) {
    guard info != nil else { throw .broken("data before the handshake is done") }
    var rest = plaintext
    while let start = rest.baseAddress, !rest.isEmpty {
      ERR_clear_error()
      let written = SSL_write(ssl, start, Int32(clamping: rest.count))
      guard written > 0 else { throw .broken(reason(written)) }
      rest = UnsafeRawBufferPointer(rebasing: rest[Int(written)...])
    }
  }

  package func send(_ plaintext: [UInt8]) throws(TLSError) {
    try plaintext.withUnsafeBytes { bytes in Result { () throws(TLSError) in try send(bytes) } }.get()
  }

  /// Tells the peer that nothing more will come (close_notify).
  package func sendClose() {
    guard info != nil else { return }
    ERR_clear_error()
    _ = SSL_shutdown(ssl)
    ERR_clear_error()
  }

  /// Ciphertext for the peer, in order.
  package func takeOutput() -> [UInt8] {
    defer { memory.output = [] }
    return memory.output
  }

  package var hasOutput: Bool { !memory.output.isEmpty }

  /// What a client needs to resume this session; in TLS 1.3 it comes after the handshake, with the first data.
  package var resumption: TLSResumption? {
    guard let session = SSL_get1_session(ssl) else { return nil }
    return TLSResumption(owning: session)
  }

  private func shakeHands() throws(TLSError) {
    ERR_clear_error()
    let result = SSL_do_handshake(ssl)
    if result == 1 {
      info = TLSInfo(of: ssl, isServer: isServer)
      (owner as? TLSClientContext)?.handshakeEnded(nil)
    } else if SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ {
      var words = reason(result)
      if let client = owner as? TLSClientContext {
        let problem = certificateProblem(of: ssl)
        client.handshakeEnded(problem)
        if let problem { words += ": \(problem)" }
      }
      throw .handshakeFailed(words)
    }
  }

  private func decrypt(into plaintext: inout [UInt8]) throws(TLSError) {
    let pieceSize = 16_384
    while !hasReceivedClose {
      let before = plaintext.count
      ERR_clear_error()
      // A record is at most 16 KB; what came in cannot hold more plaintext than ciphertext but for what OpenSSL kept.
      let result = withUnsafeTemporaryAllocation(byteCount: pieceSize, alignment: 16) { piece in
        let result = SSL_read(ssl, piece.baseAddress, Int32(pieceSize))
        if result > 0 { plaintext.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[..<Int(result)])) }
        return result
      }
      if plaintext.count > before { continue }
      switch SSL_get_error(ssl, result) {
      case SSL_ERROR_WANT_READ: return
      case SSL_ERROR_ZERO_RETURN: hasReceivedClose = true
      default: throw .broken(reason(result))
      }
    }
  }

  private func reason(_ result: Int32) -> String {
    let code = SSL_get_error(ssl, result)
    let text = takeOpenSSLErrors()
    return code == SSL_ERROR_SSL ? text : "\(text) (\(code))"
  }
}

/// A session that a client may resume.
package struct TLSResumption: Sendable {
  private final class Owned: @unchecked Sendable {
    let session: OpaquePointer
    init(_ session: OpaquePointer) { self.session = session }
    deinit { SSL_SESSION_free(session) }
  }
  private let owned: Owned
  var session: OpaquePointer { owned.session }
  init(owning session: OpaquePointer) { owned = Owned(session) }
}

/// Names as ALPN writes them: each with its length before it.  RFC 7301 §3.1.
private func wireFormat(_ protocols: [String]) -> [UInt8] {
  protocols.filter { (1...255).contains($0.utf8.count) }.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
}
