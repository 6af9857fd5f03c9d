package import DNS
package import MessageFormat
import Networking

/// Asks DNS which hosts take the mail of a domain, and where they are.
package struct ExchangerLookup: Sendable {
  private let resolver: any Resolving
  /// Names that hosts of ours have in MX records.
  private let ownNames: Set<DomainName>
  /// A domain may have a thousand; whoever does not answer at the first ten is down.
  private let mostHosts: Int
  private let mostAddresses: Int

  package init(
    resolver: any Resolving, ownNames: Set<DomainName> = [], mostHosts: Int = 10, mostAddresses: Int = 8
  ) {
    self.resolver = resolver
    self.ownNames = ownNames
    self.mostHosts = mostHosts
    self.mostAddresses = mostAddresses
  }

  /// - Parameter generator: shuffles hosts of equal preference, which spreads the load.
  package func route(
    for domain: Domain, using generator: inout some RandomNumberGenerator
  ) async throws(ResolutionError) -> MailRoute {
    if domain.isAddressLiteral { return IPAddress(literal: domain.text).map { .address($0) } ?? .noHosts }
    guard let name = DomainName(domain) else { return .noSuchDomain }
    let answer = try await resolver.records(MailExchangerRecord.self, at: name)
    var hosts = MailHosts(
      names: [], security: answer.security, isImplicit: false,
      domainNames: answer.isSecure && answer.name != name ? [name, answer.name] : [name])
    switch answer.content {
    case .noSuchName: return .noSuchDomain
    case .noData:
      // An alias is followed as if its target had been written.
      if ownNames.contains(answer.name) { return .leadsBack }
      hosts.isImplicit = true
      hosts.names = [answer.name]
    case .records(let records):
      if records.count == 1, records[0].isNull { return .nullMX }
      // RFC 7505 §3: a null MX among others means nothing.
      let real = records.filter { !$0.isNull }
      let better = beforeOurs(real)
      if better.isEmpty { return real.isEmpty ? .noHosts : .leadsBack }
      hosts.names = inOrder(better, using: &generator)
    }
    return .hosts(hosts)
  }

  /// RFC 5321 §5.1: what stands beside us or behind us would only send the mail back to us.
  private func beforeOurs(_ records: [MailExchangerRecord]) -> [MailExchangerRecord] {
    guard let ours = records.lazy.filter({ ownNames.contains($0.host) }).map(\.preference).min() else { return records }
    return records.filter { $0.preference < ours }
  }

  private func inOrder(
    _ records: [MailExchangerRecord], using generator: inout some RandomNumberGenerator
  ) -> [DomainName] {
    // Sorting is stable, so equals stay as they were shuffled.
    let sorted = records.sorted { ($0.preference, $0.host) < ($1.preference, $1.host) }
      .shuffled(using: &generator).sorted { $0.preference < $1.preference }
    var names: [DomainName] = []
    var seen: Set<DomainName> = []
    for record in sorted where seen.insert(record.host).inserted {
      names.append(record.host)
      if names.count == mostHosts { break }
    }
    return names
  }

  /// IPv6 and IPv4 by turns, so that one that leads nowhere costs one attempt. If one of the two questions fails and
  /// the other has addresses, those are used.
  package func addresses(of host: DomainName) async throws(ResolutionError) -> HostAddresses {
    async let six = answer(IPv6Record.self, at: host)
    async let four = answer(IPv4Record.self, at: host)
    let answers = await (six: six, four: four)
    let addresses = byTurns(
      (try? answers.six.get().records.map(\.address)) ?? [], (try? answers.four.get().records.map(\.address)) ?? [])
    guard !addresses.isEmpty else {
      _ = try answers.six.get()
      _ = try answers.four.get()
      return HostAddresses(host: host, addresses: [], tlsaBases: [])
    }
    let kinds = [
      (try? answers.six.get()).map { ($0.name, $0.isSecure, $0.records.isEmpty) },
      (try? answers.four.get()).map { ($0.name, $0.isSecure, $0.records.isEmpty) },
    ].compactMap { $0 }.filter { !$0.2 }
    let expanded = kinds.first?.0 ?? host
    return HostAddresses(
      host: host, addresses: Array(addresses.prefix(mostAddresses)),
      tlsaBases: try await bases(host, expanded, isSecure: kinds.allSatisfy { $0.1 }))
  }

  /// RFC 7672 §2.2.2, §2.2.3: where aliases lead first, then the name itself. If only the alias is signed and not what
  /// it leads to, the name itself still may have records.
  private func bases(
    _ host: DomainName, _ expanded: DomainName, isSecure: Bool
  ) async throws(ResolutionError) -> [DomainName] {
    if isSecure { return expanded == host ? [host] : [expanded, host] }
    guard expanded != host else { return [] }
    return try await resolver.records(AliasRecord.self, at: host).isSecure ? [host] : []
  }

  private func answer<Record: RecordData>(
    _ type: Record.Type, at name: DomainName
  ) async -> Result<Answer<Record>, ResolutionError> {
    do throws(ResolutionError) {
      return .success(try await resolver.records(type, at: name))
    } catch {
      return .failure(error)
    }
  }

  private func byTurns(_ first: [IPAddress], _ second: [IPAddress]) -> [IPAddress] {
    var result: [IPAddress] = []
    for index in 0..<max(first.count, second.count) {
      if index < first.count { result.append(first[index]) }
      if index < second.count { result.append(second[index]) }
    }
    return result
  }
}

extension IPAddress {
  /// `[192.0.2.1]`, `[IPv6:2001:db8::1]`.  RFC 5321 §4.1.3.
  fileprivate init?(literal text: String) {
    let content = text.dropFirst().dropLast()
    self.init(String(content.hasPrefix("IPv6:") ? content.dropFirst(5) : content))
  }
}
