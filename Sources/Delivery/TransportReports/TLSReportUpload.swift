package import DNS
package import HTTPSClient
import Networking

/// Where reports are handed in.
package protocol TLSReportUploading: Sendable {
  func upload(_ file: [UInt8], to url: HTTPSURL) async throws(TLSReportUploadError)
}

/// The text is for the log.
package struct TLSReportUploadError: Error, Hashable, Sendable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// By POST.  RFC 8460 §5.4.
package struct HTTPSReportUpload: TLSReportUploading {
  private let client: HTTPSClient
  private let hosts: ExchangerLookup

  package init(client: HTTPSClient, resolver: any Resolving) {
    self.client = client
    hosts = ExchangerLookup(resolver: resolver)
  }

  package func upload(_ file: [UInt8], to url: HTTPSURL) async throws(TLSReportUploadError) {
    guard let host = DomainName(url.host) else { throw TLSReportUploadError("\(url.host) is no host name") }
    let addresses: [IPAddress]
    do throws(ResolutionError) {
      addresses = try await hosts.addresses(of: host).addresses
    } catch {
      throw TLSReportUploadError("\(error)")
    }
    do throws(HTTPSError) {
      try await client.post(HTTPSUpload(mediaType: TLSReport.mediaType, bytes: file), to: url, at: addresses)
    } catch {
      throw TLSReportUploadError("\(error)")
    }
  }
}
