import DNS
import Networking

/// Do the addresses lead back to the server's name? Many servers take no mail from an address that does not.
struct ReverseNameCheck: DNSCheck {
  func findings(in world: DNSWorld) async throws(Unanswered) -> [DNSFinding] {
    var findings: [DNSFinding] = []
    for address in try await world.sendingAddresses(for: "PTR") where address.isPublic {
      findings.append(try await finding(about: address, world))
    }
    return findings
  }

  private func finding(about address: IPAddress, _ world: DNSWorld) async throws(Unanswered) -> DNSFinding {
    let place = DomainName(reverseOf: address)
    // Whoever hands all mail to a smarthost is not judged by its own address.
    let grave: DNSFinding.Severity = world.identity.smarthost == nil ? .failure : .advice
    let remedy = "have whoever gave you \(address) point it to \(world.greetingName)"
    let names = try await world.answer(PointerRecord.self, at: place, for: "PTR").records.map(\.name).prefix(8)
    guard !names.isEmpty else {
      return DNSFinding(grave, "PTR", place.text, "\(address) has no name", remedy: remedy)
    }
    var confirmed: [DomainName] = []
    for name in names where try await world.addresses(of: name, for: "PTR").contains(address) { confirmed.append(name) }
    if confirmed.contains(world.greetingName) {
      return DNSFinding(.right, "PTR", place.text, "\(address) is \(world.greetingName), there and back")
    }
    guard let name = confirmed.first else {
      return DNSFinding(
        grave, "PTR", place.text, "\(address) is called \(names[0]), and that does not lead back to it", remedy: remedy)
    }
    return DNSFinding(
      grave == .failure ? .warning : .advice, "PTR", place.text,
      "\(address) is \(name), and the server calls itself \(world.greetingName)", remedy: remedy)
  }
}
