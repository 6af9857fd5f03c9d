/// Why a signature does not pass.
package enum SignatureProblem: Error, Hashable, Sendable {
  // The field itself.  RFC 6376 §6.1.1.
  case syntax(SignatureFault)
  case fieldTooLong
  case unknownVersion
  case unknownAlgorithm
  case unknownCanonicalization
  case unknownQueryMethod
  case expired
  case fromNotSigned
  case identityOutsideDomain
  /// RFC 8301 §3.1.
  case sha1
  /// The message has From fields that the signature does not cover, and readers show one of them.  RFC 6376 §8.15.
  case moreFromFieldsThanSigned

  // The key.  RFC 6376 §6.1.2.
  case nameTooLong
  case keyUnavailable
  case noKey
  case keySyntax
  case keyRevoked
  case keyOfOtherAlgorithm
  case keyNotForSHA256
  case keyNotForMail
  case keyForbidsSubdomains
  /// RFC 8301 §3.2.
  case keySize(bits: Int)

  // The message.  RFC 6376 §6.1.3.
  case bodyShorterThanSigned
  case bodyChanged
  case signatureWrong
}

/// What is wrong in a DKIM-Signature field.
package enum SignatureFault: Hashable, Sendable {
  case notATagList
  case missing(Tag)
  case malformed(Tag)
  /// `x=` is not later than `t=`.
  case expiresBeforeSigning

  package enum Tag: String, Hashable, Sendable, CaseIterable {
    case v, a, b, bh, c, d, h, i, l, q, s, t, x
  }
}

/// The results of RFC 8601 §2.7.1. `none`, for a message without signatures, is a report without results.
package enum DKIMResult: String, Hashable, Sendable, CaseIterable {
  case pass, fail, policy, neutral, temperror, permerror
}

extension SignatureProblem {
  package var result: DKIMResult {
    switch self {
    case .syntax, .fieldTooLong, .unknownVersion, .unknownAlgorithm, .unknownCanonicalization, .unknownQueryMethod:
      .neutral
    case .expired, .fromNotSigned, .identityOutsideDomain, .nameTooLong, .noKey, .keySyntax, .keyRevoked,
      .keyOfOtherAlgorithm, .keyNotForSHA256, .keyNotForMail, .keyForbidsSubdomains:
      .permerror
    case .keyUnavailable: .temperror
    case .sha1, .moreFromFieldsThanSigned, .keySize: .policy
    case .bodyShorterThanSigned, .bodyChanged, .signatureWrong: .fail
    }
  }
}

extension SignatureProblem: CustomStringConvertible {
  /// In words that no part of the message is in, so that they may stand in a header or a log line as they are.
  package var description: String {
    switch self {
    case .syntax(.notATagList): "the signature is no tag list"
    case .syntax(.missing(let tag)): "the signature lacks \(tag.rawValue)="
    case .syntax(.malformed(let tag)): "\(tag.rawValue)= of the signature is malformed"
    case .syntax(.expiresBeforeSigning): "x= of the signature is not later than t="
    case .fieldTooLong: "the signature is too long"
    case .unknownVersion: "unknown version"
    case .unknownAlgorithm: "unknown algorithm"
    case .unknownCanonicalization: "unknown canonicalization"
    case .unknownQueryMethod: "unknown query method"
    case .expired: "the signature has expired"
    case .fromNotSigned: "From is not signed"
    case .identityOutsideDomain: "i= is not within d="
    case .sha1: "signatures with SHA-1 are not accepted"
    case .moreFromFieldsThanSigned: "not every From field is signed"
    case .nameTooLong: "s= and d= make no name of DNS"
    case .keyUnavailable: "the key could not be looked up"
    case .noKey: "there is no key"
    case .keySyntax: "the key record is malformed"
    case .keyRevoked: "the key is revoked"
    case .keyOfOtherAlgorithm: "the key is for another algorithm"
    case .keyNotForSHA256: "the key is not for SHA-256"
    case .keyNotForMail: "the key is not for mail"
    case .keyForbidsSubdomains: "the key is not for subdomains in i="
    case .keySize(let bits): "a key of \(bits) bits is not accepted"
    case .bodyShorterThanSigned: "the body is shorter than when it was signed"
    case .bodyChanged: "the body has changed"
    case .signatureWrong: "the signature does not match the header"
    }
  }
}
