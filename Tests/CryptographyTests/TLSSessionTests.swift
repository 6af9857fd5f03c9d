import Testing

@testable import Cryptography

/// One authority for all tests of this file: making keys is the slow part.
private let authority = try! CertificateAuthority(name: "Martlet test CA")
private let mail = try! authority.issue(names: ["mail.example.test", "127.0.0.1"])
private let other = try! authority.issue(names: ["other.example.test", "*.wild.test"])
private let apex = try! authority.issue(names: ["fresh.example.test"])

/// A client and a server whose wire is this value; other tests of TLS use it too.
struct Pair {
  let client: TLSSession
  let server: TLSSession
  var atClient: [UInt8] = []
  var atServer: [UInt8] = []

  init(
    _ serverContext: TLSServerContext, _ clientContext: TLSClientContext? = nil, name: String? = "mail.example.test",
    served: [String] = [], asked: [String] = [], resuming: TLSResumption? = nil
  ) throws {
    server = try TLSSession(server: serverContext, applicationProtocols: served)
    client = try TLSSession(
      client: try clientContext ?? TLSClientContext(verification: .authorities(authority.certificate)),
      serverName: name, applicationProtocols: asked, resuming: resuming)
  }

  /// Carries bytes until both sides are silent, `step` at a time.
  mutating func run(step: Int = .max) throws {
    while true {
      let toServer = client.takeOutput()
      try Self.carry(toServer, step, server, &atServer)
      let toClient = server.takeOutput()
      try Self.carry(toClient, step, client, &atClient)
      if toServer.isEmpty, toClient.isEmpty { return }
    }
  }

  mutating func shakeHands(step: Int = .max) throws {
    try client.startHandshake()
    try run(step: step)
  }

  private static func carry(_ bytes: [UInt8], _ step: Int, _ target: TLSSession, _ plaintext: inout [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = Array(rest.prefix(step))
      rest = rest.dropFirst(step)
      try piece.withUnsafeBytes { try target.receive($0, into: &plaintext) }
    }
  }
}

@Suite struct TLSSessionTests {
  @Test(arguments: [(TLSVersion.tls12, "TLSv1.2", Int.max), (.tls13, "TLSv1.3", Int.max), (.tls12, "TLSv1.2", 1), (.tls13, "TLSv1.3", 1)])
  func bothSidesAgree(version: TLSVersion, name: String, step: Int) throws {
    let context = try TLSServerContext(certificates: [.init(chain: mail.chain, key: mail.key)])
    let client = try TLSClientContext(
      verification: .authorities(authority.certificate), versions: version...version)
    var pair = try Pair(context, client, served: ["imap"], asked: ["pop3", "imap"])
    try pair.shakeHands(step: step)
    let ours = try #require(pair.server.info)
    let theirs = try #require(pair.client.info)
    #expect(ours.version == name && theirs.version == name)
    #expect(ours.cipher == theirs.cipher)
    #expect(ours.serverName == "mail.example.test")
    #expect(ours.applicationProtocol == "imap" && theirs.applicationProtocol == "imap")
    #expect(ours.exporterBinding?.count == 32 && ours.exporterBinding == theirs.exporterBinding)
    #expect(ours.endPointBinding?.count == 32 && ours.endPointBinding == theirs.endPointBinding)
    let der = try #require(theirs.peerCertificate)
    #expect(ours.endPointBinding == digest(der, .sha256))
    if version == .tls12 {
      #expect(ours.uniqueBinding != nil && ours.uniqueBinding == theirs.uniqueBinding)
    } else {
      #expect(ours.uniqueBinding == nil)
    }

    let long = [UInt8](repeating: 7, count: 100_000)
    try pair.client.send(long)
    try pair.server.send([1, 2, 3])
    try pair.run(step: step == 1 ? 1_000 : step)
    #expect(pair.atServer == long)
    #expect(pair.atClient == [1, 2, 3])
    #expect(!pair.server.hasReceivedClose)
    pair.client.sendClose()
    try pair.run()
    #expect(pair.server.hasReceivedClose)
  }

  @Test(arguments: [
    ("mail.example.test", 0), ("other.example.test", 1), ("OTHER.example.test.", 1), ("a.wild.test", 1),
    ("a.b.wild.test", 0), ("wild.test", 0), ("unknown.test", 0), (nil, 0), ("127.0.0.1", 0),
  ] as [(String?, Int)])
  func certificateByServerName(name: String?, index: Int) throws {
    let context = try TLSServerContext(certificates: [mail, other])
    var pair = try Pair(context, try TLSClientContext(verification: .none), name: name)
    try pair.shakeHands()
    let names = try #require(pair.client.info?.peerCertificate)
    let expected = try [mail, other].map { try firstCertificate($0.chain) }[index]
    #expect(names == expected)
    // The binding is that of the certificate that was really sent.
    #expect(pair.server.info?.endPointBinding == pair.client.info?.endPointBinding)
  }

  private func firstCertificate(_ pem: [UInt8]) throws -> [UInt8] {
    var der: [UInt8]?
    try forEachCertificate(in: pem) { (certificate, index) throws(CertificateError) in
      if index == 0 { der = derEncoding(certificate.pointer) }
    }
    return try #require(der)
  }

  @Test func clientRefusesWhatItDoesNotTrust() throws {
    let context = try TLSServerContext(certificates: [mail])
    let stranger = try CertificateAuthority(name: "Somebody else")
    for (verification, name) in [
      (TLSClientContext.Verification.authorities(stranger.certificate), "mail.example.test"),
      (.authorities(authority.certificate), "wrong.example.test"), (.authorities(authority.certificate), "127.0.0.2"),
    ] {
      var pair = try Pair(context, try TLSClientContext(verification: verification), name: name)
      #expect(throws: TLSError.self) { try pair.shakeHands() }
    }
    var pair = try Pair(context, name: "127.0.0.1")
    try pair.shakeHands()
  }

  @Test func aBrowsersProtocolIsRefusedWhereOursIsNamed() throws {
    let context = try TLSServerContext(certificates: [mail])
    var pair = try Pair(context, served: ["imap"], asked: ["h2", "http/1.1"])
    #expect(throws: TLSError.self) { try pair.shakeHands() }
    pair = try Pair(context, served: [], asked: ["h2"])
    try pair.shakeHands()
    #expect(pair.server.info?.applicationProtocol == nil)
  }

  @Test(arguments: [TLSVersion.tls12, .tls13])
  func sessionsResumeByTicketAndReloadSwapsCertificates(version: TLSVersion) throws {
    let context = try TLSServerContext(
      certificates: [mail], clientCertificates: .requested(trusted: [authority.certificate]))
    let client = try TLSClientContext(
      verification: .authorities(authority.certificate), versions: version...version)
    var first = try Pair(context, client)
    try first.shakeHands()
    try first.server.send([1])
    try first.run()
    #expect(first.server.info?.isResumed == false)
    let resumption = try #require(first.client.resumption)

    var second = try Pair(context, client, resuming: resumption)
    try second.shakeHands()
    #expect(second.server.info?.isResumed == true)
    #expect(second.server.info?.uniqueBinding == second.client.info?.uniqueBinding)
    #expect(second.server.info?.exporterBinding == second.client.info?.exporterBinding)

    #expect(throws: CertificateError.self) { try context.reload(certificates: []) }
    try context.reload(certificates: [apex])
    // What is under way goes on.
    try first.client.send([9])
    try first.run()
    #expect(first.atServer == [9])
    var third = try Pair(context, client, name: "fresh.example.test", resuming: resumption)
    try third.shakeHands()
    #expect(third.server.info?.isResumed == false)
  }

  @Test func clientCertificatesAreTakenWhetherKnownOrNot() throws {
    let stranger = try CertificateAuthority(name: "Somebody else")
    for (issuer, isTrusted) in [(authority, true), (stranger, false)] {
      let context = try TLSServerContext(
        certificates: [mail], clientCertificates: .requested(trusted: [authority.certificate]))
      let certificate = try issuer.issue(names: [], emailAddresses: ["alice@example.test"])
      let client = try TLSClientContext(
        verification: .authorities(authority.certificate), certificate: certificate)
      var pair = try Pair(context, client)
      try pair.shakeHands()
      let info = try #require(pair.server.info)
      #expect(info.peerCertificate != nil)
      #expect(info.peerCertificateIsTrusted == isTrusted)
      #expect(info.peerEmailAddresses == ["alice@example.test"])
    }
    let context = try TLSServerContext(certificates: [mail], clientCertificates: .requested(trusted: []))
    var pair = try Pair(context)
    try pair.shakeHands()
    #expect(pair.server.info?.peerCertificate == nil)
    #expect(pair.server.info?.peerCertificateIsTrusted == false)
  }

  @Test func damagedRecordsAndGarbageEndTheSession() throws {
    let context = try TLSServerContext(certificates: [mail])
    var pair = try Pair(context)
    try pair.shakeHands()
    try pair.client.send([1, 2, 3])
    var record = pair.client.takeOutput()
    record[record.count - 1] ^= 1
    var plaintext: [UInt8] = []
    #expect(throws: TLSError.self) {
      try record.withUnsafeBytes { try pair.server.receive($0, into: &plaintext) }
    }
    #expect(plaintext.isEmpty)
    // An alert tells the peer.
    #expect(pair.server.hasOutput)

    let fresh = try TLSSession(server: context)
    #expect(throws: TLSError.self) {
      try Array("EHLO client.example\r\n".utf8).withUnsafeBytes { try fresh.receive($0, into: &plaintext) }
    }
  }
}

@Suite struct CertificateTests {
  @Test func authorityIssuesWhatItIsAskedFor() throws {
    #expect(try certificateNames(pem: other.chain) == ["other.example.test", "*.wild.test"])
    let expiry = try certificateExpiry(pem: mail.chain)
    #expect(expiry > 1_700_000_000)
    try checkCertificate(chain: mail.chain, key: mail.key)
    #expect(throws: CertificateError.self) { try authority.issue(names: ["a.test,DNS:b.test"]) }
  }

  @Test func wrongFilesAreNamedReadably() throws {
    #expect(throws: CertificateError.keyDoesNotMatch) { try checkCertificate(chain: mail.chain, key: other.key) }
    #expect(throws: CertificateError.keyDoesNotMatch) {
      _ = try TLSServerContext(certificates: [.init(chain: mail.chain, key: other.key)])
    }
    #expect(throws: CertificateError.none) { _ = try TLSServerContext(certificates: []) }
    for (chain, key) in [(mail.key, mail.key), (mail.chain, mail.chain), ([], mail.key), (Array("x".utf8), mail.key)] {
      let error = #expect(throws: CertificateError.self) { try checkCertificate(chain: chain, key: key) }
      #expect(error?.description.contains("PEM") == true)
    }
  }
}
