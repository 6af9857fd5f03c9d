import Bytes
import Cryptography
package import DKIM
package import DNS
package import Networking

/// What a domain's records are made from: the domain, and the server that its mail is to find.
package struct MailIdentity: Hashable, Sendable {
  package var domain: DomainName
  /// The server's own full name, in its domain or another.
  package var hostname: DomainName
  /// Where the world reaches the server.
  package var addresses: [IPAddress]
  /// False: the addresses are those of this machine's interfaces, and what is in front of it may have others.
  package var areAddressesGiven: Bool
  /// Of the keys that sign the domain's mail, or will once they are in DNS.
  package var keyRecords: [KeyRecordText]
  /// Of those that sign no more, while mail that they signed is on its way.
  package var retiredKeyRecords: [KeyRecordText]
  /// The SHA-256 of the certificate's public key; nil where there is no certificate yet.
  package var publicKeyDigest: [UInt8]?
  /// Mail leaves through this server.
  package var smarthost: DomainName?

  package init(
    domain: DomainName, hostname: DomainName, addresses: [IPAddress] = [], areAddressesGiven: Bool = false,
    keyRecords: [KeyRecordText] = [], retiredKeyRecords: [KeyRecordText] = [], publicKeyDigest: [UInt8]? = nil,
    smarthost: DomainName? = nil
  ) {
    self.domain = domain
    self.hostname = hostname
    self.addresses = addresses
    self.areAddressesGiven = areAddressesGiven
    self.keyRecords = keyRecords
    self.retiredKeyRecords = retiredKeyRecords
    self.publicKeyDigest = publicKeyDigest
    self.smarthost = smarthost
  }

  /// Who is told of reports about the domain; every domain has this address (RFC 5321 §4.5.1).
  var reportAddress: String { "postmaster@\(domain)" }

  /// The policy for whoever sends to the domain.  RFC 8461 §3.2.
  var transportPolicy: String { "version: STSv1\r\nmode: testing\r\nmx: \(hostname)\r\nmax_age: 604800\r\n" }

  /// Changes with the policy, as RFC 8461 §3.1 wants it: up to 32 letters and digits.
  var transportPolicyID: String { hexadecimal(digest(Array(transportPolicy.utf8), .sha256).prefix(8)) }
}
