import Bytes
import Cryptography
import MessageFormat

/// What a domain publishes about a key.  RFC 6376 §3.6.1.
struct KeyRecord: Sendable {
  /// `k=`; nil for one that is not known here.
  var algorithm: SignatureAlgorithm?
  /// `p=`; empty where the key is revoked.
  var publicKey: [UInt8]
  /// `h=`: false where it lists others only.
  var allowsSHA256: Bool
  /// `s=`: false where it lists others only.
  var isForMail: Bool
  /// `t=y`: the domain only tries DKIM out.
  var isTesting: Bool
  /// `t=s`: `i=` has the domain of `d=` itself and none below it.
  var forbidsSubdomains: Bool

  /// - Parameter text: the strings of a TXT record, joined.
  init(parsing text: [UInt8]) throws(SignatureProblem) {
    guard text.count <= DKIMLimits.keyRecord, let tags = TagList(parsing: text) else { throw .keySyntax }
    if let version = tags["v"] {
      guard tags.begins(with: "v"), version.elementsEqual("DKIM1".utf8) else { throw .keySyntax }
    }
    guard let published = tags["p"] else { throw .keySyntax }
    if published.isEmpty {
      publicKey = []
    } else {
      guard let decoded = published.base64Decoded else { throw .keySyntax }
      publicKey = decoded
    }
    switch tags["k"] {
    case nil: algorithm = .rsa
    case let name? where name.elementsEqual("rsa".utf8): algorithm = .rsa
    case let name? where name.elementsEqual("ed25519".utf8): algorithm = .ed25519
    default: algorithm = nil
    }
    allowsSHA256 = Self.list(tags["h"], hasOneOf: ["sha256"]) ?? true
    isForMail = Self.list(tags["s"], hasOneOf: ["email", "*"]) ?? true
    isTesting = Self.list(tags["t"], hasOneOf: ["y"]) ?? false
    forbidsSubdomains = Self.list(tags["t"], hasOneOf: ["s"]) ?? false
  }

  /// The key, if it may verify `signature`.
  func key(for signature: DKIMSignature) throws(SignatureProblem) -> PublicKey {
    guard !publicKey.isEmpty else { throw .keyRevoked }
    guard let algorithm, algorithm == signature.algorithm else { throw .keyOfOtherAlgorithm }
    guard isForMail else { throw .keyNotForMail }
    guard allowsSHA256 else { throw .keyNotForSHA256 }
    if forbidsSubdomains, let identity = signature.identity, !signature.domain.isWithin(identity.domain) {
      throw .keyForbidsSubdomains
    }
    guard let key = try? PublicKey(algorithm, published: publicKey) else { throw .keySyntax }
    guard algorithm != .rsa || DKIMLimits.rsaBits ~= key.bitCount else { throw .keySize(bits: key.bitCount) }
    return key
  }

  /// Nil where there is no list.
  private static func list(_ value: ArraySlice<UInt8>?, hasOneOf names: [String]) -> Bool? {
    value?.colonSeparated.contains { names.contains(String(decoding: $0, as: UTF8.self)) }
  }
}
