package import Cryptography
package import DNS
import Networking
import SMTPClient

/// What TLS one host is owed.
package struct HostSecurity: Sendable {
  /// In descending order of what is sure about it.
  package enum Assurance: Hashable, Sendable {
    /// TLSA records in signed DNS, and the certificate has to match one.  RFC 7672.
    case dane(DANEVerification)
    /// TLSA records in signed DNS, none of them usable: TLS, with anybody's certificate.  RFC 7672 §2.2.
    case daneWithoutUsableRecords
    /// The domain's policy names the host.  RFC 8461.
    case mtaSTS(MTASTSPolicy.Mode)
    /// TLS if there is any, with anybody's certificate.  RFC 7435.
    case opportunistic
  }

  package let assurance: Assurance
  /// Sent as SNI, and the name a certificate is to be for.
  package let serverName: DomainName
  /// For reports.
  package let policy: TLSResult.Policy
  /// What is wrong whatever the handshake brings. It stops nothing, and is reported.
  package let shortcoming: TLSFailure?
  /// What the route demands besides.
  private var minimum = TLSMinimum.opportunistic

  init(
    _ assurance: Assurance, serverName: DomainName, policy: TLSResult.Policy, shortcoming: TLSFailure? = nil
  ) {
    self.assurance = assurance
    self.serverName = serverName
    self.policy = policy
    self.shortcoming = shortcoming
  }

  /// Of a host at which nobody looks for policies.
  static func unasked(_ host: DomainName, _ domain: DomainName) -> Self {
    Self(
      .opportunistic, serverName: host,
      policy: TLSResult.Policy(kind: .none, domain: domain, strings: [], hostPatterns: []))
  }

  /// What the host is owed where a route demands at least this much; nil where that can't be had.
  func raised(to minimum: TLSMinimum) -> HostSecurity? {
    guard minimum < .dane || isDANE else { return nil }
    var raised = self
    raised.minimum = minimum
    return raised
  }

  private var isDANE: Bool {
    if case .dane = assurance { true } else { false }
  }

  /// Nothing may be sent to the host in plaintext.
  package var requiresTLS: Bool {
    if minimum > .opportunistic { return true }
    return switch assurance {
    case .dane, .daneWithoutUsableRecords, .mtaSTS(.enforce): true
    case .mtaSTS, .opportunistic: false
    }
  }

  /// For this host and nobody else, so that `certificateProblem` is of this host.
  /// - Parameter authorities: whom certificates have to come from under MTA-STS.
  package func makeContext(
    authorities: TLSClientContext.Verification = .system
  ) throws(CertificateError) -> TLSClientContext {
    if minimum == .verified, !isDANE { return try TLSClientContext(verification: authorities) }
    return switch assurance {
    case .dane(let dane): try TLSClientContext(verification: .dane(dane))
    case .daneWithoutUsableRecords, .opportunistic: try TLSClientContext(verification: .none)
    // A host that the policy does not name is anybody's, however good its certificate.
    case .mtaSTS where shortcoming != nil: try TLSClientContext(verification: .none)
    case .mtaSTS(let mode):
      try TLSClientContext(verification: authorities, enforcement: mode == .enforce ? .required : .reported)
    }
  }

  /// Why the connection is not what it should be; nil if it is.
  /// - Parameters:
  ///   - offered: whether the host offered STARTTLS.
  ///   - info: what the handshake settled, nil if there was none or it failed.
  ///   - context: what the handshake was made with.
  ///   - reason: the words with which the handshake failed.
  package func failure(
    offered: Bool, info: TLSInfo?, context: TLSClientContext?, reason: String?
  ) -> TLSFailure? {
    guard offered else { return TLSFailure(.startTLSNotSupported, "STARTTLS is not offered") }
    if let problem = info?.certificateProblem ?? (info == nil ? context?.certificateProblem : nil) {
      return TLSFailure(problem)
    }
    return info == nil ? TLSFailure(.validationFailure, reason ?? "the handshake failed") : shortcoming
  }
}

extension HostSecurity {
  /// What a session lacks that is not what it should be.
  /// - Parameter context: what its handshake was made with.
  func failure(of session: ClientSession, _ context: TLSClientContext) -> TLSFailure? {
    switch session.security {
    case .tls, .plaintext(.policy): failure(offered: true, info: session.connection.tls, context: context, reason: nil)
    case .plaintext(.notOffered): failure(offered: false, info: nil, context: context, reason: nil)
    case .plaintext(.refused(let reply)): TLSFailure(.startTLSNotSupported, "STARTTLS was refused: \(reply)")
    case .plaintext(.handshakeFailed(let reason)):
      failure(offered: true, info: nil, context: context, reason: reason)
    }
  }

  /// Nil where it did not come to TLS, or not to the end of it for another reason.
  func failure(of error: HostFailure, _ context: TLSClientContext) -> TLSFailure? {
    switch (error.stage, error.cause) {
    case (.startTLS, .tlsNotOffered): failure(offered: false, info: nil, context: context, reason: nil)
    case (.startTLS, .refused(let reply)): TLSFailure(.startTLSNotSupported, "STARTTLS was refused: \(reply)")
    case (.startTLS, .handshakeFailed(let reason)):
      failure(offered: true, info: nil, context: context, reason: reason)
    default: nil
    }
  }
}
