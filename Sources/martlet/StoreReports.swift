import MailServer
import MailStore

// What the store says of itself, as a person reads it.

func lines(of report: VerificationReport) -> [String] {
  var lines: [String] = []
  // What can be done about it stands once, after all of its kind.
  for kind in StoreFinding.Kind.allCases {
    let findings = report.findings.filter { $0.kind == kind }
    guard !findings.isEmpty else { continue }
    lines += findings.map { "\(kind.severity.rawValue): \($0.subject): \($0.text)" }
    let more = (report.counts[kind.rawValue] ?? 0) - findings.count
    if more > 0 { lines.append("\(kind.severity.rawValue): and \(more) more of this kind") }
    lines.append("  \(kind.advice)")
  }
  if report.accounts > 0 || report.packs > 0 {
    let seen = [
      counted(report.accounts, "account"), counted(report.mailboxes, "mailbox", "mailboxes"),
      counted(report.messages, "message"), counted(report.bodies, "body", "bodies"), counted(report.packs, "pack"),
    ].joined(separator: ", ")
    let time = (report.seconds * 10).rounded() / 10
    lines.append("\(seen); \(roundedSize(report.octets)) read in \(time) s")
  }
  let count = report.counts.values.reduce(0, +)
  lines.append(count == 0 ? "nothing is wrong" : counted(Int64(count), "finding"))
  return lines
}

private func counted(_ count: Int64, _ one: String, _ many: String? = nil) -> String {
  "\(count) \(count == 1 ? one : many ?? one + "s")"
}

func lines(of report: RepairReport) -> [String] {
  switch report.outcome {
  case .notNeeded:
    ["store.db says what the packs say: \(inhabitants(of: report.plan)); there is nothing to repair"]
  case .notConfirmed: ["nothing was changed (--yes does it without asking)"]
  case .done:
    ["store.db is rebuilt: \(inhabitants(of: report.plan))"]
      + (report.plan.keptAs.map { ["the old one is kept as \($0)"] } ?? []) + lossLines(of: report.plan)
  }
}

/// What a repair has found and will do.
func lines(of plan: RepairPlan) -> [String] {
  var lines: [String] = []
  lines.append(plan.databaseProblem ?? "store.db is whole")
  let source =
    switch plan.source {
    case .packs:
      "the packs tell all that happened: \(counted(Int64(plan.packs), "pack")), \(roundedSize(plan.packOctets))"
    case .database: "the packs do not tell all that happened; store.db tells the rest"
    case .remains: "the packs do not tell all that happened, and nothing tells the rest"
    }
  lines.append(source)
  lines += plan.damages
  lines.append("")
  lines.append("a new store.db will have \(inhabitants(of: plan))")
  if let differences = plan.differences { lines += differenceLines(differences) }
  lines += plan.notes
  lines += lossLines(of: plan)
  if let keptAs = plan.keptAs { lines.append("the old store.db will be kept as \(keptAs)") }
  return lines
}

private func inhabitants(of plan: RepairPlan) -> String {
  [
    counted(Int64(plan.accounts), "account"), counted(plan.mailboxes, "mailbox", "mailboxes"),
    counted(plan.messages, "message"),
  ].joined(separator: ", ")
}

private func lossLines(of plan: RepairPlan) -> [String] {
  var lines: [String] = []
  if plan.lostCount > 0 {
    lines.append("\(counted(plan.lostCount, "message")) lost, and gone from the mailbox afterwards:")
    lines += plan.lost.map { "  \($0.account) \($0.mailbox) UID \($0.uid): \($0.reason)" }
    let more = plan.lostCount - Int64(plan.lost.count)
    if more > 0 { lines.append("  and \(more) more") }
  }
  if plan.lostDeletedCount > 0 {
    lines.append("\(counted(plan.lostDeletedCount, "deleted message")) can no longer be restored")
  }
  return lines
}

private func differenceLines(_ differences: RepairPlan.Differences) -> [String] {
  var lines: [String] = []
  func list(_ names: [String], _ text: String) {
    guard !names.isEmpty else { return }
    let shown = names.prefix(20).joined(separator: ", ")
    lines.append("\(text): \(shown)\(names.count > 20 ? " and \(names.count - 20) more" : "")")
  }
  func count(_ number: Int64, _ text: String) { if number > 0 { lines.append("\(number) \(text)") } }
  list(differences.accountsMissing, "accounts that store.db lacks")
  list(differences.accountsNotFound, "accounts that only store.db has")
  list(differences.settingsChanged, "settings that store.db has otherwise")
  list(differences.mailboxesMissing, "mailboxes that store.db lacks")
  list(differences.mailboxesNotFound, "mailboxes that only store.db has")
  list(differences.mailboxesChanged, "mailboxes of which store.db says other things")
  count(differences.messagesMissing, "messages that store.db lacks")
  count(differences.messagesNotFound, "messages that only store.db has")
  count(differences.messagesChanged, "messages whose flags store.db has otherwise")
  count(differences.deletedChanged, "deleted messages of which store.db does not know how to restore them")
  count(differences.queueChanged, "recipients of queued messages of which store.db says other things")
  count(differences.importsChanged, "imported messages of which store.db does not know where they came from")
  return lines
}

func lines(of report: CompactionReport) -> [String] {
  var lines = report.unfit.map { "pack \($0.pack) stays as it is: \($0.reason)" }
  guard report.packs > 0 else { return lines + ["there is nothing to compact"] }
  let time = (report.seconds * 10).rounded() / 10
  lines.append(
    "\(counted(report.packs, "pack")) compacted from \(roundedSize(report.octetsBefore)) to "
      + "\(roundedSize(report.octetsAfter)) in \(time) s: \(roundedSize(report.savedOctets)) saved")
  if report.heldOctets > 0 {
    lines.append("\(roundedSize(report.heldOctets)) of old packs go when the backup is done that is being made")
  }
  return lines
}

func lines(of report: BackupReport) -> [String] {
  let inhabitants = [
    counted(report.accounts, "account"), counted(report.mailboxes, "mailbox", "mailboxes"),
    counted(report.messages, "message"),
  ].joined(separator: ", ")
  let time = (report.seconds * 10).rounded() / 10
  var lines = report.verification.map(lines(of:)) ?? []
  lines += report.damages.map { "damage: \($0)" }
  if !report.damages.isEmpty { lines.append("  the store itself is damaged: see martlet store verify") }
  lines.append("\(report.directory) has \(inhabitants)")
  let copied = "\(roundedSize(report.copiedOctets)) of \(roundedSize(report.octets)) of mail"
  lines.append(
    "\(copied) and store.db (\(roundedSize(report.databaseOctets))) copied in \(time) s"
  )
  return lines
}

func lines(of report: WholeRestoreReport) -> [String] {
  lines(of: report.verification) + ["the store in \(report.directory) is as the backup has it"]
    + (report.replaced.map { ["the one that was there is in \($0)"] } ?? [])
}

func lines(of report: RestoreReport) -> [String] {
  var lines: [String] = []
  if report.isNewDomain { lines.append("its domain was missing, and \(report.isDryRun ? "would be" : "was") added") }
  if report.isNewAccount {
    lines.append(
      "the account was missing, and \(report.isDryRun ? "would be" : "was") made with its passwords and quota"
    )
  }
  for part in report.mailboxes {
    let place = part.destination == part.name ? part.name : "\(part.name) to \(part.destination)"
    var line = "\(place)\(part.isNew ? " (new)" : ""): \(part.restored) restored, \(part.present) there already"
    if part.damaged > 0 { line += ", \(part.damaged) damaged in the backup" }
    lines.append(line)
  }
  let count = counted(report.restored, "message")
  lines.append(report.isDryRun ? "\(count) would be restored" : "\(count) restored")
  return lines
}

func lines(of index: SearchIndexSummary) -> [String] {
  let messages = "\(index.indexedMessages) messages, \(roundedSize(index.size))"
  var lines: [String] =
    switch index.condition {
    case .current: ["the search index is current: \(messages)"]
    case .behind: ["the search index has \(messages); \(index.waitingMessages) messages are waiting for it"]
    case .unavailable:
      [
        "the search index can't be kept up: \(index.reason ?? "unknown")",
        "it has \(messages); \(index.waitingMessages) messages are not in it and are read in every search",
      ]
    }
  if index.unlistedMessages > 0 {
    lines.append("\(index.unlistedMessages) of them have too much text for it and are read in every search")
  }
  return lines
}

func lines(of report: StoreStatisticsReport) -> [String] {
  roomLines(of: report.store) + lines(of: report.searchIndex) + activityLines(of: report.metrics)
}

private func roomLines(of store: StoreStatistics) -> [String] {
  [
    [
      counted(store.accounts, "account"), counted(store.mailboxes, "mailbox", "mailboxes"),
      "\(counted(store.messages, "message")) of \(roundedSize(store.messageOctets))",
      "\(store.deletedMessages) deleted can be restored",
    ].joined(separator: ", "),
    [
      "on disk: store.db \(roundedSize(store.databaseOctets)) and its log \(roundedSize(store.logOctets))",
      "\(counted(store.packs.count, "pack")) of \(roundedSize(store.packs.octets))"
        + " with \(roundedSize(store.deadPackOctets)) no longer needed",
      "\(counted(store.largeBodies.count, "large body", "large bodies")) of \(roundedSize(store.largeBodies.octets))",
      "search index \(roundedSize(store.searchIndexOctets))",
    ].joined(separator: ", "),
  ]
}

private func activityLines(of metrics: [MetricSummary]?) -> [String] {
  guard let metrics else { return ["no server is running: nothing is measured"] }
  var lines = ["since the server started:"]
  let width = metrics.map(\.name.count).max() ?? 0
  for metric in metrics {
    let name = metric.name + String(repeating: " ", count: width - metric.name.count)
    lines.append("  \(name)  \(shown(metric))")
  }
  return lines
}

private func shown(_ metric: MetricSummary) -> String {
  let isTime = metric.name.hasSuffix("_seconds")
  func text(_ value: Double) -> String {
    if isTime { return "\((value * 100_000).rounded() / 100) ms" }
    return value == value.rounded() ? "\(Int64(value))" : "\(value)"
  }
  return switch metric.value {
  case .count(let count): metric.name.contains("_bytes") ? roundedSize(count) : "\(count)"
  case .level(let level): metric.name.contains("_bytes") ? roundedSize(Int64(level)) : text(level)
  case .distribution(let count, _, let median, let ninetyNinth, let largest):
    "\(count) times, median \(text(median)), 99 % within \(text(ninetyNinth)), most \(text(largest))"
  }
}
