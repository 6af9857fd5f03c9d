import Bytes
import Cryptography
import Networking

/// Whom to believe, and with what to log in.
package struct IMAPAccess: Sendable {
  package enum Trust: Sendable {
    /// Certificates of the operating system's authorities.
    case system
    /// Of these, in PEM.
    case authorities([UInt8])
    /// Anybody's.
    case anyone
  }

  package var location: IMAPLocation
  package var password: String
  package var trust: Trust
  /// Log in without TLS where `imap://` was asked for.
  package var allowsPlaintext: Bool

  package init(location: IMAPLocation, password: String, trust: Trust, allowsPlaintext: Bool) {
    self.location = location
    self.password = password
    self.trust = trust
    self.allowsPlaintext = allowsPlaintext
  }
}

/// A connection to another IMAP server, logged in. Commands may be sent before the answers to earlier ones have come.
final class IMAPClient {
  private let connection: Connection
  private let host: String
  private var reader = IMAPResponseReader()
  private var lastTag = 0
  private(set) var capabilities: Set<String> = []

  private static let patience = Duration.seconds(300)
  private static let handshakeLimit = Duration.seconds(30)

  // MARK: Logging in

  static func logIn(_ access: IMAPAccess) async throws(TransferError) -> IMAPClient {
    let location = access.location
    let context: TLSClientContext
    do {
      context =
        switch access.trust {
        case .system: try TLSClientContext(verification: .system)
        case .authorities(let pem): try TLSClientContext(verification: .authorities(pem))
        case .anyone: try TLSClientContext(verification: .none)
        }
    } catch {
      throw .source("TLS cannot be set up: \(error)")
    }
    let connection: Connection
    do throws(ConnectionError) {
      connection = try await ClientConnection.connect(
        to: .internet(host: location.host, port: location.port),
        tls: location.security == .tls ? ClientConnection.TLS(context: context) : nil, timeout: handshakeLimit)
    } catch {
      throw Self.words(error, location)
    }
    let client = IMAPClient(connection, host: location.host)
    do throws(TransferError) {
      try await client.greet(access, context)
    } catch {
      client.connection.close(.abruptly)
      throw error
    }
    return client
  }

  private init(_ connection: Connection, host: String) {
    self.connection = connection
    self.host = host
  }

  private func greet(_ access: IMAPAccess, _ context: TLSClientContext) async throws(TransferError) {
    var isLoggedIn = false
    greeting: while true {
      switch try await next() {
      case .status(.ok, let status):
        take(status)
        break greeting
      case .preauthenticated(let status):
        take(status)
        isLoggedIn = true
        break greeting
      case .goodbye(let text): throw .sourceLost("\(host) turns us away: \(text)")
      default: throw .source("what answers at \(host) is not an IMAP server")
      }
    }
    if access.location.security == .startTLS, !access.allowsPlaintext {
      // RFC 2595 §2.2: a greeting of PREAUTH in plaintext leaves no room for STARTTLS; so would somebody in between.
      guard !isLoggedIn else { throw .source("\(host) skips the login in plaintext; --plaintext accepts that") }
      if capabilities.isEmpty { try await askCapabilities() }
      guard capabilities.contains("STARTTLS") else {
        throw .source("\(host) offers no STARTTLS on this port: use imaps://, or --plaintext to do without")
      }
      let (outcome, status) = try await run("STARTTLS")
      guard outcome == .ok else { throw .source("\(host) refuses STARTTLS: \(status.text)") }
      do throws(ConnectionError) {
        _ = try await connection.startTLS(context, serverName: host, timeout: Self.handshakeLimit)
      } catch {
        throw Self.words(error, access.location)
      }
      reader = IMAPResponseReader()
      capabilities = []
    }
    if capabilities.isEmpty { try await askCapabilities() }
    guard !isLoggedIn else { return }
    try await authenticate(access)
    // RFC 9051 §6.1.1: they may be others now.
    try await askCapabilities()
  }

  private func authenticate(_ access: IMAPAccess) async throws(TransferError) {
    let (user, password) = (access.location.user, access.password)
    let result: (IMAPResponse.Outcome, IMAPResponse.Status)
    if capabilities.contains("AUTH=PLAIN") {
      let response = Base64.encode([0] + Array(user.utf8) + [0] + Array(password.utf8))
      let text = String(decoding: response, as: UTF8.self)
      if capabilities.contains("SASL-IR") {
        result = try await run("AUTHENTICATE PLAIN \(text)")
      } else {
        result = try await run("AUTHENTICATE PLAIN", continuation: response)
      }
    } else {
      guard !capabilities.contains("LOGINDISABLED") else {
        throw .source("\(host) takes no password on this connection")
      }
      let name = String(decoding: Self.quoted(Array(user.utf8)), as: UTF8.self)
      result = try await run("LOGIN \(name) \(String(decoding: Self.quoted(Array(password.utf8)), as: UTF8.self))")
    }
    guard result.0 == .ok else {
      let text = result.1.text
      // RFC 5530 §3: it may be better in a while.
      if result.1.has("UNAVAILABLE") || result.1.has("INUSE") { throw .sourceLost("\(host): \(text)") }
      throw .source("\(host) refuses the login of \(user): \(text)")
    }
  }

  private func askCapabilities() async throws(TransferError) { _ = try await run("CAPABILITY") }

  func has(_ capability: String) -> Bool { capabilities.contains(capability) }

  // MARK: Commands

  /// Sends a command and waits for nothing. Returns its tag.
  /// - Parameters:
  ///   - name: a mailbox as the server writes it, quoted behind the command.
  ///   - rest: what comes behind the name.
  func send(_ command: String, quoting name: [UInt8]? = nil, _ rest: String = "") async throws(TransferError)
    -> String
  {
    lastTag += 1
    let tag = "M\(lastTag)"
    var line = Array("\(tag) \(command)".utf8)
    if let name { line += [0x20] + Self.quoted(name) }
    try await send(line + Array("\(rest)\r\n".utf8))
    return tag
  }

  /// Sends a command and gives what comes before its end to `body`.
  func run(
    _ command: String, continuation: [UInt8]? = nil, _ body: (IMAPResponse) -> Void = { _ in }
  ) async throws(TransferError) -> (IMAPResponse.Outcome, IMAPResponse.Status) {
    let tag = try await send(command)
    while true {
      switch try await next() {
      case .tagged(tag, let outcome, let status):
        take(status)
        return (outcome, status)
      case .continuation:
        if let continuation { try await send(continuation + [0x0D, 0x0A]) }
      case let response:
        if case .status(_, let status) = response { take(status) }
        body(response)
      }
    }
  }

  /// The next response. Octets of a body before it go to `body`.
  func next(
    body: (([UInt8]) async throws(TransferError) -> Void)? = nil
  ) async throws(TransferError) -> IMAPResponse {
    while true {
      switch reader.next(from: &connection.received) {
      case .needsMore:
        switch await connection.waitForInput(timeout: Self.patience) {
        case .bytes: continue
        case .interrupted: continue
        case .timedOut: throw .sourceLost("\(host) has not answered for \(Self.patience.components.seconds) seconds")
        case .ended: throw .sourceLost("\(host) has closed the connection")
        }
      case .body(let octets):
        if let body { try await body(octets) }
      case .response(let bytes):
        let response = IMAPResponse(bytes)
        switch response {
        case .capabilities(let names): capabilities = Set(names)
        case .goodbye(let text) where lastTag > 0 && !isLeaving: throw .sourceLost("\(host) says good-bye: \(text)")
        default: break
        }
        return response
      case .broken(let what): throw .source("\(host) sends \(what)")
      }
    }
  }

  private var isLeaving = false

  func close() async {
    isLeaving = true
    if (try? await send("LOGOUT")) != nil {
      while let response = try? await next() {
        if case .tagged = response { break }
      }
    }
    connection.close()
  }

  /// Ends a connection that is no good any more.
  func drop() { connection.close(.abruptly) }

  private func send(_ bytes: [UInt8]) async throws(TransferError) {
    do throws(ConnectionError) {
      try await connection.send(bytes)
    } catch {
      throw .sourceLost("\(host) has closed the connection")
    }
  }

  /// Capabilities come in codes too: `OK [CAPABILITY IMAP4rev1 …]`.
  private func take(_ status: IMAPResponse.Status) {
    if status.has("CAPABILITY") { capabilities = Set(status.code.dropFirst().compactMap { $0.text?.uppercased() }) }
  }

  /// A quoted string; octets above ASCII as they are, which servers take.
  private static func quoted(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = [0x22]
    for byte in bytes {
      if byte == 0x22 || byte == 0x5C { text.append(0x5C) }
      text.append(byte)
    }
    text.append(0x22)
    return text
  }

  private static func words(_ error: ConnectionError, _ location: IMAPLocation) -> TransferError {
    let place = "\(location.host) port \(location.port)"
    return switch error {
    case .closed: .sourceLost("\(place) cannot be reached")
    case .unreachable(let reason): .sourceLost("\(place) cannot be reached: \(reason)")
    case .timedOut: .sourceLost("\(place) does not answer")
    case .handshakeFailed(let text):
      .source(
        "\(place): \(text); --ca names the authority of a certificate that the system does not know, --insecure "
          + "believes any")
    }
  }
}
