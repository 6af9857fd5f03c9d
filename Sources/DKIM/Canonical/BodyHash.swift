import Cryptography

/// The SHA-256 digest of a canonical body, or of its first octets, while the body comes in pieces.  RFC 6376 §3.7.
///
/// A reference, because one message may need several side by side. It is confined to the verifier or signer that made
/// it, which cannot be copied: that is why it may go where they go.
final class BodyHash: @unchecked Sendable {
  let form: Canonicalization
  /// `l=`: how many canonical octets are hashed; nil for all.
  let limit: Int?
  /// Canonical octets so far, those beyond the limit included.
  private(set) var octets = 0

  private var canonicalizer: BodyCanonicalizer
  private var digester: Digester?

  init(_ form: Canonicalization, limit: Int? = nil) {
    self.form = form
    self.limit = limit
    canonicalizer = BodyCanonicalizer(form)
    digester = Digester(.sha256)
  }

  func update(_ bytes: UnsafeRawBufferPointer) {
    canonicalizer.update(bytes) { hash($0) }
  }

  /// To be called once.
  func finish() -> [UInt8] {
    canonicalizer.finish { hash($0) }
    guard let digester = digester.take() else { preconditionFailure("a body hash ends once") }
    return digester.finish()
  }

  private func hash(_ bytes: UnsafeRawBufferPointer) {
    let count = limit.map { max(0, min(bytes.count, $0 - octets)) } ?? bytes.count
    octets += bytes.count
    if count > 0 { digester?.update(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
  }
}
