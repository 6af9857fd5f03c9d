import Cryptography
import Logging
import Testing

@testable import Networking

private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
private let authority = try! CertificateAuthority(name: "Martlet test CA")
private let certificate = try! authority.issue(names: ["localhost", "127.0.0.1", "mail.test"])
private let serverTLS = try! TLSServerContext(certificates: [certificate])
private let clientTLS = ClientConnection.TLS(
  context: try! TLSClientContext(verification: .authorities(authority.certificate)))

extension Connection {
  /// The next line, or nil at the end.
  fileprivate func line() async -> String? {
    while true {
      switch received.takeLine(limit: 1 << 20, ending: .crlf) {
      case .line(let line): return String(decoding: line, as: UTF8.self)
      case .tooLong: return "<too long>"
      case .needsMore:
        if case .bytes = await waitForInput(timeout: .seconds(10)) { continue }
        return nil
      }
    }
  }

  fileprivate func say(_ text: String) async throws { try await send(Array((text + "\r\n").utf8)) }
}

/// Echoes lines, with a few words of its own, until the input ends or is told to quit; then says how it ended.
@Sendable private func echo(_ connection: Connection) async {
  try? await connection.say("hello \(connection.tls?.version ?? "plain") \(connection.remoteAddress.ip?.description ?? "local")")
  while true {
    let line: String
    switch connection.received.takeLine(limit: 1 << 20, ending: .crlf) {
    case .line(let bytes): line = String(decoding: bytes, as: UTF8.self)
    case .tooLong: line = "<too long>"
    case .needsMore:
      switch await connection.waitForInput(timeout: .seconds(10)) {
      case .bytes: continue
      case .interrupted:
        guard connection.isStopping else { continue }
        try? await connection.say("bye")
        return
      case .timedOut:
        try? await connection.say("timeout")
        return
      case .ended(let end):
        try? await connection.say("ended \(end) \(connection.received.count)")
        return
      }
    }
    switch line {
    case "QUIT":
      try? await connection.say("bye")
      return
    case "STARTTLS":
      try? await connection.say("go ahead")
      do {
        let info = try await connection.startTLS(serverTLS, timeout: .seconds(10))
        try? await connection.say("now \(info.version)")
      } catch {
        return
      }
    case "FLOOD":
      for _ in 0..<200 { try? await connection.say(String(repeating: "x", count: 50_000)) }
    default: try? await connection.say("echo \(line)")
    }
  }
}

private func loopback(_ security: ListenerConfiguration.Security = .plaintext) -> ListenerConfiguration {
  ListenerConfiguration(endpoint: .internet(host: "127.0.0.1", port: 0), security: security)
}

private func start(_ configuration: ListenerConfiguration) async throws -> Listener {
  try await Listener.start(configuration, logger: quiet, session: echo)
}

private func dial(_ listener: Listener, tls: ClientConnection.TLS? = nil) async throws -> Connection {
  try await ClientConnection.connect(to: .internet(host: "127.0.0.1", port: listener.port), tls: tls)
}

@Suite struct ListenerTests {
  @Test func dialoguesOverPlaintextTLSAndLocalSockets() async throws {
    let path = "/tmp/martlet-test-\(UInt32.random(in: 0 ... .max))"
    for (configuration, tls, hello) in [
      (loopback(), nil, "hello plain 127.0.0.1"),
      (loopback(.implicitTLS(serverTLS)), clientTLS, "hello TLSv1.3 127.0.0.1"),
      (ListenerConfiguration(endpoint: .internet(host: "*", port: 0), security: .plaintext), nil, "hello plain 127.0.0.1"),
      (ListenerConfiguration(endpoint: .local(path: path), security: .plaintext), nil, "hello plain local"),
    ] {
      let listener = try await start(configuration)
      let client =
        if case .local = configuration.endpoint {
          try await ClientConnection.connect(to: .local(path: path))
        } else {
          try await dial(listener, tls: tls)
        }
      #expect(await client.line() == hello)
      try await client.say("one\r\ntwo")
      #expect(await client.line() == "echo one")
      #expect(await client.line() == "echo two")
      let long = String(repeating: "y", count: 500_000)
      try await client.say(long)
      #expect(await client.line() == "echo \(long)")
      try await client.say("QUIT")
      #expect(await client.line() == "bye")
      guard case .ended(.closed) = await client.waitForInput(timeout: .seconds(10)) else {
        Issue.record("no clean end")
        return
      }
      client.close()
      await listener.stopAccepting()
      await listener.drain(within: .seconds(10))
      #expect(listener.connectionCount == 0)
    }
  }

  @Test func aClientThatHasFinishedIsStillAnswered() async throws {
    let listener = try await start(loopback())
    let client = RawSocket(port: listener.port)
    client.send("last words\r\nunfinished")
    client.finishSending()
    let text = String(decoding: await client.receiveAll(), as: UTF8.self)
    #expect(text == "hello plain 127.0.0.1\r\necho last words\r\nended closed 10\r\n")
    await listener.drain(within: .seconds(10))
    #expect(listener.connectionCount == 0)
  }

  /// A TLS client by hand: says `words`, with or without close_notify, then FIN; returns all it was told.
  private func talk(_ socket: RawSocket, _ words: String, closes: Bool) async throws -> String {
    let tls = try TLSSession(client: clientTLS.context, serverName: "mail.test")
    try tls.startHandshake()
    var plaintext: [UInt8] = []
    socket.send(tls.takeOutput())
    while tls.info == nil, let bytes = await socket.receive() {
      try bytes.withUnsafeBytes { try tls.receive($0, into: &plaintext) }
    }
    try tls.send(Array(words.utf8))
    if closes { tls.sendClose() }
    socket.send(tls.takeOutput())
    socket.finishSending()
    try await socket.receiveAll().withUnsafeBytes { try tls.receive($0, into: &plaintext) }
    return String(decoding: plaintext, as: UTF8.self)
  }

  @Test(arguments: [true, false]) func theEndOfTLSIsToldFromACut(closes: Bool) async throws {
    let listener = try await start(loopback(.implicitTLS(serverTLS)))
    let told = try await talk(RawSocket(port: listener.port), "last words\r\nhalf", closes: closes)
    let end = closes ? "closed" : "truncated"
    #expect(told == "hello TLSv1.3 127.0.0.1\r\necho last words\r\nended \(end) 4\r\n")
    await listener.drain(within: .seconds(10))
  }

  @Test func startTLSAsTheClient() async throws {
    let listener = try await start(loopback())
    func greeted() async throws -> Connection {
      let connection = try await ClientConnection.connect(to: .internet(host: "127.0.0.1", port: listener.port))
      #expect(await connection.line() == "hello plain 127.0.0.1")
      try await connection.say("STARTTLS")
      #expect(await connection.line() == "go ahead")
      return connection
    }
    let connection = try await greeted()
    let info = try await connection.startTLS(
      TLSClientContext(verification: .authorities(authority.certificate)), serverName: "localhost",
      timeout: .seconds(10))
    #expect(info.version == "TLSv1.3" && connection.tls != nil)
    try await connection.say("QUIT")
    while let line = await connection.line() { if line == "bye" { break } }
    connection.close()

    let strict = try await greeted()
    await #expect(throws: ConnectionError.self) {
      _ = try await strict.startTLS(
        TLSClientContext(verification: .authorities(authority.certificate)), serverName: "other.test",
        timeout: .seconds(10))
    }
    await listener.drain(within: .seconds(10))
  }

  @Test func startTLSDropsWhatCameBefore() async throws {
    let listener = try await start(loopback())
    let socket = RawSocket(port: listener.port)
    socket.send("STARTTLS\r\ninjected\r\n")
    var plain: [UInt8] = []
    while !plain.suffix(10).elementsEqual("go ahead\r\n".utf8), let bytes = await socket.receive() { plain += bytes }
    let told = try await talk(socket, "after\r\nQUIT\r\n", closes: true)
    #expect(told == "now TLSv1.3\r\necho after\r\nbye\r\n")
    await listener.drain(within: .seconds(10))
  }

  @Test func limitsAreToldAndReleased() async throws {
    var configuration = loopback()
    configuration.maximumConnectionsPerAddress = 2
    configuration.refusal = Array("421 too many\r\n".utf8)
    let listener = try await start(configuration)
    let first = try await dial(listener)
    let second = try await dial(listener)
    #expect(await first.line()?.hasPrefix("hello") == true)
    #expect(await second.line()?.hasPrefix("hello") == true)
    let third = try await dial(listener)
    #expect(await third.line() == "421 too many")
    #expect(await third.line() == nil)
    third.close()
    try await first.say("QUIT")
    #expect(await first.line() == "bye")
    #expect(await first.line() == nil)
    first.close()
    while listener.connectionCount > 1 { await Task.yield() }
    let fourth = try await dial(listener)
    #expect(await fourth.line()?.hasPrefix("hello") == true)
    await listener.stopAccepting()
    async let drained: Void = listener.drain(within: .seconds(10))
    // Those that wait are told to go, and say good-bye.
    #expect(await fourth.line() == "bye")
    #expect(await second.line() == "bye")
    fourth.close()
    second.close()
    await drained
    #expect(listener.connectionCount == 0)
    await #expect(throws: ConnectionError.self) { _ = try await dial(listener) }
  }

  @Test func aSlowReaderHoldsUpOnlyItself() async throws {
    let listener = try await start(loopback())
    let slow = try await dial(listener)
    #expect(await slow.line()?.hasPrefix("hello") == true)
    try await slow.say("FLOOD")
    let other = try await dial(listener)
    #expect(await other.line()?.hasPrefix("hello") == true)
    try await other.say("quick")
    #expect(await other.line() == "echo quick")
    var count = 0
    while count < 200, await slow.line() != nil { count += 1 }
    #expect(count == 200)
    slow.close()
    other.close()
    await listener.drain(within: .seconds(10))
  }

  @Test func proxiesSpeakForTheirClients() async throws {
    var configuration = loopback()
    configuration.proxies = [IPNetwork("127.0.0.0/8")!]
    configuration.maximumConnectionsPerAddress = 1
    configuration.refusal = Array("421 too many\r\n".utf8)
    let listener = try await start(configuration)
    let first = try await dial(listener)
    try await first.say("PROXY TCP4 192.0.2.1 198.51.100.1 1 25\r\nfirst")
    #expect(await first.line() == "hello plain 192.0.2.1")
    #expect(await first.line() == "echo first")
    let second = try await dial(listener)
    try await second.say("PROXY TCP4 192.0.2.1 198.51.100.1 2 25")
    #expect(await second.line() == "421 too many")
    let third = try await dial(listener)
    try await third.say("EHLO not.a.proxy")
    #expect(await third.line() == nil)
    for client in [first, second, third] { client.close() }
    await listener.drain(within: .seconds(10))
  }

  @Test func silenceBeforeAHandshakeIsBounded() async throws {
    var configuration = loopback(.implicitTLS(serverTLS))
    configuration.handshakeTimeout = .milliseconds(50)
    let listener = try await start(configuration)
    let client = try await dial(listener)
    #expect(await client.line() == nil)
    client.close()
    await listener.drain(within: .seconds(10))
    // A listener in plaintext answers a TLS client with something that is no TLS.
    let plain = try await start(loopback())
    await #expect(throws: ConnectionError.self) { _ = try await dial(plain, tls: clientTLS) }
    await plain.drain(within: .seconds(10))
  }

  @Test func timeoutsAndInterruptsReachTheSession() async throws {
    let listener = try await start(loopback())
    let client = try await dial(listener)
    #expect(await client.line()?.hasPrefix("hello") == true)
    guard case .timedOut = await client.waitForInput(timeout: .milliseconds(20)) else {
      Issue.record("no timeout")
      return
    }
    client.interrupt()
    guard case .interrupted = await client.waitForInput(timeout: .seconds(10)) else {
      Issue.record("an interrupt was lost")
      return
    }
    // The earlier, shorter timers end nothing of the later waits.
    try await client.say("still here")
    #expect(await client.line() == "echo still here")
    client.close()
    await listener.drain(within: .seconds(10))
  }
}
