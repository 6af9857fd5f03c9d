/// What TLS a route demands of every host, whatever the recipient's domain asks for. Each one includes those before it.
package enum TLSMinimum: String, CaseIterable, Comparable, Sendable {
  /// Whatever the domain asks for, and no more.
  case opportunistic
  /// TLS, with anybody's certificate.
  case required
  /// A certificate for the host from a known authority, or one that matches TLSA records. Which host that is, is said by
  /// DNS: unless that is signed, only whoever forges it as well is let in.
  case verified
  /// A certificate that matches TLSA records in signed DNS.
  case dane

  package static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }

  private var rank: Int {
    switch self {
    case .opportunistic: 0
    case .required: 1
    case .verified: 2
    case .dane: 3
    }
  }
}
