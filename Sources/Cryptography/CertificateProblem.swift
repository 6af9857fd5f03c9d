import COpenSSL

/// Why a peer's certificate was not good enough.
package struct CertificateProblem: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    /// It is for other names.
    case wrongName
    /// Its time is over, or has not come yet.
    case expired
    /// It does not lead to an authority that is trusted, or something on the way there is wrong.
    case notTrusted
    /// No TLSA record fits it.
    case matchesNoRecord
    case other
  }

  package var kind: Kind
  /// In OpenSSL's words, for the log.
  package var description: String

  package init(kind: Kind, description: String) {
    self.kind = kind
    self.description = description
  }

  /// Nil for `X509_V_OK`.
  init?(verifyResult: Int) {
    guard verifyResult != Int(X509_V_OK) else { return nil }
    kind =
      switch Int32(truncatingIfNeeded: verifyResult) {
      case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: .wrongName
      case X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID: .expired
      case X509_V_ERR_DANE_NO_MATCH: .matchesNoRecord
      case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
        X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED, X509_V_ERR_CERT_REJECTED,
        X509_V_ERR_CERT_REVOKED, X509_V_ERR_INVALID_CA, X509_V_ERR_PATH_LENGTH_EXCEEDED,
        X509_V_ERR_CERT_CHAIN_TOO_LONG, X509_V_ERR_CERT_SIGNATURE_FAILURE, X509_V_ERR_PERMITTED_VIOLATION,
        X509_V_ERR_EXCLUDED_VIOLATION, X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL,
        X509_V_ERR_CA_MD_TOO_WEAK:
        .notTrusted
      default: .other
      }
    description = X509_verify_cert_error_string(verifyResult).map { String(cString: $0) } ?? "error \(verifyResult)"
  }
}

/// How it was made sure who the peer is.
package enum PeerAuthentication: Hashable, Sendable {
  /// Not at all.
  case nobody
  /// Its certificate leads to a trusted authority and is for the name that was asked for.
  case authority
  /// Its certificate matches this TLSA record.
  case tlsa(usage: UInt8, selector: UInt8, matchingType: UInt8)

  /// Of a finished handshake of ours as the client.
  init(of ssl: OpaquePointer) {
    self = .nobody
    guard SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER != 0, SSL_get_verify_result(ssl) == Int(X509_V_OK) else { return }
    guard SSL_get0_dane_authority(ssl, nil, nil) >= 0 else {
      self = .authority
      return
    }
    var (usage, selector, matchingType) = (UInt8(0), UInt8(0), UInt8(0))
    guard SSL_get0_dane_tlsa(ssl, &usage, &selector, &matchingType, nil, nil) >= 0 else { return }
    self = .tlsa(usage: usage, selector: selector, matchingType: matchingType)
  }
}
