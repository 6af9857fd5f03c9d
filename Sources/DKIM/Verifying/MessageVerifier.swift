import Bytes
import Cryptography
package import MessageFormat

/// Verifies the signatures of a message: the header at once, the body as it comes, the keys at the end.  RFC 6376 §6.
///
/// ```swift
/// var verifier = MessageVerifier(header: header, now: clock.now())
/// for chunk in body { verifier.update(chunk) }
/// let report = await verifier.verify(keys: resolver)
/// ```
///
/// Nothing of the body is kept, so a hundred megabytes take as much memory as one.
package struct MessageVerifier: ~Copyable, Sendable {
  /// A signature that is still in the running.
  private struct Candidate: Sendable {
    var result: SignatureResult
    var state: State

    enum State: Sendable {
      case decided
      case open(DKIMSignature, recordName: String, body: Int, signedOctets: [UInt8])
    }

    var recordName: String? {
      if case .open(_, let name, _, _) = state { name } else { nil }
    }

    mutating func decide(_ problem: SignatureProblem?) {
      result.problem = problem
      state = .decided
    }
  }

  private var candidates: [Candidate] = []
  private var bodies: [BodyHash] = []
  private var ignoredSignatures = 0

  /// - Parameters:
  ///   - header: the message from its first octet to the end of its header; the empty line and what follows it are
  ///     passed over.
  ///   - now: decides what has expired.
  package init(header: [UInt8], now: Timestamp) {
    let header = SignedHeader(header)
    let places = header.places(of: Array("dkim-signature".utf8))
    ignoredSignatures = max(0, places.count - DKIMLimits.signatures)
    let texts = places.prefix(DKIMLimits.signatures).map { header.body(of: $0) }
    let lists = texts.map { $0.count <= DKIMLimits.signatureField ? TagList(parsing: $0) : nil }
    let prefixes = signaturePrefixes(of: lists)
    for (index, place) in places.prefix(DKIMLimits.signatures).enumerated() {
      var result = SignatureResult()
      if let tags = lists[index] { result.describe(tags) }
      result.signaturePrefix = prefixes[index]
      do throws(SignatureProblem) {
        guard texts[index].count <= DKIMLimits.signatureField else { throw .fieldTooLong }
        guard let tags = lists[index] else { throw .syntax(.notATagList) }
        let signature = try DKIMSignature(tags)
        result.identity = signature.identity
        if let expires = signature.expires, expires < now { throw .expired }
        let from = Array("from".utf8)
        guard header.count(of: from) <= signature.signedFields.count(where: { $0 == from }) else {
          throw .moreFromFieldsThanSigned
        }
        guard let name = signature.selector.recordName(in: signature.domain) else { throw .nameTooLong }
        candidates.append(
          Candidate(
            result: result,
            state: .open(
              signature, recordName: name, body: body(signature.bodyForm, limit: signature.bodyLength),
              signedOctets: header.covered(
                by: signature.signedFields, signature.headerForm, signature: header.withoutValue(of: tags, at: place),
                own: place))))
      } catch {
        result.problem = error
        candidates.append(Candidate(result: result, state: .decided))
      }
    }
  }

  /// False where no signature is left that the body could decide.
  package var needsBody: Bool { !bodies.isEmpty }

  /// The names of the key records that will be asked for, so that a resolver can begin while the body comes.
  package var recordNames: [String] {
    var names: [String] = []
    for name in candidates.compactMap(\.recordName) where !names.contains(name) { names.append(name) }
    return names
  }

  /// The next octets of the body, cut anywhere.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    for body in bodies { body.update(bytes) }
  }

  package mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// Ends the body, asks for the keys that still matter, all at once, and judges.
  package consuming func verify(keys: some KeyRecordSource) async -> VerificationReport {
    var verifier = self
    verifier.finishBodies()
    let names = verifier.recordNames
    let answers = await withTaskGroup(of: (String, KeyRecordAnswer).self) { group in
      for name in names { group.addTask { (name, await keys.keyRecords(at: name)) } }
      return await group.reduce(into: [String: KeyRecordAnswer]()) { $0[$1.0] = $1.1 }
    }
    return verifier.judge(answers)
  }

  /// Ends the body and judges.
  /// - Parameter answers: by the names of `recordNames`; what is missing could not be looked up.
  package consuming func judge(_ answers: [String: KeyRecordAnswer]) -> VerificationReport {
    finishBodies()
    for index in candidates.indices {
      guard case .open(let signature, let name, _, let signedOctets) = candidates[index].state else { continue }
      let problem = candidates[index].result.judge(signature, answers[name] ?? .temporaryFailure, signedOctets)
      candidates[index].decide(problem)
    }
    return VerificationReport(results: candidates.map(\.result), ignoredSignatures: ignoredSignatures)
  }

  /// Decides what the body alone decides: no key makes good what has changed.
  private mutating func finishBodies() {
    if bodies.isEmpty { return }
    let digests = bodies.map { $0.finish() }
    for index in candidates.indices {
      guard case .open(let signature, _, let body, _) = candidates[index].state else { continue }
      let octets = bodies[body].octets
      if let length = signature.bodyLength {
        candidates[index].result.unsignedOctets = max(0, octets - length)
        if length > octets {
          candidates[index].decide(.bodyShorterThanSigned)
          continue
        }
      }
      if digests[body] != signature.bodyHash { candidates[index].decide(.bodyChanged) }
    }
    bodies = []
  }

  /// The hash for this form and limit: signatures that want the same share it.
  private mutating func body(_ form: Canonicalization, limit: Int?) -> Int {
    if let index = bodies.firstIndex(where: { $0.form == form && $0.limit == limit }) { return index }
    bodies.append(BodyHash(form, limit: limit))
    return bodies.count - 1
  }
}

extension SignatureResult {
  /// Tries the records at the name until one of them fits; what the first one says counts where none does.
  fileprivate mutating func judge(
    _ signature: DKIMSignature, _ answer: KeyRecordAnswer, _ signedOctets: [UInt8]
  ) -> SignatureProblem? {
    switch answer {
    case .temporaryFailure: return .keyUnavailable
    case .none: return .noKey
    case .records(let records):
      let digest = digest(signedOctets, .sha256)
      var problem: SignatureProblem?
      for text in records.prefix(DKIMLimits.keyRecords) {
        do throws(SignatureProblem) {
          let record = try KeyRecord(parsing: text)
          isTesting = record.isTesting
          let key = try record.key(for: signature)
          keyBits = key.bitCount
          guard key.accepts(signature.signature, ofSHA256: digest) else { throw .signatureWrong }
          return nil
        } catch {
          if problem == nil || problem == .keySyntax { problem = error }
        }
      }
      return problem ?? .noKey
    }
  }

  /// What can be said even of a signature that is no good.
  fileprivate mutating func describe(_ tags: TagList) {
    func text(_ name: StaticString) -> String? { tags[name].flatMap { String(validating: $0, as: UTF8.self) } }
    domain = text("d").flatMap { Domain($0) }.flatMap { $0.isAddressLiteral ? nil : $0 }
    selector = text("s").flatMap { KeySelector($0) }
    algorithm = SignatureAlgorithm.allCases.first { $0.signatureName == text("a") }
  }
}

extension SignedHeader {
  /// A field with the value of its `b=` taken out, and the white space around it.
  fileprivate func withoutValue(of tags: TagList, at place: Int) -> [UInt8] {
    let field = fields[place]
    var bytes = Array(bytes[field.range.lowerBound..<field.body.upperBound])
    guard let value = tags.tag("b")?.wholeValue else { return bytes }
    let start = field.body.lowerBound - field.range.lowerBound
    bytes.removeSubrange(start + value.lowerBound..<start + value.upperBound)
    return bytes
  }
}

/// The beginnings of `b=` that tell the signatures apart.  RFC 6008 §4.
private func signaturePrefixes(of lists: [TagList?]) -> [String?] {
  let texts = lists.map { list in
    list?["b"]?.filter { $0.isIn([.alpha, .digit]) || $0 == 0x2B || $0 == 0x2F || $0 == 0x3D }
  }
  return texts.enumerated().map { index, text in
    guard let text, !text.isEmpty else { return nil }
    var count = 8
    for (other, otherText) in texts.enumerated() where other != index {
      guard let otherText, otherText != text else { continue }
      let shared = zip(text, otherText).prefix { $0 == $1 }.count
      count = max(count, shared + 1)
    }
    return String(decoding: text.prefix(count), as: UTF8.self)
  }
}
