package import Cryptography
package import DNS
package import Networking

/// What came of the attempt to secure one connection: what reports of TLS count.  RFC 8460 §4.
///
/// Equal values are one line of a report with a count: ``TLSTally``.
package struct TLSResult: Hashable, Sendable {
  package var policy: Policy
  /// The host that was connected to.
  package var host: DomainName
  package var hostAddress: IPAddress?
  /// Of this machine, where we came from.
  package var ownAddress: IPAddress?
  /// Nil: success.
  package var failure: TLSFailure?

  package init(
    policy: Policy, host: DomainName, hostAddress: IPAddress? = nil, ownAddress: IPAddress? = nil, failure: TLSFailure?
  ) {
    self.policy = policy
    self.host = host
    self.hostAddress = hostAddress
    self.ownAddress = ownAddress
    self.failure = failure
  }

  /// The policy that the connection was held to.
  package struct Policy: Hashable, Sendable {
    package enum Kind: String, Hashable, Sendable {
      case tlsa
      case sts
      case none = "no-policy-found"
    }

    package var kind: Kind
    /// The domain of the recipients for `sts` and `none`, the TLSA base domain for `tlsa`.  RFC 8460 §1.1.
    package var domain: DomainName
    /// The TLSA records, or the lines of the policy.
    package var strings: [String]
    /// The `mx` patterns of an MTA-STS policy.
    package var hostPatterns: [String]

    package init(kind: Kind, domain: DomainName, strings: [String] = [], hostPatterns: [String] = []) {
      self.kind = kind
      self.domain = domain
      self.strings = strings
      self.hostPatterns = hostPatterns
    }
  }
}

/// Why a connection could not be secured as it should have been.
package struct TLSFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// RFC 8460 §4.3, with its names.
  package enum Kind: String, Hashable, Sendable, CaseIterable {
    case startTLSNotSupported = "starttls-not-supported"
    case certificateHostMismatch = "certificate-host-mismatch"
    case certificateExpired = "certificate-expired"
    case certificateNotTrusted = "certificate-not-trusted"
    case validationFailure = "validation-failure"
    case tlsaInvalid = "tlsa-invalid"
    case dnssecInvalid = "dnssec-invalid"
    case daneRequired = "dane-required"
    case policyFetchError = "sts-policy-fetch-error"
    case policyInvalid = "sts-policy-invalid"
    case webPKIInvalid = "sts-webpki-invalid"
  }

  package var kind: Kind
  /// For the log, and `failure-reason-code` of a report.
  package var description: String

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }

  package init(_ problem: CertificateProblem) {
    kind =
      switch problem.kind {
      case .wrongName: .certificateHostMismatch
      case .expired: .certificateExpired
      case .notTrusted: .certificateNotTrusted
      case .matchesNoRecord, .other: .validationFailure
      }
    description = problem.description
  }

  /// Why it is not known whether there are TLSA records.
  package init(_ error: ResolutionError) {
    kind = .dnssecInvalid
    description = error.description
  }
}
