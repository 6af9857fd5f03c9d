import Cryptography
package import Networking
package import SMTP

/// One session with one host: greeting, EHLO, STARTTLS, AUTH, then a message at a time, then QUIT.  RFC 5321 §3.
///
/// Owned by one task. After a failure the connection is closed and the session of no more use.
package struct ClientSession: Sendable {
  let settings: ClientSettings
  var dialogue: ServerDialogue
  /// What the server offers, as of the last EHLO.
  package private(set) var offered = EHLOResponse.none
  package private(set) var security = SessionSecurity.plaintext(.policy)
  /// Transactions begun, also those that came to nothing.
  var transactionCount = 0

  package var connection: Connection { dialogue.connection }
  package var dialect: ClientSettings.Dialect { settings.dialect }
  /// False where the server has said that it takes no more messages in one session.  RFC 9422 §4.1.
  package var takesAnother: Bool { transactionCount < offered.transactionLimit ?? .max }

  /// Connects to a host and makes the session ready for its first message. Where TLS is opportunistic and the handshake
  /// fails, the host is tried once more without.  RFC 7435 §3.
  package static func connect(
    to host: HostAddress, settings: ClientSettings
  ) async throws(HostFailure) -> ClientSession {
    do {
      return try await open(on: try await dial(host, settings), settings: settings)
    } catch {
      guard settings.tls.isOpportunistic, case .handshakeFailed(let reason) = error.cause else { throw error }
      var plain = settings
      plain.tls = .never
      var session = try await open(on: try await dial(host, plain), settings: plain)
      session.security = .plaintext(.handshakeFailed(reason))
      return session
    }
  }

  private static func dial(_ host: HostAddress, _ settings: ClientSettings) async throws(HostFailure) -> Connection {
    var tls: ClientConnection.TLS?
    if case .fromTheStart(let wanted) = settings.tls {
      tls = ClientConnection.TLS(context: wanted.context, serverName: wanted.serverName)
    }
    let target: ClientConnection.Target =
      switch host.place {
      case .internet(let address, let port, let source): .address(address, port: port, source: source)
      case .socket(let path): .local(path: path)
      }
    do {
      return try await ClientConnection.connect(to: target, tls: tls, timeout: settings.limits.connect)
    } catch {
      throw HostFailure(.connect, failing: error)
    }
  }

  /// Makes a session of a connection that stands.
  package static func open(
    on connection: Connection, settings: ClientSettings
  ) async throws(HostFailure) -> ClientSession {
    if let trace = settings.trace {
      let id = connection.id
      connection.trace = { direction, bytes in trace(id, direction, bytes) }
    }
    var session = ClientSession(
      settings: settings, dialogue: ServerDialogue(connection: connection, clock: settings.clock))
    do {
      try await session.receiveGreeting()
      try await session.sayHello()
      try await session.startTLSAsPolicyHasIt()
      if let credentials = settings.credentials { try await session.authenticate(credentials) }
    } catch {
      await session.leave(after: error)
      var failure = error
      failure.localAddress = connection.localAddress
      throw failure
    }
    return session
  }

  private init(settings: ClientSettings, dialogue: ServerDialogue) {
    self.settings = settings
    self.dialogue = dialogue
    if case .fromTheStart(let wanted) = settings.tls, let info = dialogue.connection.tls {
      security = .tls(TLSUse(info, wanted))
    }
  }

  // MARK: Getting to know each other

  private mutating func receiveGreeting() async throws(HostFailure) {
    let reply = try await dialogue.reply(.greeting, within: settings.limits.greeting)
    guard reply.code >= 400 || reply.code == 220 else { throw HostFailure(.greeting, .outOfStep(reply)) }
    guard reply.code == 220 else { throw HostFailure(.greeting, .refused(reply)) }
  }

  private mutating func sayHello() async throws(HostFailure) {
    let verb = settings.dialect == .lmtp ? "LHLO" : "EHLO"
    var reply = try await ask("\(verb) \(settings.name)", .hello)
    // RFC 5321 §3.2: a server that does not know EHLO is greeted the old way. Whoever refuses us for another reason
    // does it again.
    if reply.isPermanentFailure, settings.dialect == .smtp {
      reply = try await ask("HELO \(settings.name)", .hello)
      // HELO announces nothing, whatever stands in further lines.
      reply.lines.removeSubrange(1...)
    }
    guard reply.isCompletion else { throw refusal(.hello, reply) }
    offered = EHLOResponse(reply)
  }

  /// RFC 3207.
  private mutating func startTLSAsPolicyHasIt() async throws(HostFailure) {
    let wanted: ClientTLS
    switch settings.tls {
    case .never, .fromTheStart: return
    case .opportunistic(let tls), .required(let tls): wanted = tls
    }
    guard offered.contains(.startTLS) else {
      // Whether the server has none or somebody in between took the word out: where TLS is required, that is the same.
      guard settings.tls.isOpportunistic else { throw HostFailure(.startTLS, .tlsNotOffered) }
      security = .plaintext(.notOffered)
      return
    }
    let reply = try await ask("STARTTLS", .startTLS)
    guard reply.code == 220 else {
      guard settings.tls.isOpportunistic, reply.code >= 400 else { throw refusal(.startTLS, reply) }
      security = .plaintext(.refused(reply))
      return
    }
    do {
      let info = try await connection.startTLS(
        wanted.context, serverName: wanted.serverName, timeout: settings.limits.handshake)
      security = .tls(TLSUse(info, wanted))
    } catch {
      // That the server hangs up or falls silent now is its way of saying that the handshake failed.
      switch HostFailure(.startTLS, failing: error).cause {
      case .connectionLost: throw HostFailure(.startTLS, .handshakeFailed("the server closed the connection"))
      case .timedOut: throw HostFailure(.startTLS, .handshakeFailed("the server did not answer in time"))
      case let cause: throw HostFailure(.startTLS, cause)
      }
    }
    // RFC 3207 §4.2: what the server said before is forgotten.
    offered = .none
    dialogue = ServerDialogue(connection: connection, clock: settings.clock)
    try await sayHello()
  }

  // MARK: Asking

  /// Sends a command and returns the reply, whatever it is.
  mutating func ask(_ command: String, _ stage: DialogueStage) async throws(HostFailure) -> SMTPReply {
    try dialogue.expectSilence(stage)
    try await dialogue.send(Array((command + "\r\n").utf8), stage, within: settings.limits.hello)
    return try await dialogue.reply(stage, within: settings.limits.hello)
  }

  /// For a reply that is no completion: a refusal, or something that answers another question.
  func refusal(_ stage: DialogueStage, _ reply: SMTPReply) -> HostFailure {
    HostFailure(stage, reply.code >= 400 ? .refused(reply) : .outOfStep(reply))
  }

  // MARK: Leaving

  /// Ends the session in good order. Nothing hangs on how the server takes it.
  package mutating func quit() async {
    do {
      try await dialogue.send(Array("QUIT\r\n".utf8), .quit, within: settings.limits.quit)
      _ = try await dialogue.reply(.quit, within: settings.limits.quit)
    } catch {}
    connection.close()
  }

  /// A server that refuses us in good order is told that we go; one that is lost, is not.
  mutating func leave(after failure: HostFailure) async {
    guard case .refused(let reply) = failure.cause, reply.code != 421, failure.stage != .content else {
      return connection.close(.abruptly)
    }
    try? await connection.send(Array("QUIT\r\n".utf8))
    connection.close()
  }
}

extension HostFailure {
  init(_ stage: DialogueStage, failing error: ConnectionError) {
    switch error {
    case .closed: self.init(stage, .connectionLost)
    case .handshakeFailed(let reason): self.init(stage, .handshakeFailed(reason))
    case .timedOut: self.init(stage, .timedOut)
    case .unreachable(let reason): self.init(stage, .unreachable(reason))
    }
  }
}
