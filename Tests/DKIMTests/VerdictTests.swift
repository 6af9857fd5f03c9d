import Foundation
import MessageFormat
import Testing

@testable import DKIM

/// A message with the key records of its day and the verdicts on it: a file in `Cases`.
///
/// ```
/// # why
/// now 1700000000
/// key sel._domainkey.example.com v=DKIM1; p=…      (or `temporary`; several lines make several records)
/// expect pass header.d=example.com …               (a line for each result; all but `header.b`)
///
/// the message, with LF for CRLF
/// ```
struct VerdictCase: CustomTestStringConvertible {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Cases")

  static let all: [VerdictCase] = {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".case") }.sorted().map { VerdictCase(file: $0) }
  }()

  let name: String
  var now = Timestamp(seconds: 0)
  var keys = KeyTable()
  var expected: [String] = []
  var message: [UInt8] = []

  var testDescription: String { name }

  init(file: String) {
    name = String(file.dropLast(5))
    let data = FileManager.default.contents(atPath: Self.folder.appendingPathComponent(file).path) ?? Data()
    var lines = data.split(separator: 0x0A, omittingEmptySubsequences: false)[...]
    while let line = lines.popFirst(), !line.isEmpty {
      let words = String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 1).map(String.init)
      switch words[0] {
      case "now": now = Timestamp(seconds: Int64(words[1]) ?? 0)
      case "expect": expected.append("dkim=" + words[1])
      case "key":
        let parts = words[1].split(separator: " ", maxSplits: 1).map(String.init)
        if parts[1] == "temporary" {
          keys.answers[parts[0]] = .temporaryFailure
        } else if case .records(let records)? = keys.answers[parts[0]] {
          keys.answers[parts[0]] = .records(records + [Array(parts[1].utf8)])
        } else {
          keys.answers[parts[0]] = .records([Array(parts[1].utf8)])
        }
      default: break
      }
    }
    message = Array(lines.joined(separator: [0x0D, 0x0A] as [UInt8]))
  }
}

/// Key records in a table.
struct KeyTable: KeyRecordSource {
  var answers: [String: KeyRecordAnswer] = [:]
  func keyRecords(at name: String) async -> KeyRecordAnswer { answers[name] ?? .none }
}

/// Verifies a message whose body comes in pieces of these sizes, again and again.
func report(
  on message: [UInt8], keys: KeyTable, now: Timestamp, pieces: [Int] = [Int.max]
) async -> VerificationReport {
  let end = message.withUnsafeBytes { HeaderFields.headerEnd(in: $0) }
  var verifier = MessageVerifier(header: Array(message[..<end]), now: now)
  for piece in cut(message[end...], pieces) { verifier.update(piece) }
  return await verifier.verify(keys: keys)
}

func cut(_ bytes: ArraySlice<UInt8>, _ sizes: [Int]) -> [[UInt8]] {
  var rest = bytes
  var pieces: [[UInt8]] = []
  while !rest.isEmpty {
    let piece = rest.prefix(sizes[pieces.count % sizes.count])
    pieces.append(Array(piece))
    rest = rest.dropFirst(piece.count)
  }
  return pieces
}

@Suite struct VerdictTests {
  @Test(arguments: VerdictCase.all) func aMessageGetsItsVerdict(example: VerdictCase) async {
    for pieces in [[Int.max], [1], [7, 2, 31]] {
      let report = await report(on: example.message, keys: example.keys, now: example.now, pieces: pieces)
      let results = report.authenticationResults.map { String($0.prefix { $0 != "\r" }) }
      #expect(results.map(Self.withoutPrefix) == example.expected, "pieces of \(pieces)")
    }
  }

  @Test func theFolderIsThere() { #expect(VerdictCase.all.count > 70) }

  @Test func signaturesBeyondTheBoundAreCounted() async throws {
    let example = try #require(VerdictCase.all.first { $0.name == "too-many-signatures" })
    let report = await report(on: example.message, keys: example.keys, now: example.now)
    #expect(report.results.count == DKIMLimits.signatures)
    #expect(report.ignoredSignatures == 2)
    #expect(report.passingDomains == Array(repeating: Domain("example.com")!, count: 8))
  }

  /// The body decides nothing more, so nobody needs to hand it in or to ask for keys.
  @Test func whatIsDecidedByTheHeaderNeedsNoBody() throws {
    for (name, needsBody) in [("expired", false), ("not-signed", false), ("relaxed", true)] {
      let example = try #require(VerdictCase.all.first { $0.name == name })
      let verifier = MessageVerifier(header: example.message, now: example.now)
      #expect(verifier.needsBody == needsBody)
      #expect(verifier.recordNames == (needsBody ? ["sel._domainkey.example.com"] : []))
    }
  }

  /// RFC 6008 §4.
  @Test func theBeginningOfASignatureTellsItApart() async {
    func prefixes(_ signatures: [String]) async -> [String?] {
      let header = signatures.map { "DKIM-Signature: b=\($0)\r\n" }.joined()
      return await report(on: Array(header.utf8), keys: KeyTable(), now: Timestamp(seconds: 0)).results
        .map(\.signaturePrefix)
    }
    #expect(await prefixes(["abcdefghijk="]) == ["abcdefgh"])
    #expect(await prefixes(["abcd", "efgh"]) == ["abcd", "efgh"])
    #expect(await prefixes(["abcdefgh12", "abcdefgh13"]) == ["abcdefgh12", "abcdefgh13"])
    #expect(await prefixes(["ab cd\r\n efghi", "xyz"]) == ["abcdefgh", "xyz"])
    #expect(await prefixes([""]) == [nil])
  }

  @Test func aLongFieldIsNotRead() async {
    let field = "DKIM-Signature: v=1; n=" + String(repeating: "x", count: DKIMLimits.signatureField) + "\r\n"
    let report = await report(on: Array(field.utf8), keys: KeyTable(), now: Timestamp(seconds: 0))
    #expect(report.results.map(\.problem) == [.fieldTooLong])
  }

  private static func withoutPrefix(_ result: String) -> String {
    result.range(of: " header.b=").map { String(result[..<$0.lowerBound]) } ?? result
  }
}
