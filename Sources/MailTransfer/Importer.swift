package import MailStore

/// What is to be imported, and how.
package struct ImportPlan: Sendable {
  package enum Source: Sendable {
    case path(String, format: MailFormat?)
    case imap(IMAPAccess)
  }

  package var source: Source
  /// Mailboxes of the source; empty for all.
  package var only: [String]
  package var into: MailboxName?
  /// Only counts.
  package var isRehearsal: Bool

  package init(source: Source, only: [String] = [], into: MailboxName? = nil, isRehearsal: Bool = false) {
    self.source = source
    self.only = only
    self.into = into
    self.isRehearsal = isRehearsal
  }
}

/// Brings the mail of a source to the server at the other end of `sink`.
package func runImport(_ plan: ImportPlan, to sink: ImportSink, progress: @escaping ProgressHandler)
  async throws(TransferError) -> ImportReport
{
  switch plan.source {
  case .imap(let access):
    return try await runImport(from: IMAPSource(access), plan, to: sink, progress: progress)
  case .path(let path, let format):
    let format = if let format { format } else { try MailFormat(of: path) }
    switch format {
    case .maildir: return try await runImport(from: MaildirSource(path), plan, to: sink, progress: progress)
    case .mbox:
      let source = isFolder(path) ? try MboxSource(folder: path) : try MboxSource(file: path)
      return try await runImport(from: source, plan, to: sink, progress: progress)
    case .eml: return try await runImport(from: MessageFileSource(path), plan, to: sink, progress: progress)
    }
  }
}

func runImport(
  from source: some MessageSource, _ plan: ImportPlan, to sink: ImportSink, progress: @escaping ProgressHandler
) async throws(TransferError) -> ImportReport {
  try await Importer(source, plan, sink, progress).run()
}

/// One run: mailbox by mailbox, window by window. While one window is sent, the source knows already what is wanted of
/// the next.
private struct Importer<Source: MessageSource> {
  private typealias Message = SourceMessage<Source.Place>

  private let source: Source
  private let plan: ImportPlan
  private let sink: ImportSink
  private let progress: ProgressHandler
  private var report = ImportReport()
  private var done: Int64 = 0
  private var total: Int64?
  /// What the server takes, in octets.
  private var messageSize = 0

  init(_ source: Source, _ plan: ImportPlan, _ sink: ImportSink, _ progress: @escaping ProgressHandler) {
    self.source = source
    self.plan = plan
    self.sink = sink
    self.progress = progress
    report.isRehearsal = plan.isRehearsal
  }

  consuming func run() async throws(TransferError) -> ImportReport {
    do throws(TransferError) {
      try await importAll()
      try await sink.end()
      await source.close()
    } catch {
      await source.close()
      throw error
    }
    return report
  }

  private mutating func importAll() async throws(TransferError) {
    let mailboxes = try await source.list()
    let mapping = try MailboxMapping(mailboxes, only: plan.only, into: plan.into)
    report.remarks = mapping.remarks
    let sizes = mapping.routes.map(\.source.size)
    total = sizes.contains(nil) ? nil : sizes.reduce(0) { $0 + ($1 ?? 0) }
    for route in mapping.routes { try await importMailbox(route) }
  }

  private mutating func importMailbox(_ route: MailboxMapping.Route) async throws(TransferError) {
    var entry = ImportReport.Mailbox(source: route.source.name, name: route.name.text)
    let storedBefore = sink.stored
    do throws(TransferError) {
      try await passUntilDone(route, &entry)
    } catch .source(let reason) {
      // One mailbox that cannot be read does not keep the others.
      report.note(reason, in: route.source.name)
      try await sink.abandon()
      _ = try await sink.leave(uidNext: nil)
    }
    collectProblems(of: route.source.name)
    if !plan.isRehearsal { entry.imported = sink.stored - storedBefore }
    report.imported += entry.imported
    report.known += entry.known
    report.mailboxes.append(entry)
  }

  private mutating func passUntilDone(
    _ route: MailboxMapping.Route, _ entry: inout ImportReport.Mailbox
  ) async throws(TransferError) {
    var last: Message?
    while true {
      do throws(TransferError) {
        return try await pass(route, &entry, after: &last)
      } catch .sourceLost {
        try await sink.abandon()
        try await source.recover()
      }
    }
  }

  /// Goes through a mailbox from the message after `last`.
  private mutating func pass(
    _ route: MailboxMapping.Route, _ entry: inout ImportReport.Mailbox, after last: inout Message?
  ) async throws(TransferError) {
    let opened = try await source.open(route.source, after: last)
    // The same mail into another place is another import.
    let identity = plan.into.map { "\(opened.identity) into \($0)" } ?? opened.identity
    let origin = ImportOrigin(
      identity: identity, mailbox: route.name, specialUse: route.specialUse,
      isSubscribed: route.source.isSubscribed, uids: opened.uids)
    switch try await sink.open(origin) {
    case .refused(let reason): throw .source("the mailbox \(route.name) cannot be made: \(reason)")
    case .target(let name, let keepsUIDs, let limit):
      entry.name = name
      entry.keepsUIDs = keepsUIDs
      messageSize = limit
    }
    var window = try await announced(source.nextWindow(), of: route)
    while let current = window {
      window = try await announced(source.nextWindow(), of: route)
      try await sendWanted(current, route, &entry)
      last = current.messages.last
    }
    let left = try await sink.leave(uidNext: opened.uidNext)
    if entry.keepsUIDs, !left.keepsUIDs, !plan.isRehearsal {
      report.remarks.append("\(entry.name): other mail came in as well, so it has UIDs of its own")
    }
    entry.keepsUIDs = left.keepsUIDs
  }

  private struct Window {
    var messages: [Message]
    var wanted: [Message]
    var known: Int
  }

  /// Offers a window and has the source prepare what is wanted of it.
  private mutating func announced(
    _ messages: [Message]?, of route: MailboxMapping.Route
  ) async throws(TransferError) -> Window? {
    guard let messages else { return nil }
    let isNews = try await sink.offer(messages.map { ImportOffer(key: $0.key, flags: $0.flags) })
    let news = zip(messages, isNews).compactMap { $1 ? $0 : nil }
    // A server need not send what is refused for what it says of it.
    let wanted = news.filter { $0.octets <= messageSize }
    for message in news where message.octets > messageSize {
      report.note("\(source.label(of: message)): \(tooLarge(messageSize))", in: route.source.name)
    }
    if !plan.isRehearsal { try await source.request(wanted, for: sink) }
    return Window(messages: messages, wanted: wanted, known: messages.count - news.count)
  }

  private mutating func sendWanted(
    _ window: Window, _ route: MailboxMapping.Route, _ entry: inout ImportReport.Mailbox
  ) async throws(TransferError) {
    let name = route.source.name
    if plan.isRehearsal {
      entry.imported += window.wanted.count
    } else {
      try await source.send(window.wanted, to: sink)
      collectProblems(of: name)
    }
    entry.known += window.known
    for message in window.messages { done += message.weight }
    progress(
      OperationProgress(
        phase: "\(plan.isRehearsal ? "counting" : "importing") \(name)", done: done, total: total,
        unit: source.progressUnit))
  }

  private mutating func collectProblems(of mailbox: String) {
    let (unsent, unstored) = sink.takeProblems()
    for reason in unsent { report.note(reason, in: mailbox) }
    for failure in unstored { report.note("\(failure.label): \(failure.reason)", in: mailbox) }
  }
}
