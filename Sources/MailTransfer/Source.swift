import MailStore
import MessageFormat

/// A mailbox in a source.
struct SourceMailbox: Sendable {
  /// Its place in the source's hierarchy, decoded; `INBOX` alone is the inbox.
  var path: [String]
  var specialUse: SpecialUse?
  var isSubscribed: Bool
  /// Shows messages of other mailboxes: `\All`, `\Flagged`.
  var isView: Bool
  /// Messages, or octets, as the source's progress counts them; nil where nobody knows yet.
  var size: Int64?
  /// The source's own handle for it.
  var handle: Int

  init(
    path: [String], specialUse: SpecialUse? = nil, isSubscribed: Bool = true, isView: Bool = false,
    size: Int64? = nil, handle: Int
  ) {
    self.path = path
    self.specialUse = specialUse
    self.isSubscribed = isSubscribed
    self.isView = isView
    self.size = size
    self.handle = handle
  }

  /// As a person writes it.
  var name: String { path.joined(separator: "/") }
}

/// What a source knows of a mailbox once it is open.
struct OpenedMailbox {
  /// See `ImportOrigin.identity`.
  var identity: String
  var uids: OriginUIDs?
  var uidNext: UID?
}

/// A message of a source, without its body.
struct SourceMessage<Place: Sendable>: Sendable {
  /// Names it within its mailbox, the same in every run; 1…64 octets.
  var key: [UInt8]
  var uid: UID?
  var flags: MessageFlags
  /// Nil: what its header says, else now.
  var date: DateTime?
  /// What it counts for the progress.
  var weight: Int64
  /// At least so many, where the source says it before the message is read.
  var octets: Int64 = 0
  /// Where the source finds it again.
  var place: Place
}

/// Where mail comes from. Used by one task: `list`, then for each mailbox `open`, and windows until there are no more.
/// Each window is first offered; those of its messages that are wanted are announced by `request`, so that a source far
/// away can have them under way while an earlier window is still being sent.
protocol MessageSource: AnyObject {
  associatedtype Place: Sendable

  var progressUnit: OperationProgress.Unit { get }
  /// All mailboxes that can hold messages.
  func list() async throws(TransferError) -> [SourceMailbox]
  /// - Parameter last: the message to go on behind, after the source was lost.
  func open(_ mailbox: SourceMailbox, after last: SourceMessage<Place>?) async throws(TransferError) -> OpenedMailbox
  /// The next messages in their order; nil at the end.
  func nextWindow() async throws(TransferError) -> [SourceMessage<Place>]?
  /// What a person calls it: a path, a UID.
  func label(of message: SourceMessage<Place>) -> String
  /// - Parameter sink: takes what comes of them from now on.
  func request(_ wanted: [SourceMessage<Place>], for sink: ImportSink) async throws(TransferError)
  /// Sends the messages that were requested in one call.
  func send(_ wanted: [SourceMessage<Place>], to sink: ImportSink) async throws(TransferError)
  /// After `sourceLost`: connects again, or throws what is final.
  func recover() async throws(TransferError)
  /// Takes its leave.
  func close() async
}

extension MessageSource {
  func request(_ wanted: [SourceMessage<Place>], for sink: ImportSink) async throws(TransferError) {}
  func recover() async throws(TransferError) { throw .source("the source is gone") }
  func close() async {}
}
