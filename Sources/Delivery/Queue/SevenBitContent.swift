import Bytes
import MailStore
import MessageFormat
import SMTP
import SMTPClient

/// Begins to sign what has this header; nil where there is no key for its author.
package typealias HeaderSignature = @Sendable (_ header: [UInt8]) -> RunningSignature?

/// A message of the queue in 7 bits, for a server that takes no more.  RFC 6152 §3.
///
/// It is read three times and never in memory as a whole: to find out how each part is to be written, for its size and
/// its signature, and to be sent. What stands in front of the body is ours and stays, but for a DKIM-Signature, which is
/// made anew: the old one was of other octets. Those of others, in the body, no longer hold; nobody but their signers
/// could help that.
enum SevenBitContent {
  private static let pieceSize = 65_536

  /// Nil where it can't be done: what is signed as a part, or must not be encoded.
  static func make(
    of content: ContentReference, in store: MailStore, hasUTF8Header: Bool, signature: HeaderSignature?
  ) async throws -> MessageContent? {
    let body = content.prefix.count..<content.size
    let (written, header): (Int, [UInt8])
    let plan: SevenBitPlan
    let signer: RunningSignature?
    do {
      var scan = SevenBitPlan.Scan()
      var pieces = store.pieces(of: content, body, size: pieceSize)
      while let piece = try await pieces.next() { try scan.scan(piece) }
      plan = try scan.finish()
      let isSigned = HeaderFields.count("DKIM-Signature", in: content.prefix) > 0
      (written, signer) = try await measure(content, body, store, plan, isSigned ? signature : nil)
      header = prefix(content.prefix, signature: signer?.finish() ?? [])
    } catch is SevenBitError {
      return nil
    }
    let reader = Reader(store.pieces(of: content, body, size: pieceSize), plan: plan, header: header)
    return MessageContent(
      size: header.count + written, body: .sevenBit, hasUTF8Header: hasUTF8Header,
      read: { range in try await reader.read(range) })
  }

  /// The size of what is written, and its signature, but for the end.
  private static func measure(
    _ content: ContentReference, _ body: Range<Int>, _ store: MailStore, _ plan: SevenBitPlan,
    _ signature: HeaderSignature?
  ) async throws -> (Int, RunningSignature?) {
    var writer = SevenBitWriter(plan)
    var size = 0
    /// Until the header is whole.
    var beginning: [UInt8] = []
    var signer: RunningSignature?
    func take(_ output: [UInt8]) {
      size += output.count
      guard let signature else { return }
      if let signer { return signer.update(output) }
      beginning += output
      guard writer.hasPassedHeader, signer == nil else { return }
      let end = beginning.withUnsafeBytes { HeaderFields.headerEnd(in: $0) }
      signer = signature(Array(beginning[..<end]))
      signer?.update(beginning[end...])
      beginning = []
    }
    var pieces = store.pieces(of: content, body, size: pieceSize)
    while let piece = try await pieces.next() {
      var output: [UInt8] = []
      try writer.write(piece, into: &output)
      take(output)
    }
    var output: [UInt8] = []
    try writer.finish(into: &output)
    take(output)
    return (size, signer)
  }

  private static func prefix(_ prefix: [UInt8], signature: [UInt8]) -> [UInt8] {
    var kept: [UInt8] = []
    prefix.withUnsafeBytes { bytes in
      for field in HeaderFields(bytes) where !bytes.equals("dkim-signature", in: field.name) {
        kept += prefix[field.range]
      }
    }
    return kept + signature
  }

  /// Gives out what is written, in order; from the beginning again where that is asked for.
  private actor Reader {
    /// All of the body, from its beginning.
    private let body: PieceReader
    private let plan: SevenBitPlan
    private let header: [UInt8]
    private var writer: SevenBitWriter
    /// What is left of it.
    private var rest: PieceReader
    /// Of what is given out.
    private var offset = 0
    private var pending: [UInt8]
    private var isFinished = false

    init(_ body: PieceReader, plan: SevenBitPlan, header: [UInt8]) {
      (self.body, self.plan, self.header) = (body, plan, header)
      writer = SevenBitWriter(plan)
      rest = body
      pending = header
    }

    func read(_ range: Range<Int>) async throws -> [UInt8] {
      if range.lowerBound == 0 {
        (writer, rest, offset, pending, isFinished) = (SevenBitWriter(plan), body, 0, header, false)
      }
      while pending.isEmpty, !isFinished {
        var reader = rest
        let piece = try await reader.next()
        rest = reader
        if let piece {
          try writer.write(piece, into: &pending)
        } else {
          isFinished = true
          try writer.finish(into: &pending)
        }
      }
      guard range.lowerBound == offset else { return [] }
      let given = Array(pending.prefix(range.count))
      pending.removeFirst(given.count)
      offset += given.count
      return given
    }
  }
}
