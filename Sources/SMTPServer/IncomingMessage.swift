import Authentication
import Bytes
import Delivery
import MailStore
import MessageFormat
import SMTP

/// A message on its way in: its header is held until it is whole and has been looked at, the rest goes on to the
/// store's stage as it comes. After a problem octets are only counted; the reply waits for the end.
struct IncomingMessage {
  /// Octets so far, without the dots that were added for transport.
  private(set) var size = 0
  /// The first thing that makes the message unacceptable.
  private(set) var problem: MessageProblem?

  private let transaction: MailTransaction
  private let services: SMTPServices
  /// Who submits it; nil for mail that comes from elsewhere.
  private let author: AuthenticatedAccount?
  private var header = HeaderScanner()
  /// What has come while the header has not ended.
  private var held: [UInt8] = []
  private var stage: BodyStage?
  /// Of what an account sends to other servers.
  private var signature: RunningSignature?
  /// For chunks; DATA is watched by its decoder.
  private var lineEnds: LineEndScanner?

  init(_ transaction: MailTransaction, session: SMTPSession) {
    self.transaction = transaction
    services = session.services
    author = session.account
  }

  /// Chunks of a message that has not been declared BINARYMIME obey the line ends of text, too.
  static func chunked(_ transaction: MailTransaction, session: SMTPSession) -> IncomingMessage {
    var message = IncomingMessage(transaction, session: session)
    if transaction.parameters.body != .binary { message.lineEnds = LineEndScanner() }
    return message
  }

  mutating func append(_ bytes: [UInt8]) async {
    size += bytes.count
    guard problem == nil else { return }
    if size > services.limits.messageSize { return refuse(.tooBig(limit: services.limits.messageSize)) }
    if lineEnds != nil {
      bytes.withUnsafeBytes { lineEnds?.scan($0) }
    }
    if stage != nil {
      signature?.update(bytes)
      return await stage(bytes)
    }
    if held.isEmpty { held = bytes } else { held += bytes }
    header.scan(held, isWhole: false)
    if header.isComplete {
      await passHeader()
    } else if held.count > services.limits.headerSize {
      refuse(.headerTooBig(limit: services.limits.headerSize))
    }
  }

  /// Nothing of the message is kept.
  mutating func refuse(_ problem: MessageProblem) {
    if self.problem == nil { self.problem = problem }
    held = []
    stage?.discard()
    stage = nil
  }

  mutating func discard() {
    held = []
    stage?.discard()
    stage = nil
  }

  /// The body, complete but not yet durable.
  mutating func finish() async throws(MessageProblem) -> StagedBody {
    if problem == nil, lineEnds?.hasBareLineEnd == true { refuse(.bareLineEnd) }
    if problem == nil, stage == nil {
      header.scan(held, isWhole: true)
      await passHeader()
    }
    if let problem { throw problem }
    guard let stage else { throw .store(.closed) }
    self.stage = nil
    do throws(StoreError) { return try await stage.finish() } catch { throw .store(error) }
  }

  /// Judges the header, completes it on submission, and sends it to the stage with what came behind it.
  private mutating func passHeader() async {
    var bytes = held
    held = []
    if let found = trouble(in: bytes) { return refuse(found) }
    if let author {
      do throws(MessageProblem) {
        bytes = try SubmittedHeader(author: author, sender: transaction.sender, services: services)
          .complete(bytes, header)
      } catch {
        return refuse(error)
      }
    }
    stage = services.store.stageBody(expectedSize: transaction.parameters.size)
    beginSignature(bytes)
    await stage(bytes)
  }

  private mutating func beginSignature(_ bytes: [UInt8]) {
    guard author != nil, let outgoing = services.outgoing, !transaction.recipients.allSatisfy(\.elsewhere.isEmpty)
    else { return }
    let end = bytes.withUnsafeBytes { HeaderFields.headerEnd(in: $0) }
    signature = outgoing.signature(of: Array(bytes[..<end]))
    signature?.update(bytes[end...])
  }

  /// The DKIM-Signature fields, once the message is finished.
  func signatureFields() -> [UInt8] { signature?.finish() ?? [] }

  /// Signs of a loop.  RFC 5321 §6.3.
  private func trouble(in bytes: [UInt8]) -> MessageProblem? {
    if header.receivedCount > services.limits.hops { return .tooManyHops }
    guard !header.deliveredTo.isEmpty else { return nil }
    var counts: [[UInt8]: Int] = [:]
    for range in header.deliveredTo {
      counts[HeaderScanner.value(of: bytes[range]).asciiLowercased, default: 0] += 1
    }
    let isLoop = transaction.recipients.contains { recipient in
      // Only what leaves again can come round, and a program brings it: that is seen the first time.
      let mayComeRound = !recipient.elsewhere.isEmpty && author == nil
      let limit = mayComeRound ? 1 : services.limits.deliveriesToSameAddress
      return counts[Array(recipient.address.description.utf8).asciiLowercased] ?? 0 >= limit
    }
    return isLoop ? .deliveryLoop : nil
  }

  private mutating func stage(_ bytes: [UInt8]) async {
    guard let stage else { return }
    do throws(StoreError) { try await stage.append(bytes) } catch { refuse(.store(error)) }
  }
}
