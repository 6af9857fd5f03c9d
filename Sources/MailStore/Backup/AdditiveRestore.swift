import Bytes
package import MessageFormat
import SQLite

/// What of a backup comes back into a store that is in use.
package struct RestoreSelection: Sendable {
  package var account: EmailAddress
  /// Nil for all mailboxes of the account.
  package var mailbox: MailboxName?
  /// Nil for all messages.
  package var uid: UID?
  /// Where to instead of the mailbox they were in. For all mailboxes of an account: the name that they go below.
  package var destination: MailboxName?
  /// Only says what would be done.
  package var isDryRun: Bool
  package init(
    account: EmailAddress, mailbox: MailboxName? = nil, uid: UID? = nil, destination: MailboxName? = nil,
    isDryRun: Bool = false
  ) {
    self.account = account
    self.mailbox = mailbox
    self.uid = uid
    self.destination = destination
    self.isDryRun = isDryRun
  }
}

package struct RestoreReport: Codable, Hashable, Sendable {
  package struct MailboxPart: Codable, Hashable, Sendable {
    package var name: String
    package var destination: String
    /// Appended, or to be appended in a dry run.
    package var restored: Int64 = 0
    /// Left out, because they are there.
    package var present: Int64 = 0
    /// Left out, because the backup has them damaged.
    package var damaged: Int64 = 0
    package var isNew = false
  }

  package var account: String
  package var isDryRun: Bool
  package var isNewDomain = false
  /// Made with the passwords, app passwords and quota of the backup.
  package var isNewAccount = false
  package var mailboxes: [MailboxPart] = []
  package var restored: Int64 { mailboxes.reduce(0) { $0 + $1.restored } }
  package var damaged: Int64 { mailboxes.reduce(0) { $0 + $1.damaged } }
}

extension MailStore {
  /// Appends what is missing of an account, a mailbox or a message, from the backup in `directory`, an absolute path.
  ///
  /// A message is there where one with the same octets and the same internal date is in the mailbox that it would go to.
  /// What is appended has new UIDs, and its flags, keywords and internal date of the backup. Each commit takes a few
  /// hundred messages at most, so one that fails leaves those before it, and another run goes on from there.
  /// - Throws: `accountNotFound`, `mailboxNotFound` and `messageNotFound` where the backup has none; `overQuota`.
  package func restore(
    _ selection: RestoreSelection, from directory: String, progress: @escaping ProgressHandler = { _ in }
  ) async throws(StoreError) -> RestoreReport {
    // What makes file operations fail in tests is the store's own affair.
    let files = FileAccess()
    let pool = WorkerPool<SavedReader>(threads: 1) { SavedReader(directory, files) }
    let restore = AdditiveRestore(store: self, saved: pool, selection: selection, progress: progress)
    do throws(StoreError) {
      let report = try await restore.run()
      await pool.stop()
      return report
    } catch {
      await pool.stop()
      throw error
    }
  }
}

/// A backup on the thread that reads it, or why there is none.
private final class SavedReader {
  let saved: Result<SavedStore, StoreError>

  init(_ directory: String, _ files: FileAccess) {
    do throws(StoreError) {
      guard let path = FileAccess.canonicalPath(directory) else {
        throw .inputOutput("\(directory) is not an absolute path")
      }
      let saved = try SavedStore(path, files: files)
      try saved.expectCurrentSchema()
      self.saved = .success(saved)
    } catch {
      saved = .failure(error)
    }
  }
}

/// A message of the backup, as far as it takes to know whether it is there already.
private struct SavedMessage: Sendable {
  var uid: UID
  var key: ContentKey
}

private struct AdditiveRestore {
  let store: MailStore
  let saved: WorkerPool<SavedReader>
  let selection: RestoreSelection
  let progress: ProgressHandler

  /// Of one commit.
  private static let batchMessages = 200
  private static let batchOctets = 8 << 20
  private static let pieceSize = 256 << 10

  private func reading<Value: Sendable>(
    _ query: @escaping @Sendable (SavedStore) throws(StoreError) -> Value
  ) async throws(StoreError) -> Value {
    if Task.isCancelled { throw .closed }
    let result: Result<Value, StoreError> = await saved.run { reader in
      guard let reader else { return .failure(.closed) }
      do throws(StoreError) { return .success(try query(try reader.saved.get())) } catch { return .failure(error) }
    }
    return try result.get()
  }

  func run() async throws(StoreError) -> RestoreReport {
    let login = selection.account.description
    let account = try await reading { (saved) throws(StoreError) in
      guard let account = try Directory(reading: saved.database).account(login: login) else { throw .accountNotFound }
      return account
    }
    let mailboxes = try await reading { (saved) throws(StoreError) in try saved.database.mailboxes(of: account.id) }
    let chosen = mailboxes.filter { $0.isSelectable && (selection.mailbox == nil || $0.name == selection.mailbox) }
    guard selection.mailbox == nil || !chosen.isEmpty else { throw .mailboxNotFound }
    var report = RestoreReport(account: account.address.description, isDryRun: selection.isDryRun)
    let target = try await target(account, &report)
    let total = selection.uid == nil ? chosen.reduce(0) { $0 + Int64($1.messageCount) } : 1
    for mailbox in chosen {
      let part = try await restore(
        mailbox, to: target, before: Int64(report.mailboxes.reduce(0) { $0 + $1.seen }), of: total)
      report.mailboxes.append(part)
    }
    return report
  }

  /// The account to restore into; nil where it would have to be made, and nothing is.
  private func target(_ account: Account, _ report: inout RestoreReport) async throws(StoreError) -> AccountID? {
    if let known = store.directory.account(login: account.address.description) { return known.id }
    report.isNewAccount = true
    report.isNewDomain = !store.directory.isLocal(account.address.domain)
    if selection.isDryRun { return nil }
    if report.isNewDomain { try await store.addDomain(account.address.domain) }
    let id = try await store.addAccount(account.address, secrets: account.secrets, quota: account.quota)
    if !account.appPasswords.isEmpty { try await store.setAppPasswords(account.appPasswords, of: id) }
    return id
  }

  private func destination(of mailbox: Mailbox) throws(StoreError) -> MailboxName {
    guard let destination = selection.destination else { return mailbox.name }
    guard selection.mailbox == nil else { return destination }
    guard let name = MailboxName("\(destination)/\(mailbox.name)") else { throw .invalidMailboxName }
    return name
  }

  private func restore(
    _ mailbox: Mailbox, to account: AccountID?, before: Int64, of total: Int64
  ) async throws(StoreError) -> RestoreReport.MailboxPart {
    let name = try destination(of: mailbox)
    var part = RestoreReport.MailboxPart(name: mailbox.name.text, destination: name.text)
    let messages = try await self.messages(of: mailbox)
    let existing: Mailbox? = if let account { try await store.mailbox(named: name, of: account) } else { nil }
    var there: [ContentKey: Int] = [:]
    if let existing, existing.isSelectable { there = try await store.contents(of: existing.id) }
    var missing: [UID] = []
    for message in messages {
      if let count = there[message.key], count > 0 {
        there[message.key] = count - 1
        part.present += 1
      } else {
        missing.append(message.uid)
      }
    }
    part.isNew = existing?.isSelectable != true
    guard let account, !selection.isDryRun else {
      part.restored = Int64(missing.count)
      return part
    }
    if part.isNew { try await make(name, as: mailbox, of: account) }
    while !missing.isEmpty {
      let (batch, taken, damaged) = try await nextBatch(missing, of: mailbox)
      missing.removeFirst(taken)
      if !batch.isEmpty { _ = try await store.append(batch, to: name, of: account) }
      part.restored += Int64(batch.count)
      part.damaged += Int64(damaged)
      progress(
        OperationProgress(phase: "restoring \(name)", done: before + part.seen, total: total, unit: .messages))
    }
    return part
  }

  private func messages(of mailbox: Mailbox) async throws(StoreError) -> [SavedMessage] {
    let only = selection.uid
    let messages = try await reading { (saved) throws(StoreError) in
      var messages: [SavedMessage] = []
      try saved.database.each(
        """
        SELECT b.checksum, b.size, m.internal_date, m.prefix, e.uid FROM entries e JOIN messages m ON m.id = e.message
        JOIN bodies b ON b.id = m.body WHERE e.mailbox = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid
        """, .integer(mailbox.id.rawValue), .integer(Int64(only?.rawValue ?? 1)),
        .integer(Int64(only?.rawValue ?? .max))
      ) { row in
        messages.append(
          SavedMessage(uid: UID(rawValue: UInt32(truncatingIfNeeded: row.integer(4))), key: ContentKey(row)))
      }
      return messages
    }
    guard only == nil || !messages.isEmpty else { throw .messageNotFound }
    return messages
  }

  private func make(_ name: MailboxName, as mailbox: Mailbox, of account: AccountID) async throws(StoreError) {
    let taken = try await store.mailboxes(of: account).compactMap(\.specialUse)
    // A second mailbox for the same use would confuse clients.
    let use = mailbox.specialUse.flatMap { name == mailbox.name && !taken.contains($0) ? $0 : nil }
    do throws(StoreError) {
      _ = try await store.createMailbox(name, specialUse: use, of: account)
    } catch .mailboxExists {
      // A client was faster.
    }
    if mailbox.isSubscribed { try await store.setSubscribed(true, name, of: account) }
  }

  /// The first of `uids` as messages to append, how many of the UIDs that took, and how many of them are damaged.
  private func nextBatch(
    _ uids: [UID], of mailbox: Mailbox
  ) async throws(StoreError) -> (messages: [NewMessage], taken: Int, damaged: Int) {
    let wanted = Array(uids.prefix(Self.batchMessages))
    let entries = try await reading { (saved) throws(StoreError) in
      try saved.database.entries(in: mailbox.id, uids: wanted)
    }
    var batch: [NewMessage] = []
    var octets = 0
    var taken = 0
    var damaged = 0
    for entry in entries where octets < Self.batchOctets || taken == 0 {
      taken += 1
      octets += entry.size
      if let body = try await body(of: entry) {
        batch.append(
          NewMessage(
            body: body, flags: entry.flags, internalDate: entry.internalDate, prefix: entry.content.prefix))
      } else {
        damaged += 1
      }
    }
    // An entry that its message is missing of cannot come from a sound backup, and must not hold up the rest.
    return (batch, entries.isEmpty ? wanted.count : taken, damaged)
  }

  /// Nil where the backup has it damaged.
  private func body(of entry: MessageEntry) async throws(StoreError) -> StagedBody? {
    let content = entry.content
    let stage = store.stageBody(expectedSize: content.bodySize)
    var position = content.prefix.count
    while position < content.size {
      let range = position..<min(position + Self.pieceSize, content.size)
      let piece: [UInt8]
      do throws(StoreError) {
        piece = try await reading { (saved) throws(StoreError) in try saved.read(content, range: range) }
      } catch .corrupt {
        return nil
      }
      try await stage.append(piece)
      position = range.upperBound
    }
    let body = try await stage.finish()
    let checksum = try await reading { (saved) throws(StoreError) in
      try saved.database.one("SELECT checksum FROM bodies WHERE id = ?", .integer(content.bodyID)) { $0.integer(0) }
    }
    return Int64(body.checksum) == checksum ? body : nil
  }
}

extension RestoreReport.MailboxPart {
  fileprivate var seen: Int64 { restored + present + damaged }
}
