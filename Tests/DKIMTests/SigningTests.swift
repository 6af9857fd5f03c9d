import Bytes
import Cryptography
import Foundation
import MessageFormat
import Testing

@testable import DKIM

/// Keys of a domain and the table that publishes them.
struct TestKeys {
  let identifiers: [SigningIdentifier]
  let table: KeyTable

  init(domain: String = "example.org") throws {
    let domain = try #require(Domain(domain))
    var identifiers: [SigningIdentifier] = []
    var table = KeyTable()
    for algorithm in SignatureAlgorithm.allCases {
      let key = try SigningKey.generate(algorithm)
      let selector = try #require(KeySelector("202611-\(algorithm)"))
      identifiers.append(SigningIdentifier(domain: domain, selector: selector, key: key))
      let record = try #require(try KeyRecordText(key.publicKey, selector: selector, domain: domain))
      table.answers[record.name] = .records([Array(record.text.utf8)])
    }
    self.identifiers = identifiers
    self.table = table
  }

  /// The fields that go in front of `message`.
  func sign(
    _ message: [UInt8], _ options: SigningOptions = SigningOptions(), pieces: [Int] = [Int.max]
  ) throws(SigningError) -> [UInt8] {
    let end = message.withUnsafeBytes { HeaderFields.headerEnd(in: $0) }
    var signer = try MessageSigner(
      header: Array(message[..<end]), keys: identifiers, options: options, now: Timestamp(seconds: 1_700_000_000))
    for piece in cut(message[end...], pieces) { signer.update(piece) }
    return try signer.finish()
  }
}

/// Mail for trying out: the corpus, and an archive of a list where the machine has it.
enum TrialMessages {
  static let all: [[UInt8]] = corpus + archive

  private static let corpus: [[UInt8]] = {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Corpus")
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return files.filter { $0.hasSuffix(".eml") }.sorted().compactMap {
      FileManager.default.contents(atPath: folder.appendingPathComponent($0).path).map { Array($0) }
    }
  }()

  /// Every seventh message of a public mailing-list archive: the one that the environment names, else that in
  /// `shared/corpora` beside the checkout; none where there is none.
  private static let archive: [[UInt8]] = {
    let path =
      ProcessInfo.processInfo.environment["MARTLET_MBOX"]
      ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("../shared/corpora/list-2002.mbox.gz").standardized.path
    guard FileManager.default.fileExists(atPath: path) else { return [] }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/gzip")
    process.arguments = ["-dc", path]
    let pipe = Pipe()
    process.standardOutput = pipe
    guard (try? process.run()) != nil, let mbox = try? pipe.fileHandleForReading.readToEnd() else { return [] }
    process.waitUntilExit()
    return messages(in: Array(mbox)).enumerated().filter { $0.offset % 7 == 0 }.map(\.element)
  }()

  private static func messages(in mbox: [UInt8]) -> [[UInt8]] {
    var messages: [[UInt8]] = []
    mbox.withUnsafeBytes { bytes in
      Array("\n\r\nFrom ".utf8).withUnsafeBytes { separator in
        var start = 0
        while start < bytes.count {
          let next = bytes.firstIndex(of: separator, from: start).map { $0 + 3 } ?? bytes.count
          let message = bytes.firstIndex(of: 0x0A, from: start).map { $0 + 1 } ?? bytes.count
          messages.append(Array(bytes[min(message, next)..<next]))
          start = next
        }
      }
    }
    return messages
  }
}

@Suite struct SigningTests {
  private static let message = Array(
    "From: a@example.org\r\nTo: b@example.net\r\nSubject: hello\r\nList-Id: <l.example.org>\r\n\r\nbody\r\n".utf8)

  @Test func everyMessageThatIsSignedPasses() async throws {
    let keys = try TestKeys()
    var random = SystemRandomNumberGenerator()
    var signed = 0
    for message in TrialMessages.all {
      var options = SigningOptions()
      options.headerForm = try #require(Canonicalization.allCases.randomElement(using: &random))
      options.bodyForm = try #require(Canonicalization.allCases.randomElement(using: &random))
      let sizes = (0..<20).map { _ in Int.random(in: 1...200, using: &random) }
      let fields: [UInt8]
      do throws(SigningError) {
        fields = try keys.sign(message, options, pieces: sizes)
      } catch {
        #expect(error == .noFrom && HeaderFields.count("from", in: message) == 0)
        continue
      }
      signed += 1
      let report = await report(
        on: fields + message, keys: keys.table, now: Timestamp(seconds: 1_700_000_000), pieces: sizes.reversed())
      #expect(
        report.results.prefix(2).map(\.problem) == [nil, nil],
        "\(report.authenticationResults) \(options) \(String(decoding: message.prefix(300), as: UTF8.self))")
      // Whatever is added to a sealed field, it shows.
      let added = Array("Subject: Buy!\r\n".utf8) + fields + message
      let late = await DKIMTests.report(on: added, keys: keys.table, now: Timestamp(seconds: 1_700_000_000))
      #expect(late.results.prefix(2).map(\.problem) == [.signatureWrong, .signatureWrong])
    }
    #expect(signed > 20)
  }

  @Test func aFieldIsFoldedWithinItsLines() throws {
    let fields = try TestKeys().sign(Self.message)
    let text = String(decoding: fields, as: UTF8.self)
    #expect(text.hasSuffix("\r\n") && !text.contains("\r\n\r\n"))
    let lines = text.split(separator: "\r\n")
    #expect(lines.allSatisfy { $0.utf8.count <= 78 })
    #expect(lines.filter { !$0.hasPrefix("\t") }.map { $0.prefix(20) } == ["DKIM-Signature: v=1;", lines[0].prefix(20)])
    #expect(lines[0] == "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;")
    #expect(text.contains("t=1700000000;"))
    #expect(!text.contains("x="))
  }

  @Test func fieldsAreSealedOrSignedWhereTheyAre() throws {
    let header = SignedHeader(Self.message)
    let names = SignedFields(sealed: ["to", "cc"], whereThere: ["list-id", "sender"]).names(for: header)
    #expect(names.map { String(decoding: $0, as: UTF8.self) } == ["from", "from", "to", "to", "cc", "list-id"])
  }

  @Test func aSignatureMayEnd() async throws {
    let keys = try TestKeys()
    var options = SigningOptions()
    options.validity = .seconds(600)
    let signed = try keys.sign(Self.message, options) + Self.message
    for (age, problem) in [(0, nil), (600, nil), (601, SignatureProblem.expired)] as [(Int64, SignatureProblem?)] {
      let report = await report(on: signed, keys: keys.table, now: Timestamp(seconds: 1_700_000_000 + age))
      #expect(report.results.map(\.problem) == [problem, problem])
    }
  }

  @Test func aMessageWithoutFromIsNotSigned() throws {
    let keys = try TestKeys()
    #expect(throws: SigningError.noFrom) { try keys.sign(Array("To: b@example.net\r\n\r\n".utf8)) }
  }

  @Test func aHeaderThatOnlyWantsToBeLongIsNotSigned() throws {
    let header = Array(repeating: "To: b@example.net\r\n", count: 1_000).joined()
    let keys = try TestKeys()
    #expect(throws: SigningError.tooManyFields) { try keys.sign(Array("From: a@example.org\r\n\(header)\r\n".utf8)) }
  }

  /// RFC 8616 §5, RFC 6532 §3.
  @Test func domainsAreWrittenAsTheHeaderAllows() async throws {
    let keys = try TestKeys(domain: "bücher.example")
    for (from, domain) in [("a@example.org", "xn--bcher-kva.example"), ("jörg@bücher.example", "bücher.example")] {
      let message = Array("From: \(from)\r\n\r\n".utf8)
      let fields = try keys.sign(message)
      #expect(String(decoding: fields, as: UTF8.self).contains("d=\(domain);"))
      let report = await report(on: fields + message, keys: keys.table, now: Timestamp(seconds: 1_700_000_000))
      #expect(report.results.map(\.problem) == [nil, nil])
    }
  }

  /// RFC 8463 appendix A: key and message give the signature that is printed there. Ed25519 leaves nothing to chance.
  @Test func theExampleOfTheRFCIsMadeAgain() throws {
    let seed = try #require(Base64.decode(Array("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=".utf8)))
    let prefix: [UInt8] = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20]
    let key = try SigningKey(der: prefix + seed)
    let example = try #require(VerdictCase.all.first { $0.name == "rfc8463-a3" })
    let header = SignedHeader(example.message)
    let list = try #require(TagList(parsing: header.body(of: 0)))
    let printed = try DKIMSignature(list)
    let value = try #require(list.tag("b")).wholeValue
    var field = Array("DKIM-Signature:".utf8) + list.bytes
    field.removeSubrange(15 + value.lowerBound..<15 + value.upperBound)
    let octets = header.covered(by: printed.signedFields, .relaxed, signature: field, own: 0)
    #expect(try key.signature(ofSHA256: digest(octets, .sha256)) == printed.signature)
  }
}
