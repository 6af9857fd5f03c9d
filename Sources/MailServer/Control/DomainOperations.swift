package import DKIM
import Delivery
import MailStore
import MessageFormat

/// A domain of the server, with what stands in DNS about it and only the store knows.
package struct MailDomainSummary: Codable, Hashable, Sendable {
  package var domain: String
  /// Of the keys that sign its mail, or will.
  package var keyRecords: [KeyRecordText]
  /// Of those that sign no more, while mail that they signed is on its way.
  package var retiredKeyRecords: [KeyRecordText]
}

extension Administration {
  /// - Parameter name: nil means the only one there is.
  func mailDomain(_ name: String?) async throws(Refusal) -> AdministrativeReply {
    let domains = store.directory.domains
    let domain: Domain
    if let name {
      guard let named = Domain(name), !named.isAddressLiteral else { throw Refusal("\(quoted(name)) is not a domain") }
      guard domains.contains(named) else {
        throw Refusal("\(named) is not a domain of this server; add it first: martlet domain add \(named)")
      }
      domain = named
    } else {
      guard let first = domains.first else {
        throw Refusal("this server has no domain; add one first: martlet domain add example.org")
      }
      guard domains.count == 1 else {
        throw Refusal("name one of the domains: \(domains.prefix(20).map(\.text).joined(separator: ", "))")
      }
      domain = first
    }
    do throws(DomainKeyError) {
      let keys = try await signingKeys.knownKeys(of: domain)
      return .mailDomain(
        MailDomainSummary(
          domain: domain.text, keyRecords: keys.filter { !$0.key.isRetired }.map(\.record),
          retiredKeyRecords: keys.filter(\.key.isRetired).map(\.record)))
    } catch {
      throw Refusal("\(error)")
    }
  }
}
