/// What a check has to say about one thing in DNS.
package struct DNSFinding: Codable, Hashable, Sendable {
  package enum Severity: String, Codable, Comparable, Sendable {
    case right
    /// Mail flows without it, and more safely with it.
    case advice
    /// Some mail may suffer.
    case warning
    /// Mail does not arrive, or is not accepted by others.
    case failure

    package static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

    private var rank: Int {
      switch self {
      case .right: 0
      case .advice: 1
      case .warning: 2
      case .failure: 3
      }
    }
  }

  package var severity: Severity
  /// `MX`, `SPF` and so on.
  package var subject: String
  /// The name in DNS that it is about; empty where it is about none.
  package var name: String
  package var text: String
  /// What is to be done; nil where nothing is.
  package var remedy: String?

  init(_ severity: Severity, _ subject: String, _ name: String, _ text: String, remedy: String? = nil) {
    self.severity = severity
    self.subject = subject
    self.name = name
    self.text = text
    self.remedy = remedy
  }
}

/// All that was found about a domain.
package struct DNSReport: Codable, Hashable, Sendable {
  package var domain: String
  package var hostname: String
  package var findings: [DNSFinding]

  /// `right` where there is nothing to say.
  package var worst: DNSFinding.Severity { findings.map(\.severity).max() ?? .right }
}

/// A text that strangers have written, for a terminal: printable ASCII, and not all of it.
func shown(_ bytes: some Collection<UInt8>) -> String {
  let text = String(decoding: bytes.prefix(200).map { 0x20...0x7E ~= $0 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  return "“\(text)\(bytes.count > 200 ? "…" : "")”"
}
