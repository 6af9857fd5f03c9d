import Testing

@testable import Cryptography

private let authority = try! CertificateAuthority(name: "Martlet DANE test CA")
private let certificate = try! authority.issue(names: ["mx.example.test"])
private let expired = try! authority.issue(names: ["mx.example.test"], days: -1)

/// The certificates of a chain in DER, the server's first.
private func ders(_ chain: [UInt8]) throws -> [[UInt8]] {
  var result: [[UInt8]] = []
  try forEachCertificate(in: chain) { (certificate, _) throws(CertificateError) in
    result.append(derEncoding(certificate.pointer) ?? [])
  }
  return result
}

private func record(
  _ usage: UInt8, of certificate: TLSServerContext.Certificate = certificate, matchingType: UInt8 = 1, at depth: Int = 0
) throws -> DANERecord {
  let der = try ders(certificate.chain)[depth]
  let data =
    switch matchingType {
    case 0: der
    case 1: digest(der, .sha256)
    default: digest(der, .sha512)
    }
  return DANERecord(usage: usage, selector: 0, matchingType: matchingType, data: data)
}

/// What comes of a handshake with a server that has `certificate`.
private func handshake(
  _ records: [DANERecord], name: String = "mx.example.test", further: [String] = [],
  with certificate: TLSServerContext.Certificate = certificate
) throws -> Result<PeerAuthentication, CertificateProblem> {
  let client = try TLSClientContext(
    verification: .dane(DANEVerification(records: records, furtherNames: further)))
  var pair = try Pair(try TLSServerContext(certificates: [certificate]), client, name: name)
  do {
    try pair.shakeHands()
  } catch {
    return .failure(try #require(client.certificateProblem))
  }
  return .success(try #require(pair.client.info).peerAuthentication)
}

@Suite struct DANETests {
  @Test(arguments: [UInt8(0), 1, 2])
  func aRecordOfTheServersCertificateNeedsNoNameAndNoTime(matchingType: UInt8) throws {
    for (name, served) in [
      ("mx.example.test", certificate), ("other.test", certificate), ("mx.example.test", expired),
    ] {
      let result = try handshake([record(3, of: served, matchingType: matchingType)], name: name, with: served)
      #expect(try result.get() == .tlsa(usage: 3, selector: 0, matchingType: matchingType))
    }
  }

  @Test func aRecordOfTheServersKeyIsThatOfItsCertificate() throws {
    let key = DANERecord(usage: 3, selector: 1, matchingType: 1, data: try publicKeyDigest(pem: certificate.chain))
    #expect(try handshake([key]).get() == .tlsa(usage: 3, selector: 1, matchingType: 1))
    #expect(throws: CertificateError.self) { try publicKeyDigest(pem: Array("no certificate".utf8)) }
  }

  @Test func aRecordOfAnAuthorityDemandsTheName() throws {
    let records = [try record(2, at: 1)]
    #expect(try handshake(records).get() == .tlsa(usage: 2, selector: 0, matchingType: 1))
    #expect(
      try handshake(records, name: "base.test", further: ["mx.example.test"]).get()
        == .tlsa(usage: 2, selector: 0, matchingType: 1))
    #expect(throws: CertificateProblem.self) { try handshake(records, name: "other.test").get() }
    guard case .failure(let problem) = try handshake(records, name: "other.test") else { return }
    #expect(problem.kind == .wrongName)
    guard case .failure(let late) = try handshake([record(2, of: expired, at: 1)], with: expired) else {
      Issue.record("an expired certificate was accepted")
      return
    }
    #expect(late.kind == .expired)
  }

  @Test func oneOfSeveralRecordsIsEnough() throws {
    // As they stand while a key changes, with some that nobody can use.
    let records = try [
      DANERecord(usage: 3, selector: 1, matchingType: 1, data: [UInt8](repeating: 1, count: 32)),
      DANERecord(usage: 1, selector: 1, matchingType: 1, data: [UInt8](repeating: 2, count: 32)),
      DANERecord(usage: 3, selector: 9, matchingType: 9, data: [3]), record(3),
    ]
    #expect(try handshake(records).get() == .tlsa(usage: 3, selector: 0, matchingType: 1))
  }

  @Test func aCertificateThatMatchesNoneIsRefused() throws {
    let wrong = DANERecord(usage: 3, selector: 1, matchingType: 1, data: [UInt8](repeating: 1, count: 32))
    guard case .failure(let problem) = try handshake([wrong]) else {
      Issue.record("it was accepted")
      return
    }
    #expect(problem.kind == .matchesNoRecord && !problem.description.isEmpty)
    #expect(throws: CertificateProblem.self) { try handshake([]).get() }
  }

  @Test func usability() throws {
    let hash = [UInt8](repeating: 0, count: 32)
    for (usage, selector, matching, data, isUsable) in [
      (3, 1, 1, hash, true), (2, 0, 1, hash, true), (3, 1, 2, hash + hash, true), (0, 1, 1, hash, false),
      (1, 1, 1, hash, false), (4, 1, 1, hash, false), (3, 2, 1, hash, false), (3, 1, 3, hash, false),
      (3, 1, 1, hash + [0], false), (3, 1, 2, hash, false), (3, 0, 0, hash, false), (3, 1, 0, [], false),
    ] as [(UInt8, UInt8, UInt8, [UInt8], Bool)] {
      let record = DANERecord(usage: usage, selector: selector, matchingType: matching, data: data)
      #expect(record.isUsable == isUsable, "\(usage) \(selector) \(matching), \(data.count) octets")
    }
    let whole = try record(3, matchingType: 0)
    #expect(whole.isUsable)
    #expect(!DANERecord(usage: 3, selector: 0, matchingType: 0, data: whole.data + [0]).isUsable)
    #expect(!DANERecord(usage: 3, selector: 1, matchingType: 0, data: whole.data).isUsable)
  }

  @Test func aProblemThatIsOnlyReportedStopsNothing() throws {
    let stranger = try CertificateAuthority(name: "Somebody else")
    for (authorities, name, kind) in [
      (authority.certificate, "mx.example.test", nil), (authority.certificate, "other.test", .wrongName),
      (stranger.certificate, "mx.example.test", .notTrusted),
    ] as [([UInt8], String, CertificateProblem.Kind?)] {
      let client = try TLSClientContext(verification: .authorities(authorities), enforcement: .reported)
      var pair = try Pair(try TLSServerContext(certificates: [certificate]), client, name: name)
      try pair.shakeHands()
      let info = try #require(pair.client.info)
      #expect(info.certificateProblem?.kind == kind)
      #expect((info.peerAuthentication == .authority) == (kind == nil))
    }
  }

  @Test func aRefusalHasItsReason() throws {
    for (verification, name, kind) in [
      (TLSClientContext.Verification.authorities(authority.certificate), "other.test", .wrongName),
      (.system, "mx.example.test", .notTrusted),
    ] as [(TLSClientContext.Verification, String, CertificateProblem.Kind)] {
      let client = try TLSClientContext(verification: verification)
      var pair = try Pair(try TLSServerContext(certificates: [certificate]), client, name: name)
      #expect(throws: TLSError.self) { try pair.shakeHands() }
      #expect(client.certificateProblem?.kind == kind)
    }
  }
}
