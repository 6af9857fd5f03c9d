import Bytes
package import Cryptography
package import MessageFormat

/// A key with the name it is found under.
package struct SigningIdentifier: Sendable {
  package var domain: Domain
  package var selector: KeySelector
  package var key: SigningKey

  package init(domain: Domain, selector: KeySelector, key: SigningKey) {
    self.domain = domain
    self.selector = selector
    self.key = key
  }
}

/// How a message is signed.
package struct SigningOptions: Sendable {
  package var headerForm = Canonicalization.relaxed
  package var bodyForm = Canonicalization.relaxed
  package var fields = SignedFields.standard
  /// How long signatures are valid, for `x=`; nil for ever. Mail may lie in a queue for five days.
  package var validity: Duration?

  package init() {}
}

package enum SigningError: Error, Sendable, Hashable {
  /// A signature without From passes nowhere.  RFC 6376 §5.4.
  case noFrom
  /// A header that would make a signature too long to be believed.
  case tooManyFields
  /// Domain and selector make no name of DNS.
  case nameTooLong
  case keyFailed(String)
}

/// Signs one message with one or several keys: the header at once, the body as it comes.  RFC 6376 §5.
///
/// ```swift
/// var signer = try MessageSigner(header: header, keys: keys, now: clock.now())
/// for chunk in body { signer.update(chunk) }
/// let fields = try signer.finish()  // to be put in front of the message
/// ```
///
/// The message has to be as it will be sent: whatever is still to change (dots, line ends, fields, transfer encodings)
/// changes before. Nothing of the body is kept, so a hundred megabytes take as much memory as one.
package struct MessageSigner: ~Copyable, Sendable {
  private let header: SignedHeader
  private let names: [[UInt8]]
  private let keys: [SigningIdentifier]
  private let options: SigningOptions
  private let now: Timestamp
  private let body: BodyHash

  /// - Parameters:
  ///   - header: the message from its first octet to the end of its header; the empty line and what follows it are
  ///     passed over.
  ///   - keys: each gives a signature. The first one stands on top, and there are verifiers that look no further: RSA
  ///     goes before Ed25519.
  ///   - now: for `t=`.
  package init(
    header: [UInt8], keys: [SigningIdentifier], options: SigningOptions = SigningOptions(), now: Timestamp
  ) throws(SigningError) {
    let signedHeader = SignedHeader(header)
    guard signedHeader.count(of: Array("from".utf8)) > 0 else { throw .noFrom }
    for key in keys where key.selector.recordName(in: key.domain) == nil { throw .nameTooLong }
    let names = options.fields.names(for: signedHeader)
    guard names.count <= DKIMLimits.signedNames else { throw .tooManyFields }
    self.header = signedHeader
    self.names = names
    self.keys = keys
    self.options = options
    self.now = now
    body = BodyHash(options.bodyForm)
  }

  /// The next octets of the body, cut anywhere.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) { body.update(bytes) }

  package mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// Ends the body and signs. An RSA signature takes about a millisecond.
  /// - Returns: whole DKIM-Signature fields with their line ends.
  package consuming func finish() throws(SigningError) -> [UInt8] {
    let bodyHash = Base64.encode(body.finish())
    var fields: [UInt8] = []
    for key in keys { fields += try field(key, bodyHash: bodyHash) }
    return fields
  }

  private borrowing func field(_ identifier: SigningIdentifier, bodyHash: [UInt8]) throws(SigningError) -> [UInt8] {
    let isInternationalized = header.hasNonASCII
    var writer = SignatureFieldWriter()
    writer.append("v", "1")
    writer.append("a", identifier.key.algorithm.signatureName)
    writer.append("c", "\(options.headerForm.rawValue)/\(options.bodyForm.rawValue)")
    writer.append("d", identifier.domain.headerText(isInternationalized: isInternationalized))
    writer.append("s", identifier.selector.headerText(isInternationalized: isInternationalized))
    writer.append("t", "\(now.seconds)")
    if let validity = options.validity { writer.append("x", "\(now.advanced(by: validity).seconds)") }
    writer.append("h", list: names)
    writer.append("bh", base64: bodyHash)
    writer.append("b", base64: [])
    let octets = header.covered(by: names, options.headerForm, signature: writer.bytes)
    do throws(KeyError) {
      let signature = try identifier.key.signature(ofSHA256: digest(octets, .sha256))
      writer.append(base64: Base64.encode(signature))
    } catch {
      throw .keyFailed("\(error)")
    }
    return writer.bytes + [0x0D, 0x0A]
  }
}
