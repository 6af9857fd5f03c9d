package import Cryptography
package import MessageFormat

/// What became of one signature.
package struct SignatureResult: Sendable, Hashable {
  /// Nil where the signature passes.
  package internal(set) var problem: SignatureProblem?
  /// `d=`: who takes responsibility, if the signature passes.
  package internal(set) var domain: Domain?
  package internal(set) var selector: KeySelector?
  /// `i=`, where the signature has one.
  package internal(set) var identity: SigningIdentity?
  /// `a=`, where it is one that is known here.
  package internal(set) var algorithm: SignatureAlgorithm?
  /// As much of the beginning of `b=` as tells the signatures of the message apart, eight characters at least.
  /// RFC 6008 §4.
  package internal(set) var signaturePrefix: String?
  /// The size of the key, once it was seen.
  package internal(set) var keyBits: Int?
  /// The domain only tries DKIM out: a failure means no more than no signature.  RFC 6376 §3.6.1 `t=y`.
  package internal(set) var isTesting = false
  /// Canonical octets at the end of the body that `l=` leaves unsigned: anybody may have added them.  RFC 6376 §8.2.
  package internal(set) var unsignedOctets = 0

  package var result: DKIMResult { problem?.result ?? .pass }
}

/// What became of all signatures of a message.
package struct VerificationReport: Sendable, Hashable {
  /// From the top of the header. Empty: the message is not signed.
  package internal(set) var results: [SignatureResult]
  /// Signatures beyond ``DKIMLimits/signatures``, at which nobody looked.
  package internal(set) var ignoredSignatures = 0

  /// The domains that take responsibility.
  package var passingDomains: [Domain] { results.filter { $0.problem == nil }.compactMap(\.domain) }
}
