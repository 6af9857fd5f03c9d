import DNS

/// Do signatures reach us at all? Many a name server hides them from its clients: then everything that is signed looks
/// forged from here, and no domain is to blame.
struct ResolverCheck: DNSCheck {
  /// Nothing where they do; what else there is to say can only be said then.
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    guard world.isValidating, let root = DomainName(".") else { return [] }
    do throws(ResolutionError) {
      _ = try await world.resolver.records(NameServerRecord.self, at: root)
    } catch {
      guard case .bogus = error else { return [] }
      return [
        DNSFinding(
          .failure, "resolver", "",
          "the name servers asked here hide the signatures of DNSSEC: they are not believed, and no mail gets out",
          remedy: "outbound.resolver: recursive asks the zones themselves; an empty outbound.trust_anchors does without")
      ]
    }
    return []
  }
}
