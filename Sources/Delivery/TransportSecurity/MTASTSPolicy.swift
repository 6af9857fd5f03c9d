import Bytes
package import DNS

/// A domain's policy: which hosts take its mail, with certificates that authorities have signed.  RFC 8461 §3.2.
package struct MTASTSPolicy: Hashable, Sendable {
  package enum Mode: String, Hashable, Sendable {
    /// Mail goes to hosts that fulfil the policy, or not at all.
    case enforce
    /// Failures are reported and mail goes on.
    case testing
    /// There is no policy, though there may have been one.
    case none
  }

  package let mode: Mode
  /// How long the policy may be kept, in seconds: at most a year.
  package let maximumAge: Int64
  /// Host names, lower-case; `*.` in front stands for one label. Empty only for `none`.
  package let patterns: [String]

  static let longestAge: Int64 = 31_557_600
  /// No real policy has as many hosts.
  static let mostPatterns = 1_000

  /// Reads the document at `/.well-known/mta-sts.txt`.
  package init(parsing text: [UInt8]) throws(MTASTSPolicyError) {
    var version: ArraySlice<UInt8>?
    var mode: ArraySlice<UInt8>?
    var age: ArraySlice<UInt8>?
    var patterns: [String] = []
    for line in text.split(separator: 0x0A) {
      let line = trimmed(line.last == 0x0D ? line.dropLast() : line)
      if line.isEmpty { continue }
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .malformedLine }
      let value = trimmed(line[(colon + 1)...])
      // RFC 8461 §3.2: of a field that is there twice the first counts.
      switch String(decoding: line[..<colon], as: UTF8.self) {
      case "version": version = version ?? value
      case "mode": mode = mode ?? value
      case "max_age": age = age ?? value
      case "mx":
        guard let pattern = Self.pattern(value) else { throw .badHost }
        guard patterns.count < Self.mostPatterns else { throw .tooManyHosts }
        patterns.append(pattern)
      case let name:
        guard Self.isFieldName(name) else { throw .malformedLine }
      }
    }
    guard let version, version.elementsEqual("STSv1".utf8) else { throw .noVersion }
    guard let mode, let known = Mode(rawValue: String(decoding: mode, as: UTF8.self)) else { throw .noMode }
    guard let age, 1...10 ~= age.count, age.allSatisfy({ $0.isIn(.digit) }),
      let seconds = Int64(String(decoding: age, as: UTF8.self))
    else { throw .noMaximumAge }
    guard known == .none || !patterns.isEmpty else { throw .noHosts }
    self.mode = known
    self.maximumAge = min(seconds, Self.longestAge)
    self.patterns = patterns
  }

  /// Whether `host` may take the domain's mail.  RFC 8461 §4.1.
  package func allows(_ host: DomainName) -> Bool {
    patterns.contains { pattern in
      guard pattern.hasPrefix("*.") else { return pattern == host.text }
      guard let dot = host.text.firstIndex(of: ".") else { return false }
      return host.text[dot...] == pattern.dropFirst()
    }
  }

  private static func pattern(_ value: ArraySlice<UInt8>) -> String? {
    let text = String(decoding: value, as: UTF8.self)
    let host = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
    guard let name = DomainName(host), !name.isRoot,
      name.text.utf8.allSatisfy({ $0.isIn([.alpha, .digit]) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F })
    else { return nil }
    return text.hasPrefix("*.") ? "*.\(name)" : name.text
  }

  /// `sts-policy-ext-name`: fields that are yet to be invented are passed over.
  private static func isFieldName(_ name: String) -> Bool {
    1...32 ~= name.utf8.count
      && name.utf8.allSatisfy { $0.isIn([.alpha, .digit]) || $0 == 0x5F || $0 == 0x2D || $0 == 0x2E }
  }
}

/// What is wrong with a policy.
package enum MTASTSPolicyError: Error, Hashable, Sendable, CustomStringConvertible {
  case malformedLine, noVersion, noMode, noMaximumAge, badHost, noHosts, tooManyHosts

  package var description: String {
    switch self {
    case .malformedLine: "a line is not “name: value”"
    case .noVersion: "it is not of version STSv1"
    case .noMode: "mode is neither enforce, testing nor none"
    case .noMaximumAge: "max_age is missing or no number of seconds"
    case .badHost: "mx is no host name"
    case .noHosts: "it names no mx"
    case .tooManyHosts: "it names too many mx"
    }
  }
}

/// Without white space around it.
func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  var text = text.drop { $0.isIn(.wsp) }
  while let last = text.last, last.isIn(.wsp) { text.removeLast() }
  return text
}
