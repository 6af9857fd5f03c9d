import Cryptography
import MessageFormat

@testable import DKIM

extension EntryPoint {
  static let tagList = EntryPoint(name: "tagList") { bytes in
    guard let tags = TagList(parsing: bytes) else { return }
    precondition(tags.tags.count <= DKIMLimits.tags)
    var end = 0
    for tag in tags.tags {
      precondition(tag.name.lowerBound >= end && tag.name.upperBound <= tag.wholeValue.lowerBound)
      precondition(tag.wholeValue.lowerBound <= tag.value.lowerBound)
      precondition(tag.value.upperBound <= tag.wholeValue.upperBound)
      end = tag.wholeValue.upperBound
    }
    precondition(end <= bytes.count)
    guard let signature = try? DKIMSignature(tags) else { return }
    precondition(signature.bodyHash.count == 32 && !signature.signature.isEmpty && !signature.signedFields.isEmpty)
    precondition(signature.identity.map { $0.domain.isWithin(signature.domain) } ?? true)
  }

  static let keyRecord = EntryPoint(name: "keyRecord") { bytes in
    guard let record = try? KeyRecord(parsing: bytes), let algorithm = record.algorithm else { return }
    guard let key = try? PublicKey(algorithm, published: record.publicKey) else { return }
    precondition(!key.accepts([1, 2, 3], ofSHA256: [UInt8](repeating: 0, count: 32)))
    let domain = Domain("example.org")!
    guard let text = try? KeyRecordText(key, selector: KeySelector("s")!, domain: domain) else { return }
    precondition(text.isPublished(in: .records([Array(text.text.utf8)])), "a record is not read as it is printed")
  }

  /// A whole message; the first octet says how its body is cut. What it says of itself must not depend on that, and no
  /// result may end a line.
  static let dkimMessage = EntryPoint(name: "dkimMessage") { bytes in
    guard let first = bytes.first else { return }
    let message = Array(bytes.dropFirst())
    let end = message.withUnsafeBytes { HeaderFields.headerEnd(in: $0) }
    let size = Int(first) % 31 + 1
    for form in Canonicalization.allCases {
      let (whole, pieces) = (BodyHash(form), BodyHash(form))
      message[end...].withUnsafeBytes { whole.update($0) }
      for start in stride(from: end, to: message.count, by: size) {
        message[start..<min(start + size, message.count)].withUnsafeBytes { pieces.update($0) }
      }
      precondition(whole.finish() == pieces.finish(), "a digest depends on how the body arrives")
      precondition(whole.octets == pieces.octets)
    }
    var verifier = MessageVerifier(header: Array(message[..<end]), now: Timestamp(seconds: 1_700_000_000))
    verifier.update(Array(message[end...]))
    precondition(verifier.recordNames.allSatisfy { name in name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } })
    let answers = verifier.recordNames.map { ($0, KeyRecordAnswer.records([publishedKey])) }
    let report = verifier.judge(Dictionary(uniqueKeysWithValues: answers))
    precondition(report.results.count <= DKIMLimits.signatures)
    for text in report.authenticationResults {
      precondition(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }, "a result ends its line")
    }
  }
}

/// The one of RFC 6376 appendix A, so that its example passes.
private let publishedKey = Array(
  """
  v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcT\
  Nh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB
  """.utf8)
