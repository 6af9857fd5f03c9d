package import MailStore
package import Networking

/// What an export has done.
package struct ExportReport: Codable, Hashable, Sendable {
  package var mailboxes = 0
  package var messages = 0
  /// Messages and mailboxes that could not be written; `problems` lists the first of them.
  package var failed = 0
  package var problems: [ImportReport.Problem] = []
  package var remarks: [String] = []

  fileprivate mutating func note(_ reason: String, in mailbox: String) {
    failed += 1
    if problems.count < TransferLimits.problems { problems.append(.init(mailbox: mailbox, reason: reason)) }
  }
}

/// Writes mailboxes in some format. Each call names what it is about by coming between a beginning and an end.
protocol MailboxWriter: AnyObject {
  func begin(_ mailbox: ExportedMailbox) throws(TransferError)
  func begin(_ message: ExportedMessage) throws(TransferError)
  /// Octets of the message in hand, with CRLF for line ends.
  func append(_ octets: [UInt8]) throws(TransferError)
  func finishMessage() throws(TransferError)
  /// Forgets the message in hand.
  func dropMessage() throws(TransferError)
  /// Returns what could not be kept, in words.
  func finishMailbox() throws(TransferError) -> [String]
  func finish() throws(TransferError)
}

/// Writes what the server at the other end of `connection` sends, with the rights of whoever runs this.
package func runExport(
  to path: String, format: MailFormat, from connection: Connection, progress: @escaping ProgressHandler
) async throws(TransferError) -> ExportReport {
  switch format {
  case .maildir: return try await Exporter(MaildirWriter(path), connection, progress).run()
  case .mbox: return try await Exporter(MboxWriter(path), connection, progress).run()
  case .eml: throw .source("an export is a Maildir or mbox files")
  }
}

private struct Exporter<Writer: MailboxWriter> {
  private let writer: Writer
  private let channel: TransferChannel
  private let progress: ProgressHandler
  private var report = ExportReport()
  private var mailbox: ExportedMailbox?
  /// Of the open mailbox.
  private var messages = 0
  /// Octets of the message in hand that are to come; nil between messages.
  private var rest: Int?
  /// The mailbox cannot be written: its messages pass by.
  private var isSkipping = false

  private static var patience: Duration { .seconds(600) }

  init(_ writer: Writer, _ connection: Connection, _ progress: @escaping ProgressHandler) {
    self.writer = writer
    channel = TransferChannel(connection)
    self.progress = progress
  }

  consuming func run() async throws(TransferError) -> ExportReport {
    while try await take(next()) {}
    channel.close()
    return report
  }

  private func next() async throws(TransferError) -> TransferFrame {
    do throws(TransferChannel.Failure) {
      return try await channel.next(timeout: Self.patience)
    } catch {
      throw .store("the server has gone away before everything was exported")
    }
  }

  /// False after the last one.
  private mutating func take(_ frame: TransferFrame) throws(TransferError) -> Bool {
    switch frame.kind {
    case .exportedMailbox: try begin(try value(frame) as ExportedMailbox)
    case .exportedMessage: try begin(try value(frame) as ExportedMessage)
    case .octets: try append(frame.payload)
    case .exportProblem:
      rest = nil
      if !isSkipping { try writer.dropMessage() }
      report.note(String(decoding: frame.payload, as: UTF8.self), in: mailbox?.name.text ?? "")
    case .ended:
      try finishMailbox()
      try writer.finish()
      return false
    case .failed: throw .store(String(decoding: frame.payload, as: UTF8.self))
    default: throw Self.otherVersion
    }
    return true
  }

  private mutating func begin(_ next: ExportedMailbox) throws(TransferError) {
    try finishMailbox()
    mailbox = next
    messages = 0
    isSkipping = false
    do throws(TransferError) {
      try writer.begin(next)
      report.mailboxes += 1
    } catch {
      isSkipping = true
      report.note("\(error)", in: next.name.text)
    }
  }

  private mutating func begin(_ message: ExportedMessage) throws(TransferError) {
    guard mailbox != nil, rest == nil else { throw Self.otherVersion }
    rest = message.size
    if !isSkipping { try writer.begin(message) }
    if message.size == 0 { try finishMessage() }
  }

  private mutating func append(_ octets: [UInt8]) throws(TransferError) {
    // An empty message has been finished already.
    if rest == nil, octets.isEmpty { return }
    guard let before = rest, octets.count <= before else { throw Self.otherVersion }
    rest = before - octets.count
    if !isSkipping { try writer.append(octets) }
    if rest == 0 { try finishMessage() }
  }

  private mutating func finishMessage() throws(TransferError) {
    rest = nil
    messages += 1
    guard !isSkipping else { return }
    try writer.finishMessage()
    report.messages += 1
    progress(
      OperationProgress(
        phase: "exporting \(mailbox?.name.text ?? "")", done: Int64(messages),
        total: mailbox.map { Int64($0.messages) }, unit: .messages))
  }

  private mutating func finishMailbox() throws(TransferError) {
    guard mailbox != nil, !isSkipping else { return }
    report.remarks += try writer.finishMailbox()
    mailbox = nil
  }

  private func value<Value: TransferValue>(_ frame: TransferFrame) throws(TransferError) -> Value {
    guard let value = Value(payload: frame.payload) else { throw Self.otherVersion }
    return value
  }

  private static var otherVersion: TransferError { .store("the server speaks another version of the protocol") }
}
