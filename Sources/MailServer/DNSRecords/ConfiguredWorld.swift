import Cryptography
import DNS
import Delivery
import HTTPSClient
import Networking

extension MailIdentity {
  /// What the records of a domain are made from, as the server is configured.
  /// - Parameter addresses: where the world reaches the server; if empty, at the public addresses of this machine.
  package init(
    of domain: MailDomainSummary, _ configuration: Configuration, addresses: [String]
  ) throws(StartupError) {
    guard let hostname = configuration.hostname.flatMap({ DomainName($0) }) else {
      throw StartupError("hostname: DNS has no place for such a name")
    }
    guard let name = DomainName(domain.domain) else {
      throw StartupError("\(domain.domain): DNS has no place for such a name")
    }
    var parsed: [IPAddress] = []
    for text in addresses {
      guard let address = IPAddress(text) else { throw StartupError("--address: \(quoted(text)) is not an IP address") }
      if !parsed.contains(address) { parsed.append(address) }
    }
    var digest: [UInt8]?
    do {
      digest = try certificateInUse(configuration, hostname: hostname.text).map {
        try Cryptography.publicKeyDigest(pem: $0)
      }
    } catch {
      throw StartupError("tls.certificates: \(error)")
    }
    self.init(
      domain: name, hostname: hostname, addresses: parsed.isEmpty ? publicAddresses() : parsed,
      areAddressesGiven: !parsed.isEmpty, keyRecords: domain.keyRecords, retiredKeyRecords: domain.retiredKeyRecords,
      publicKeyDigest: digest, smarthost: configuration.outbound.smarthostOfTheRest)
  }

  /// Looks at all of it in DNS, by the resolver that is configured.
  package func check(_ configuration: Configuration) async throws(StartupError) -> DNSReport {
    let outbound = configuration.outbound
    var settings = ResolverSettings(upstream: outbound.resolver)
    settings.trustAnchorFile = outbound.trustAnchors
    // Somebody waits at a terminal.
    settings.timeLimit = .seconds(10)
    let resolver: Resolver
    do throws(ResolverSetupError) {
      resolver = try Resolver(settings)
    } catch {
      throw StartupError("outbound.resolver: \(error)")
    }
    let sources = outbound.sources.compactMap { IPAddress($0) }
    let port = UInt16(clamping: outbound.port)
    let dialling: @Sendable (IPAddress) async -> DialOutcome = { await dial($0, port: port, from: sources) }
    let world = DNSWorld(
      identity: self, resolver: resolver, policies: HTTPSPolicySource(client: HTTPSClient(), resolver: resolver),
      greetingName: outbound.name.flatMap { DomainName($0) }, sources: sources,
      isValidating: outbound.trustAnchors != nil,
      dial: outbound.isEnabled ? dialling : nil)
    let report = await world.report()
    await resolver.close()
    return report
  }
}
