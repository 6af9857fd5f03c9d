package import Networking

/// What a listener speaks, by its name in the IANA service registry (`smtp` of port 25 is the exchange).
package enum ListenerService: String, CaseIterable, Sendable {
  case smtp
  case submission
  case submissions
  case lmtp
  case imap
  case imaps
  case pop3
  case pop3s

  /// The services of a mail server that people expect; LMTP is for those who ask for it.
  package static let standard: [ListenerService] = [.smtp, .submissions, .submission, .imap, .imaps, .pop3, .pop3s]

  /// Registered ports; LMTP has none, and 24 is what others use (RFC 2033 §1 forbids 25).
  package var port: UInt16 {
    switch self {
    case .smtp: 25
    case .submission: 587
    case .submissions: 465
    case .lmtp: 24
    case .imap: 143
    case .imaps: 993
    case .pop3: 110
    case .pop3s: 995
    }
  }

  /// TLS from the first byte (RFC 8314 §3.3); the others offer STARTTLS.
  package var isImplicitTLS: Bool {
    switch self {
    case .submissions, .imaps, .pop3s: true
    case .smtp, .submission, .lmtp, .imap, .pop3: false
    }
  }
}

/// One listener as configured. Short form: `imaps`, `imaps=993`, `imaps=127.0.0.1:993`, `imaps=[::1]:993`,
/// `lmtp=/run/martlet/lmtp.sock`.
package struct ListenerSetting: Hashable, Sendable {
  package enum Place: Hashable, Sendable {
    /// A host of `*` is all addresses of both families.
    case internet(host: String, port: UInt16)
    case local(path: String)
  }

  package var service: ListenerService
  package var place: Place
  /// Load balancers whose connections begin with a PROXY header.
  package var proxies: [TrustedProxy] = []

  package init(service: ListenerService, place: Place? = nil) {
    self.service = service
    self.place = place ?? .internet(host: "*", port: service.port)
  }

  /// The short form, which is also how it is shown.
  package var text: String {
    switch place {
    case .local(let path): "\(service.rawValue)=\(path)"
    case .internet(let host, let port):
      host.contains(":") ? "\(service.rawValue)=[\(host)]:\(port)" : "\(service.rawValue)=\(host):\(port)"
    }
  }
}

/// A network whose peers are trusted to name the real client.
package struct TrustedProxy: Hashable, Sendable {
  package let text: String
  package let network: IPNetwork

  package init?(_ text: String) {
    guard let network = IPNetwork(text) else { return nil }
    self.text = text
    self.network = network
  }
}

// MARK: Parsing

extension ListenerSetting {
  static let fieldNames = ["protocol", "address", "port", "path", "proxies"]

  init(parsing entry: ListEntry) throws(EntryProblem) {
    switch entry {
    case .text(let text): try self.init(short: text)
    case .fields(let fields): try self.init(fields: fields)
    }
  }

  private init(short text: String) throws(EntryProblem) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let service = try Self.service(parts[0], field: nil)
    guard parts.count == 2 else {
      self.init(service: service)
      return
    }
    let place = parts[1]
    if place.hasPrefix("/") {
      self.init(service: service, place: .local(path: place))
    } else if let port = UInt16(place) {
      self.init(service: service, place: .internet(host: "*", port: port))
    } else {
      guard let colon = place.lastIndex(of: ":"), let port = UInt16(place[place.index(after: colon)...]) else {
        throw EntryProblem(
          expected: "PORT, ADDRESS:PORT, [IPV6]:PORT or /PATH after \(parts[0])=, not \(quoted(place))")
      }
      var host = String(place[..<colon])
      if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
      self.init(service: service, place: .internet(host: try Self.host(host, field: nil), port: port))
    }
  }

  private init(fields: [String: [String]]) throws(EntryProblem) {
    guard let name = fields["protocol"]?.first else {
      throw EntryProblem(expected: "protocol: one of \(Self.serviceNames)")
    }
    self.init(service: try Self.service(name, field: "protocol"))
    if let path = fields["path"]?.first {
      guard path.hasPrefix("/") else {
        throw EntryProblem(field: "path", expected: "an absolute path, not \(quoted(path))")
      }
      guard fields["address"] == nil, fields["port"] == nil else {
        throw EntryProblem(field: "path", expected: "either path or address and port, not both")
      }
      place = .local(path: path)
    } else {
      var port = service.port
      if let text = fields["port"]?.first {
        guard let number = UInt16(text) else {
          throw EntryProblem(
            field: "port", expected: "a port number from 0 (any free one) to 65535, not \(quoted(text))")
        }
        port = number
      }
      place = .internet(host: try Self.host(fields["address"]?.first ?? "*", field: "address"), port: port)
    }
    for text in fields["proxies"] ?? [] {
      guard let proxy = TrustedProxy(text) else {
        throw EntryProblem(
          field: "proxies", expected: "addresses or networks such as 192.0.2.0/24, not \(quoted(text))")
      }
      proxies.append(proxy)
    }
  }

  private static var serviceNames: String { ListenerService.allCases.map(\.rawValue).joined(separator: ", ") }

  private static func service(_ name: String, field: String?) throws(EntryProblem) -> ListenerService {
    guard let service = ListenerService(rawValue: name) else {
      let hint = suggestion(for: name, among: ListenerService.allCases.map(\.rawValue)).map { "; did you mean \($0)?" }
      throw EntryProblem(field: field, expected: "a protocol (\(serviceNames)), not \(quoted(name))\(hint ?? "")")
    }
    return service
  }

  private static func host(_ text: String, field: String?) throws(EntryProblem) -> String {
    guard text == "*" || IPAddress(text) != nil else {
      throw EntryProblem(field: field, expected: "an IP address, or * for all, not \(quoted(text))")
    }
    return text
  }
}

extension CertificateFiles {
  static let fieldNames = ["chain", "key"]

  init(parsing entry: ListEntry) throws(EntryProblem) {
    switch entry {
    case .text(let text):
      let parts = text.split(separator: ":").map(String.init)
      guard parts.count == 2 else {
        throw EntryProblem(expected: "CHAIN:KEY, the paths of two PEM files, not \(quoted(text))")
      }
      self.init(chain: parts[0], key: parts[1])
    case .fields(let fields):
      guard let chain = fields["chain"]?.first else {
        throw EntryProblem(expected: "chain: the path of a PEM file with the certificate and its chain")
      }
      guard let key = fields["key"]?.first else {
        throw EntryProblem(expected: "key: the path of a PEM file with the private key")
      }
      self.init(chain: chain, key: key)
    }
  }
}
