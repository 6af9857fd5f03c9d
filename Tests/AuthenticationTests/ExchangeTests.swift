import Bytes
import Cryptography
import MailStore
import MessageFormat
import Synchronization
import TestSupport
import Testing

@testable import Authentication

struct ExchangeTests {
  static let alice = makeAccount(1, "alice@example.test", password: "sesame", appPasswords: ["phone-secret"])
  static let bob = makeAccount(2, "bob@example.test", password: "пароль\u{FB01}é")
  static let nobody = makeAccount(3, "nobody@example.test", password: nil)
  static let carol = makeAccount(4, "carol@other.test", password: "carol")
  static let secondAlice = makeAccount(5, "dave@example.test", password: "one")
  static let otherDave = makeAccount(6, "dave@other.test", password: "two")

  let world = try! World(
    MemoryCredentials(
      [alice, bob, nobody, carol, secondAlice, otherDave], domains: ["example.test", "other.test"]))

  // MARK: What is announced

  @Test("What is announced depends on TLS, on the certificate and on the policy")
  func announcements() throws {
    let authenticator = world.authenticator
    let scram = ["SCRAM-SHA-512", "SCRAM-SHA-256", "SCRAM-SHA-1"]
    #expect(authenticator.mechanisms(for: makeContext(tls: nil)) == scram)
    #expect(
      authenticator.mechanisms(for: makeContext(tls: nil, allowsPlaintext: true)) == scram + ["PLAIN", "LOGIN"])
    #expect(
      authenticator.mechanisms(for: makeContext()) == scram.map { $0 + "-PLUS" } + scram + ["PLAIN", "LOGIN"])
    let withCertificate = makeContext(tls: makeTLS(certificateOf: ["alice@example.test"]))
    #expect(authenticator.mechanisms(for: withCertificate).first == "EXTERNAL")
    #expect(!authenticator.allowsPlaintext(makeContext(tls: nil)))
    #expect(authenticator.begin("PLAIN", makeContext(tls: nil)) == nil)
    #expect(authenticator.begin("SCRAM-SHA-1-PLUS", makeContext(tls: nil)) == nil)
    #expect(authenticator.begin("EXTERNAL", makeContext()) == nil)
    #expect(authenticator.begin("CRAM-MD5", makeContext()) == nil)
    #expect(authenticator.begin("plain", makeContext()) != nil)
    let dev = try World(MemoryCredentials(), policy: .anyPassword)
    #expect(dev.authenticator.mechanisms(for: makeContext()) == ["PLAIN", "LOGIN"])
  }

  // MARK: Passwords that cross the wire

  struct Plain: Sendable {
    var message: String
    var result: String
  }

  @Test(
    "PLAIN",
    arguments: [
      Plain(message: "\0alice@example.test\0sesame", result: "alice@example.test"),
      Plain(message: "\0ALICE@Example.TEST\0sesame", result: "alice@example.test"),
      Plain(message: "\0alice\0sesame", result: "alice@example.test"),
      Plain(message: "\0carol\0carol", result: "carol@other.test"),
      Plain(message: "\0alice\0phone-secret", result: "alice@example.test"),
      Plain(message: "alice@example.test\0alice\0sesame", result: "alice@example.test"),
      Plain(message: "\0bob\0пароль\u{FB01}é", result: "bob@example.test"),
      Plain(message: "\0bob\0парольfie\u{301}", result: "bob@example.test"),
      Plain(message: "\0alice\0Sesame", result: "invalidCredentials"),
      Plain(message: "\0alice\0", result: "invalidCredentials"),
      Plain(message: "\0dave\0one", result: "invalidCredentials"),
      Plain(message: "\0nobody\0", result: "invalidCredentials"),
      Plain(message: "\0ghost\0sesame", result: "invalidCredentials"),
      Plain(message: "bob@example.test\0alice\0sesame", result: "notAuthorized"),
      Plain(message: "ghost@example.test\0alice\0sesame", result: "notAuthorized"),
      Plain(message: "bob@example.test\0alice\0wrong", result: "invalidCredentials"),
      Plain(message: "", result: "malformed"),
      Plain(message: "alice", result: "malformed"),
      Plain(message: "\0alice", result: "malformed"),
      Plain(message: "\0alice\0sesame\0", result: "malformed"),
      Plain(message: "\0" + String(repeating: "a", count: 5000) + "\0x", result: "malformed"),
      Plain(message: String(repeating: "\0", count: 20_000), result: "malformed"),
    ])
  func plain(_ example: Plain) async throws {
    for asInitialResponse in [true, false] {
      let exchange = try #require(world.authenticator.begin("PLAIN", makeContext()))
      if !asInitialResponse { #expect(describe(await exchange.step(nil)) == "challenge ") }
      #expect(describe(await exchange.step(Array(example.message.utf8))) == example.result)
      #expect(describe(await exchange.step([])) == "cancelled")
    }
  }

  @Test("LOGIN asks with the words that Outlook waits for, with and without an initial response")
  func login() async throws {
    for response in [nil, Array("alice".utf8)] {
      let exchange = try #require(world.authenticator.begin("LOGIN", makeContext()))
      var step = await exchange.step(response)
      if response == nil {
        #expect(describe(step) == "challenge Username:")
        step = await exchange.step(Array("alice".utf8))
      }
      #expect(describe(step) == "challenge Password:")
      #expect(describe(await exchange.step(Array("sesame".utf8))) == "alice@example.test")
    }
    for (name, password) in [("alice", "wrong"), ("ghost", "sesame"), ("alice", "")] {
      let exchange = try #require(world.authenticator.begin("LOGIN", makeContext()))
      _ = await exchange.step(nil)
      _ = await exchange.step(Array(name.utf8))
      #expect(describe(await exchange.step(Array(password.utf8))) == "invalidCredentials", "\(name) \(password)")
    }
  }

  @Test("IMAP LOGIN and POP3 USER and PASS are checked alike, and only where a password may be sent")
  func verify() async {
    let authenticator = world.authenticator
    let right = await authenticator.verify(name: "Alice", password: Array("sesame".utf8), makeContext(service: .pop3))
    #expect(right == .success(AuthenticatedAccount(id: Self.alice.id, name: "alice@example.test", mechanism: "USER")))
    #expect(
      await authenticator.verify(name: "alice", password: [0x78], makeContext()) == .failure(.invalidCredentials))
    #expect(
      await authenticator.verify(name: "alice", password: Array("sesame".utf8), makeContext(tls: nil))
        == .failure(.notAuthorized))
    #expect(world.log.lines.filter { $0.hasPrefix("auth_") } == [
      "auth_ok conn=c1 mechanism=USER protocol=pop3 rip=192.0.2.7 tls=TLSv1.3 user=alice@example.test",
      "auth_failed conn=c1 mechanism=LOGIN protocol=imap reason=credentials rip=192.0.2.7 tls=TLSv1.3 user=alice",
    ])
  }

  @Test("A changed password is the one that counts, at once")
  func changedPassword() async {
    func works(_ password: String) async -> Bool {
      let password = Array(password.utf8)
      return (try? await world.authenticator.verify(name: "alice", password: password, makeContext()).get()) != nil
    }
    #expect(await works("sesame"))
    #expect(await works("sesame"))
    #expect(await works("phone-secret"))
    world.source.replace(makeAccount(1, "alice@example.test", password: "new"))
    #expect(await !works("sesame"))
    #expect(await !works("phone-secret"))
    #expect(await works("new"))
  }

  // MARK: SCRAM

  @Test("SCRAM proves the password both ways, with each hash, bound and not", arguments: ScramHash.allCases)
  func scram(_ hash: ScramHash) async throws {
    let tls = makeTLS()
    let cases: [(name: String, header: String, binding: [UInt8])] = [
      (hash.rawValue, "n,,", []),
      (hash.rawValue, "n,a=alice@example.test,", []),
      (hash.rawValue + "-PLUS", "p=tls-exporter,,", tls.exporterBinding!),
      (hash.rawValue + "-PLUS", "p=tls-server-end-point,,", tls.endPointBinding!),
    ]
    for (mechanism, header, binding) in cases {
      for isInitial in [true, false] {
        let exchange = try #require(world.authenticator.begin(mechanism, makeContext()))
        if !isInitial { #expect(describe(await exchange.step(nil)) == "challenge ") }
        var client = ScramClient(hash, user: "Alice", password: "sesame", header: header, binding: binding)
        guard case .challenge(let challenge) = await exchange.step(client.first) else {
          Issue.record("\(mechanism): no challenge")
          continue
        }
        let final = try client.final(for: challenge)
        guard case .authenticated(let account, let data) = await exchange.step(final) else {
          Issue.record("\(mechanism) \(header): refused")
          continue
        }
        #expect(account == AuthenticatedAccount(id: Self.alice.id, name: "alice@example.test", mechanism: mechanism))
        #expect(data == Array("v=".utf8) + Base64.encode(client.serverSignature))
      }
    }
  }

  struct Refusal: Sendable {
    var mechanism: String
    var header = "n,,"
    var binding: [UInt8] = []
    var user = "alice"
    var password = "sesame"
    var result: String
    /// Refused in answer to the first message.
    var atOnce = false
  }

  @Test(
    "SCRAM refuses",
    arguments: [
      Refusal(mechanism: "SCRAM-SHA-256", password: "wrong", result: "invalidCredentials"),
      Refusal(mechanism: "SCRAM-SHA-1", password: "phone-secret", result: "invalidCredentials"),
      Refusal(mechanism: "SCRAM-SHA-512", user: "ghost", result: "invalidCredentials"),
      Refusal(mechanism: "SCRAM-SHA-256", user: "nobody", password: "", result: "invalidCredentials"),
      Refusal(mechanism: "SCRAM-SHA-256", header: "n,a=bob@example.test,", result: "notAuthorized"),
      Refusal(mechanism: "SCRAM-SHA-256", header: "y,,", result: "invalidCredentials", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256", header: "p=tls-exporter,,", result: "malformed", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256", header: "", result: "malformed", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256", header: "n,,m=x,", result: "malformed", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256", user: "a=b", result: "malformed", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256", user: "a\0b", result: "malformed", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256-PLUS", header: "n,,", result: "malformed", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256-PLUS", header: "y,,", result: "malformed", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256-PLUS", header: "p=tls-unique,,", result: "malformed", atOnce: true),
      Refusal(mechanism: "SCRAM-SHA-256-PLUS", header: "p=,,", result: "malformed", atOnce: true),
      Refusal(
        mechanism: "SCRAM-SHA-256-PLUS", header: "p=tls-exporter,,", binding: Array("exporter".utf8),
        result: "invalidCredentials"),
      Refusal(
        mechanism: "SCRAM-SHA-256-PLUS", header: "p=tls-exporter,,",
        binding: Array("end point end point end point en".utf8), result: "invalidCredentials"),
    ])
  func scramRefusals(_ example: Refusal) async throws {
    let hash = try #require(ScramHash.allCases.last { example.mechanism.hasPrefix($0.rawValue) })
    let exchange = try #require(world.authenticator.begin(example.mechanism, makeContext()))
    var client = ScramClient(
      hash, user: example.user, password: example.password, header: example.header, binding: example.binding)
    var step = await exchange.step(client.first)
    if case .challenge(let challenge) = step, !example.atOnce {
      step = await exchange.step(try client.final(for: challenge))
    }
    #expect(describe(step) == example.result)
    #expect(describe(await exchange.step([])) == "cancelled")
  }

  @Test("y is right where the connection has nothing to bind to")
  func unboundY() async throws {
    let exchange = try #require(world.authenticator.begin("SCRAM-SHA-256", makeContext(tls: nil)))
    var client = ScramClient(.sha256, user: "alice", password: "sesame", header: "y,,")
    guard case .challenge(let challenge) = await exchange.step(client.first) else { return #expect(Bool(false)) }
    let final = try client.final(for: challenge)
    #expect(describe(await exchange.step(final)) == "alice@example.test")
  }

  @Test("A second message that is not one is refused")
  func garbledFinal() async throws {
    for final in ["", "x", "c=biws", "c=biws,r=wrong,p=AAAA", "c=!,r=,p=", "c=biws,r=\0,p=", "p=,,,,,"] {
      let exchange = try #require(world.authenticator.begin("SCRAM-SHA-256", makeContext()))
      _ = await exchange.step(ScramClient(.sha256, user: "alice", password: "sesame").first)
      #expect(describe(await exchange.step(Array(final.utf8))) == "invalidCredentials", "\(final)")
    }
  }

  @Test("A user who does not exist is challenged like one who does, again and again alike")
  func unknownUsers() async throws {
    func challenge(_ user: String, _ mechanism: String) async throws -> (salt: String, shape: [String]) {
      let exchange = try #require(world.authenticator.begin(mechanism, makeContext()))
      let client = ScramClient(.sha256, user: user, password: "x")
      guard case .challenge(let challenge) = await exchange.step(client.first) else { return ("", []) }
      exchange.cancel()
      let fields = ScramClient.fields(challenge)
      return (fields["s"] ?? "", [fields["i"] ?? "", "\(fields["s"]?.count ?? 0)", "\(fields["r"]?.count ?? 0)"])
    }
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
      let known = try await challenge("alice", mechanism)
      let unknown = try await challenge("ghost", mechanism)
      #expect(known.shape == unknown.shape && !known.shape.isEmpty)
      #expect(try await challenge("GHOST", mechanism) == unknown)
      #expect(try await challenge("Alice@example.test", mechanism) == known)
      #expect(try await challenge("nobody", mechanism).shape == known.shape)
    }
  }

  // MARK: Certificates

  @Test(
    "EXTERNAL takes the account from the certificate",
    arguments: [
      (["alice@example.test"], "", "alice@example.test"),
      (["x@elsewhere.test", "Alice@Example.test"], "", "alice@example.test"),
      (["alice@example.test", "bob@example.test"], "bob", "bob@example.test"),
      (["alice@example.test"], "ALICE@example.test", "alice@example.test"),
      (["alice@example.test"], "bob@example.test", "notAuthorized"),
      (["alice@example.test"], "ghost@example.test", "notAuthorized"),
      (["ghost@example.test"], "", "invalidCredentials"),
    ])
  func external(_ emails: [String], _ requested: String, _ result: String) async throws {
    for isInitial in [true, false] {
      let context = makeContext(tls: makeTLS(certificateOf: emails))
      let exchange = try #require(world.authenticator.begin("EXTERNAL", context))
      if !isInitial { #expect(describe(await exchange.step(nil)) == "challenge ") }
      #expect(describe(await exchange.step(Array(requested.utf8))) == result)
    }
  }

  // MARK: Limits and ends

  @Test("Failures over all mechanisms are held back together, then nothing is checked any more")
  func lockOut() async throws {
    let context = makeContext()
    for attempt in 0..<20 {
      if attempt.isMultiple(of: 2) {
        _ = await world.authenticator.verify(name: "alice", password: [], context)
      } else {
        let exchange = try #require(world.authenticator.begin("PLAIN", context))
        #expect(describe(await exchange.step(Array("\0alice@example.test\0x".utf8))) == "invalidCredentials")
      }
    }
    // Less what the check itself took, on a machine that may be busy.
    #expect(zip(world.held.seconds, [0, 1, 2, 4, 8, 15]).allSatisfy { $1 - 1 ... $1 ~= $0 })
    #expect(
      await world.authenticator.verify(name: "alice", password: Array("sesame".utf8), context)
        == .failure(.tooManyFailures))
    let scram = try #require(world.authenticator.begin("SCRAM-SHA-256", context))
    #expect(
      describe(await scram.step(ScramClient(.sha256, user: "alice", password: "sesame").first)) == "tooManyFailures")
    let elsewhere = await world.authenticator.verify(
      name: "alice", password: Array("sesame".utf8), makeContext(from: "198.51.100.1"))
    #expect((try? elsewhere.get()) != nil)
    world.clock.move(to: world.clock.now.advanced(by: .seconds(901)))
    let later = await world.authenticator.verify(name: "alice", password: Array("sesame".utf8), context)
    #expect((try? later.get()) != nil)
  }

  @Test("Of a refusal's time nothing can be learnt")
  func shortestRefusal() async {
    _ = await world.authenticator.verify(name: "ghost", password: Array("x".utf8), makeContext())
    _ = await world.authenticator.verify(name: "alice", password: Array("x".utf8), makeContext(from: "192.0.2.8"))
    let delays = world.held.delays.withLock { $0 }
    #expect(delays.count == 2 && delays.allSatisfy { $0 < .milliseconds(300) })
  }

  @Test("An exchange that was cancelled goes no further")
  func cancelled() async throws {
    let exchange = try #require(world.authenticator.begin("LOGIN", makeContext()))
    _ = await exchange.step(nil)
    exchange.cancel()
    #expect(describe(await exchange.step(Array("alice".utf8))) == "cancelled")
  }

  @Test("dev takes any address and any password, and makes the account")
  func anyPassword() async throws {
    let dev = try World(MemoryCredentials(domains: ["example.test"]), policy: .anyPassword)
    let context = makeContext(tls: nil, allowsPlaintext: true)
    for (name, result) in [
      ("new@fresh.test", "new@fresh.test"), ("new@fresh.test", "new@fresh.test"), ("someone", "someone@example.test"),
      ("not an address@@", "invalidCredentials"), (" ", "invalidCredentials"), ("", "malformed"),
    ] {
      let exchange = try #require(dev.authenticator.begin("PLAIN", context))
      #expect(describe(await exchange.step(Array("\0\(name)\0whatever".utf8))) == result, "\(name)")
    }
    #expect(dev.source.account(login: "new@fresh.test")?.id == AccountID(rawValue: 1))
    #expect(dev.source.domains.map(\.text) == ["example.test", "fresh.test"])
  }

  @Test("Many exchanges at once do not get in each other's way")
  func manyAtOnce() async throws {
    await withTaskGroup(of: Bool.self) { group in
      for number in 0..<200 {
        group.addTask {
          let isRight = number.isMultiple(of: 3)
          let context = makeContext(from: "10.0.0.\(number)")
          guard let exchange = world.authenticator.begin("SCRAM-SHA-256", context) else { return false }
          var client = ScramClient(.sha256, user: "alice", password: isRight ? "sesame" : "wrong")
          guard case .challenge(let challenge) = await exchange.step(client.first),
            let final = try? client.final(for: challenge)
          else { return false }
          if case .authenticated = await exchange.step(final) { return isRight }
          return !isRight
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  private func describe(_ step: SASLStep) -> String {
    switch step {
    case .challenge(let bytes): "challenge \(String(decoding: bytes, as: UTF8.self))"
    case .authenticated(let account, _): account.name
    case .failed(let failure): "\(failure)"
    }
  }
}
