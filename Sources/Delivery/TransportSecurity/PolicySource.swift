package import DNS
package import HTTPSClient
import Networking

/// Where policies are fetched.
package protocol PolicyFetching: Sendable {
  func policyText(of domain: DomainName) async throws(PolicyFetchError) -> [UInt8]
}

/// The text is for the log and for reports.
package struct PolicyFetchError: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String
  /// The web server's certificate was not good enough.
  package let isOfCertificate: Bool

  package init(_ description: String, isOfCertificate: Bool = false) {
    self.description = description
    self.isOfCertificate = isOfCertificate
  }
}

/// `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`.  RFC 8461 §3.3.
package struct HTTPSPolicySource: PolicyFetching {
  private let client: HTTPSClient
  private let hosts: ExchangerLookup
  private let port: UInt16

  package init(client: HTTPSClient, resolver: any Resolving, port: UInt16 = 443) {
    self.client = client
    hosts = ExchangerLookup(resolver: resolver)
    self.port = port
  }

  package func policyText(of domain: DomainName) async throws(PolicyFetchError) -> [UInt8] {
    guard let host = domain.prefixed(by: "mta-sts"),
      let url = HTTPSURL(host: host.text, port: port, path: "/.well-known/mta-sts.txt")
    else { throw PolicyFetchError("the domain has no place for a policy") }
    let place: HostAddresses
    do throws(ResolutionError) {
      place = try await hosts.addresses(of: host)
    } catch {
      throw PolicyFetchError("\(url): \(error)")
    }
    let document: HTTPSDocument
    do throws(HTTPSError) {
      document = try await client.get(url, at: place.addresses)
    } catch {
      var isOfCertificate = false
      if case .untrusted = error { isOfCertificate = true }
      throw PolicyFetchError("\(url): \(error)", isOfCertificate: isOfCertificate)
    }
    // RFC 8461 §3.3: a server where strangers may leave pictures is not a server where they may leave policies.
    guard document.mediaType == "text/plain" else { throw PolicyFetchError("\(url): it is not text/plain") }
    return document.bytes
  }
}
