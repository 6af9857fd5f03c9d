import DNS

/// Is what was found signed?  RFC 4033.
struct SignedZoneCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    let (domain, host) = (world.identity.domain, world.identity.hostname)
    guard world.isValidating else {
      return [
        DNSFinding(
          .advice, "DNSSEC", domain.text, "not looked at: outbound.trust_anchors is empty",
          remedy: "leave it at its default to have signatures checked")
      ]
    }
    var zones = [(domain, try await world.answer(MailExchangerRecord.self, at: domain, for: "DNSSEC").isSecure)]
    if host != domain {
      zones.append((host, try await world.answer(IPv4Record.self, at: host, for: "DNSSEC").isSecure))
    }
    return zones.map { name, isSigned in
      isSigned
        ? DNSFinding(.right, "DNSSEC", name.text, "is signed")
        : DNSFinding(
          .advice, "DNSSEC", name.text, "is not signed: answers can be forged on their way",
          remedy: "have the zone signed; most DNS providers do it at the press of a button")
    }
  }
}
