import Authentication
import Cryptography
import Delivery
import MailStore
import MessageFormat
import Networking
import SMTP
import SMTPClient
import SMTPServer
import TestSupport
import Testing

/// Over real sockets, against our own server: what both sides believe of SMTP, TLS and SASL has to fit together.
@Suite struct RealServerTests {
  private static let authority = try! CertificateAuthority(name: "Martlet test CA")
  private static let certificate = try! authority.issue(names: ["mx.example.test"])

  private static func tls(_ name: String = "mx.example.test") throws -> ClientTLS {
    ClientTLS(
      context: try TLSClientContext(verification: .authorities(authority.certificate)), serverName: name)
  }

  /// Runs `body` with a server of one role on a free port.
  private func withServer(
    _ role: SMTPRole, overTLS: Bool = false, _ body: (HostAddress, TranscriptWorld) async throws -> Void
  ) async throws {
    let world = try await TranscriptWorld()
    try await world.account("bob")
    try await world.account("alice", password: "open sesame")
    let tls = try TLSServerContext(certificates: [Self.certificate])
    let services = SMTPServices(
      store: world.store, authenticator: try world.authenticator(),
      router: Router(store: world.store, hostname: Domain("mx.example.test")!, unknown: .refuse), tls: tls,
      hostname: "mx.example.test", clock: world.clock.wallClock, logger: world.log.logger)
    let listener = try await Listener.start(
      ListenerConfiguration(
        endpoint: .internet(host: "127.0.0.1", port: 0), security: overTLS ? .implicitTLS(tls) : .plaintext),
      logger: world.log.logger
    ) { connection in
      var session = SMTPSession(connection: connection, role: role, services: services)
      await session.run()
    }
    let address = HostAddress(name: "mx.example.test", address: IPAddress("127.0.0.1")!, port: listener.port)
    try await body(address, world)
    await listener.drain(within: .seconds(10))
    await world.store.close()
  }

  private func messages(of name: String, _ world: TranscriptWorld) async throws -> [String] {
    let account = try await world.account(name)
    guard let inbox = try await world.store.mailbox(named: .inbox, of: account) else { return [] }
    var messages: [String] = []
    for entry in try await world.store.entries(in: inbox.id, uids: try await world.store.index(of: inbox.id).uids) {
      let bytes = try await world.store.read(entry.content, range: 0..<entry.content.size)
      messages.append(String(decoding: bytes, as: UTF8.self))
    }
    return messages
  }

  private func message(_ content: [UInt8], to names: String...) -> OutboundMessage {
    OutboundMessage(
      sender: .mailbox(EmailAddress("alice@example.test")!),
      recipients: names.map { OutboundRecipient(EmailAddress("\($0)@example.test")!) },
      content: MessageContent(content))
  }

  @Test(arguments: [true, false]) func messagesArriveAsTheyAre(_ usesChunking: Bool) async throws {
    try await withServer(.exchange) { host, world in
      var settings = ClientSettings(name: "client.test", tls: .required(try Self.tls()))
      settings.usesChunking = usesChunking
      var session = try await ClientSession.connect(to: host, settings: settings)
      #expect(session.security.isVerified && session.security.description.hasPrefix("TLSv1.3 "))
      let small = "Subject: dots\r\n\r\n.\r\n..\r\n.end\r\n"
      let lines = ".\u{E4}\r\n" + String(repeating: "x", count: 70) + "\r\n"
      let large = "Subject: grüß\r\n\r\n" + String(repeating: lines, count: 9_000)
      let first = await session.deliver(message(Array(small.utf8), to: "bob", "nobody"))
      #expect(first.outcomes.map { $0.problem?.status.description } == [nil, "5.1.1"] && first.failure == nil)
      let second = await session.deliver(message(Array(large.utf8), to: "bob", "alice"))
      #expect(second.outcomes.allSatisfy { $0.problem == nil })
      await session.quit()
      let arrived = try await messages(of: "bob", world)
      #expect(arrived.count == 2 && arrived[0].hasSuffix(small) && arrived[1].hasSuffix(large))
      #expect(try await messages(of: "alice", world).count == 1)
    }
  }

  @Test func aCertificateForAnotherNameIsRefused() async throws {
    try await withServer(.exchange) { host, _ in
      let wrong = try Self.tls("other.test")
      await #expect(throws: HostFailure.self) {
        _ = try await ClientSession.connect(
          to: host, settings: ClientSettings(name: "client.test", tls: .required(wrong)))
      }
      // Opportunistic: once more without.
      var session = try await ClientSession.connect(
        to: host, settings: ClientSettings(name: "client.test", tls: .opportunistic(wrong)))
      guard case .plaintext(.handshakeFailed) = session.security else {
        Issue.record("\(session.security)")
        return
      }
      let result = await session.deliver(message(Array("Subject: x\r\n\r\n".utf8), to: "bob"))
      #expect(result.outcomes.allSatisfy { $0.problem == nil })
      await session.quit()
    }
  }

  @Test(arguments: [("open sesame", true), ("wrong", false)])
  func aSmarthostKnowsUs(_ password: String, _ isRight: Bool) async throws {
    try await withServer(.submission) { host, world in
      var settings = ClientSettings(name: "client.test", tls: .required(try Self.tls()))
      settings.credentials = Credentials(user: "alice@example.test", password: password)
      do {
        var session = try await ClientSession.connect(to: host, settings: settings)
        #expect(isRight)
        let result = await session.deliver(message(Array("From: alice@example.test\r\n\r\nx\r\n".utf8), to: "bob"))
        #expect(result.outcomes.allSatisfy { $0.problem == nil })
        await session.quit()
        #expect(try await messages(of: "bob", world).count == 1)
      } catch let failure as HostFailure {
        #expect(!isRight && failure.stage == .authenticate && failure.reply?.code == 535 && !failure.isPermanent)
      }
      #expect(world.log.lines.contains { $0.contains("SCRAM-SHA-256-PLUS") })
    }
  }

  @Test func tlsFromTheFirstOctet() async throws {
    try await withServer(.submission, overTLS: true) { host, _ in
      var settings = ClientSettings(name: "client.test", tls: .fromTheStart(try Self.tls()))
      settings.credentials = Credentials(user: "alice@example.test", password: "open sesame")
      var session = try await ClientSession.connect(to: host, settings: settings)
      #expect(session.security.isVerified)
      await session.quit()
      settings.tls = .fromTheStart(try Self.tls("other.test"))
      await #expect(throws: HostFailure.self) { _ = try await ClientSession.connect(to: host, settings: settings) }
    }
  }

  @Test func nobodyListens() async throws {
    let host = HostAddress(
      name: "gone.test", address: IPAddress("127.0.0.1")!, port: 1, source: IPAddress("127.0.0.1")!)
    await #expect(throws: HostFailure(.connect, .unreachable("Connection refused"))) {
      _ = try await ClientSession.connect(to: host, settings: ClientSettings(name: "client.test", tls: .never))
    }
  }
}
