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
  /// That the host is one of the domain's is said by signed DNS, or by the domain's policy.
  package let isNameSure: Bool
  /// What the route demands besides.
  private var minimum = TLSMinimum.opportunistic

  init(
    _ assurance: Assurance, serverName: DomainName, policy: TLSResult.Policy, shortcoming: TLSFailure? = nil,
    isNameSure: Bool
  ) {
    self.assurance = assurance
    self.serverName = serverName
    self.policy = policy
    self.shortcoming = shortcoming
    self.isNameSure = isNameSure
  }

  /// Of a host that no policy tells of.
  static func opportunistic(_ host: DomainName, _ domain: DomainName, isNameSure: Bool) -> Self {
    Self(
      .opportunistic, serverName: host,
      policy: TLSResult.Policy(kind: .none, domain: domain, strings: [], hostPatterns: []), isNameSure: isNameSure)
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

  /// Somebody demands a certificate of a certain kind, so one that is not is a failure.
  private var demandsCertificate: Bool {
    if minimum == .verified { return true }
    return switch assurance {
    case .dane: true
    // A host that the policy does not name is anybody's, however good its certificate.
    case .mtaSTS: shortcoming == nil
    case .daneWithoutUsableRecords, .opportunistic: false
    }
  }

  /// For this host and nobody else, so that `certificateProblem` is of this host.
  /// - Parameter authorities: whom certificates have to come from where no TLSA record matches.
  package func makeContext(
    authorities: TLSClientContext.Verification = .system
  ) throws(CertificateError) -> TLSClientContext {
    if case .dane(let dane) = assurance { return try TLSClientContext(verification: .dane(dane)) }
    let isRequired = minimum == .verified || demandsCertificate && assurance == .mtaSTS(.enforce)
    // RFC 8689 §4.2.1: where the name is sure, a good certificate is worth something though nobody asks for one.
    guard isRequired || isNameSure else { return try TLSClientContext(verification: .none) }
    return try TLSClientContext(verification: authorities, enforcement: isRequired ? .required : .reported)
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
    if demandsCertificate,
      let problem = info?.certificateProblem ?? (info == nil ? context?.certificateProblem : nil)
    {
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
