import Bytes
import Cryptography
import MessageFormat

/// A DKIM-Signature field, read.  RFC 6376 §3.5.
struct DKIMSignature: Sendable {
  var algorithm: SignatureAlgorithm
  var domain: Domain
  var selector: KeySelector
  /// `i=`, decoded; nil where the field has none, which means `@` and the domain.
  var identity: SigningIdentity?
  /// `h=`, in lower case and in order.
  var signedFields: [[UInt8]]
  var headerForm: Canonicalization
  var bodyForm: Canonicalization
  /// `l=`: canonical octets of the body that are signed.
  var bodyLength: Int?
  var bodyHash: [UInt8]
  var signature: [UInt8]
  var signed: Timestamp?
  var expires: Timestamp?

  init(_ tags: TagList) throws(SignatureProblem) {
    guard try Self.value(.v, of: tags).elementsEqual("1".utf8) else { throw .unknownVersion }
    algorithm = try Self.algorithm(try Self.value(.a, of: tags))
    (headerForm, bodyForm) = try Self.forms(Self.optionalValue(.c, of: tags))
    domain = try Self.domain(try Self.value(.d, of: tags))
    guard let selector = String(validating: try Self.value(.s, of: tags), as: UTF8.self).flatMap({ KeySelector($0) })
    else { throw .syntax(.malformed(.s)) }
    self.selector = selector
    signedFields = try Self.signedFields(try Self.value(.h, of: tags))
    guard let bodyHash = try Self.value(.bh, of: tags).base64Decoded, bodyHash.count == 32 else {
      throw .syntax(.malformed(.bh))
    }
    self.bodyHash = bodyHash
    guard let signature = try Self.value(.b, of: tags).base64Decoded else { throw .syntax(.malformed(.b)) }
    self.signature = signature
    bodyLength = try Self.number(.l, of: tags).map { Int(clamping: $0) }
    signed = try Self.time(.t, of: tags)
    expires = try Self.time(.x, of: tags)
    if let signed, let expires, expires <= signed { throw .syntax(.expiresBeforeSigning) }
    if let methods = Self.optionalValue(.q, of: tags) {
      // Options may follow a method behind a slash; "txt" is that of "dns".
      guard methods.colonSeparated.contains(where: { $0.elementsEqual("dns/txt".utf8) }) else {
        throw .unknownQueryMethod
      }
    }
    if let identity = Self.optionalValue(.i, of: tags) {
      guard let parsed = SigningIdentity(encoded: identity) else { throw .syntax(.malformed(.i)) }
      guard parsed.domain.isWithin(domain) else { throw .identityOutsideDomain }
      self.identity = parsed
    }
    guard signedFields.contains(where: { $0.elementsEqual("from".utf8) }) else { throw .fromNotSigned }
  }

  // MARK: Tags

  private static func optionalValue(_ tag: SignatureFault.Tag, of tags: TagList) -> ArraySlice<UInt8>? {
    tags[tag.name]
  }

  private static func value(
    _ tag: SignatureFault.Tag, of tags: TagList
  ) throws(SignatureProblem) -> ArraySlice<UInt8> {
    guard let value = optionalValue(tag, of: tags) else { throw .syntax(.missing(tag)) }
    return value
  }

  private static func algorithm(_ text: ArraySlice<UInt8>) throws(SignatureProblem) -> SignatureAlgorithm {
    if text.elementsEqual("rsa-sha256".utf8) { return .rsa }
    if text.elementsEqual("ed25519-sha256".utf8) { return .ed25519 }
    if text.elementsEqual("rsa-sha1".utf8) { throw .sha1 }
    throw .unknownAlgorithm
  }

  /// Header, then body; each `simple` where it is not named.
  private static func forms(
    _ text: ArraySlice<UInt8>?
  ) throws(SignatureProblem) -> (Canonicalization, Canonicalization) {
    guard let text else { return (.simple, .simple) }
    let parts = text.split(separator: 0x2F, omittingEmptySubsequences: false)
    let forms = parts.compactMap { Canonicalization(rawValue: String(decoding: $0, as: UTF8.self)) }
    guard 1...2 ~= parts.count, forms.count == parts.count else { throw .unknownCanonicalization }
    return (forms[0], forms.count == 2 ? forms[1] : .simple)
  }

  private static func domain(_ text: ArraySlice<UInt8>) throws(SignatureProblem) -> Domain {
    guard let domain = String(validating: text, as: UTF8.self).flatMap({ Domain($0) }), !domain.isAddressLiteral else {
      throw .syntax(.malformed(.d))
    }
    return domain
  }

  private static func signedFields(_ text: ArraySlice<UInt8>) throws(SignatureProblem) -> [[UInt8]] {
    let names = text.colonSeparated
    guard names.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.isIn(.ftext) } }) else {
      throw .syntax(.malformed(.h))
    }
    return names.map { $0.asciiLowercased }
  }

  /// Digits, of which more than fit mean more than anything has.
  private static func number(_ tag: SignatureFault.Tag, of tags: TagList) throws(SignatureProblem) -> UInt64? {
    guard let text = optionalValue(tag, of: tags) else { return nil }
    guard 1...76 ~= text.count, text.allSatisfy({ $0.isIn(.digit) }) else { throw .syntax(.malformed(tag)) }
    return UInt64(String(decoding: text, as: UTF8.self)) ?? .max
  }

  /// Twelve digits reach the year 33658; RFC 6376 asks for no more.
  private static func time(_ tag: SignatureFault.Tag, of tags: TagList) throws(SignatureProblem) -> Timestamp? {
    try number(tag, of: tags).map { Timestamp(seconds: Int64(min($0, 999_999_999_999))) }
  }
}

extension SignatureFault.Tag {
  var name: StaticString {
    switch self {
    case .v: "v"
    case .a: "a"
    case .b: "b"
    case .bh: "bh"
    case .c: "c"
    case .d: "d"
    case .h: "h"
    case .i: "i"
    case .l: "l"
    case .q: "q"
    case .s: "s"
    case .t: "t"
    case .x: "x"
    }
  }
}
