package import MessageFormat
import SQLite

/// What a whole restore has brought back.
package struct WholeRestoreReport: Codable, Hashable, Sendable {
  package var directory: String
  /// Of the backup, before anything was changed.
  package var verification: VerificationReport
  /// Where the store that was there before is now.
  package var replaced: String?
}

/// Brings back all of a store from a backup, into a data directory that no server holds. Blocks.
///
/// UIDVALIDITY and the UIDs of all messages stay. A client may have seen more than the backup knows: messages that came
/// later, changes of flags, and expunged ones that are there again. RFC 9051 §2.3.1.1 forbids to give a UID that it has
/// seen to another message under the same UIDVALIDITY, and to renew UIDVALIDITY would make every client fetch all mail
/// anew. So all counters jump instead: UIDNEXT, mod-sequences, and the IDs of which EMAILID and MAILBOXID are made. The
/// UIDs jumped over count as expunged, and every entry as changed, so that a client that asks what has changed since
/// its last visit is told all it needs.
package struct WholeRestore: Sendable {
  private let directory: String
  private let layout: StoreLayout
  private let replaces: Bool
  private let clock: WallClock
  private let fault: (@Sendable (FileOperation) -> Int32)?

  /// More messages than a mailbox gets between two backups; of 2³² UIDs, some four thousand restores use these up.
  static let uidJump: Int64 = 1 << 20
  static let counterJump: Int64 = 1 << 32

  /// - Parameter replaces: a store that is there is moved aside; else it stands in the way.
  package init(
    from directory: String, to dataDirectory: String, replaces: Bool, clock: WallClock = .system,
    fault: (@Sendable (FileOperation) -> Int32)? = nil
  ) {
    self.directory = directory
    self.replaces = replaces
    self.clock = clock
    self.fault = fault
    layout = StoreLayout(root: dataDirectory)
  }

  /// - Throws: `locked` where a server is running; `inputOutput` with the reason where a store stands in the way;
  ///   `corrupt` where the backup is damaged; `closed` where the task is cancelled.
  package func run(progress: @escaping ProgressHandler = { _ in }) async throws(StoreError) -> WholeRestoreReport {
    let report = try await onOwnThread(progress) { (isCancelled, progress) throws(StoreError) in
      try perform(isCancelled: isCancelled, progress: progress)
    }
    // Its packs do not tell of the jump yet; they do when this returns.
    let store = try await MailStore.open(at: layout.root, options: StoreOptions(clock: clock, fault: fault))
    await store.close()
    return report
  }

  private func perform(
    isCancelled: @escaping @Sendable () -> Bool, progress: @escaping ProgressHandler
  ) throws(StoreError) -> WholeRestoreReport {
    let files = FileAccess(fault: fault)
    guard let path = FileAccess.canonicalPath(directory) else {
      throw .inputOutput("\(directory) is not an absolute path")
    }
    let saved = try SavedStore(path, files: files)
    do throws(FileError) { try files.makeDirectory(layout.root) } catch { throw error.storeError }
    let lock = try StoreLock(layout.lock, files: files)
    defer { lock.release() }
    guard replaces || !hasStore(files) || files.exists(layout.placing.root) else {
      throw .inputOutput("there is a store in \(layout.root) already; --replace moves it aside")
    }
    let verification = try saved.verify(isCancelled: isCancelled, progress: progress)
    guard !verification.hasDamage else {
      let damage = verification.findings.first { $0.severity == .damage }.map { "\($0.subject): \($0.text)" } ?? ""
      throw .corrupt(
        "the backup is damaged (\(damage)); martlet store repair on a copy of it brings back what is whole")
    }
    // Where an earlier run had all files here, it is only to be finished.
    if !files.exists(layout.placing.root) {
      try fetch(saved, files, isCancelled: isCancelled, progress: progress)
      try rename(layout.restoring.root, to: layout.placing.root, files)
      try flush(layout.root, files)
    }
    let replaced = try place(files)
    return WholeRestoreReport(directory: layout.root, verification: verification, replaced: replaced)
  }

  private func hasStore(_ files: FileAccess) -> Bool {
    files.exists(layout.database)
      || [layout.packs, layout.large].contains { !((try? files.names(in: $0)) ?? []).isEmpty }
  }

  // MARK: Bringing the files here

  private func fetch(
    _ saved: SavedStore, _ files: FileAccess, isCancelled: @escaping @Sendable () -> Bool,
    progress: @escaping ProgressHandler
  ) throws(StoreError) {
    let new = layout.restoring
    do throws(FileError) {
      for path in [new.root, new.packs, new.large] { try files.makeDirectory(path) }
      // Of a run that was interrupted, and may have had another backup.
      for path in [new.packs, new.large] {
        for name in try files.names(in: path) { files.remove("\(path)/\(name)") }
      }
    } catch {
      throw error.storeError
    }
    let state = try VerificationStart(saved.database)
    var parts: [(from: String, to: String, size: Int64)] = []
    for (number, end) in state.ends where end > 0 {
      parts.append((saved.layout.pack(number), new.pack(number), end))
    }
    try saved.database.each("SELECT id, size FROM bodies WHERE pack IS NULL") {
      parts.append((saved.layout.large($0.integer(0)), new.large($0.integer(0)), $0.integer(1)))
    }
    parts.append((saved.layout.database, new.database, files.size(of: saved.layout.database) ?? 0))
    let total = parts.reduce(0) { $0 + $1.size }
    var done: Int64 = 0
    for part in parts {
      try files.copy(part.from, to: part.to, 0..<part.size) { (count) throws(StoreError) in
        if isCancelled() { throw .closed }
        done += Int64(count)
        progress(OperationProgress(phase: "copying mail", done: done, total: total, unit: .octets))
      }
    }
    try jump(new, files)
    for path in [new.packs, new.large, new.root] { try flush(path, files) }
  }

  /// Beyond everything that a client may have seen.
  private func jump(_ new: StoreLayout, _ files: FileAccess) throws(StoreError) {
    do throws(SQLiteError) {
      let database = try files.openDatabase(new.database, .building)
      let jump = SQLValue.integer(Self.counterJump)
      try database.run(
        "UPDATE entries SET modseq = (SELECT m.modseq FROM mailboxes m WHERE m.id = entries.mailbox) + ?", [jump])
      // At its end a mailbox takes no more messages, which is better than a UID that names two.
      try database.run(
        """
        INSERT INTO vanished (mailbox, modseq, first, last)
        SELECT id, modseq + ?, uid_next, min(uid_next + ?, 4294967295) - 1 FROM mailboxes WHERE uid_next < 4294967295
        """, [jump, .integer(Self.uidJump)])
      try database.run(
        "UPDATE mailboxes SET modseq = modseq + ?, uid_next = min(uid_next + ?, 4294967295)",
        [jump, .integer(Self.uidJump)])
      try database.run("UPDATE state SET value = value + ? WHERE name = 'next_id'", [jump])
      // What was waiting then may have been sent since: a person decides.
      try database.run("UPDATE queued_recipients SET state = 1 WHERE state = 0")
      try database.run("DELETE FROM queued_destinations")
      try database.run("UPDATE state SET value = 0 WHERE name = 'packs_tell_all'")
    } catch {
      throw StoreError(error)
    }
    do throws(FileError) { try File(new.database, .writing, access: files).flush() } catch { throw error.storeError }
  }

  // MARK: Putting them in their places

  /// Can be begun again after each step: what is in `placing` is new, and what stands where it belongs is old.
  /// Returns where the old store is now.
  private func place(_ files: FileAccess) throws(StoreError) -> String? {
    let new = layout.placing
    var number = clock.now().seconds
    while files.exists("\(layout.root)/replaced-\(number)") { number += 1 }
    let aside = "\(layout.root)/replaced-\(number)"
    var isReplaced = false
    func moveAside(_ path: String) throws(StoreError) {
      guard files.exists(path) else { return }
      do throws(FileError) { try files.makeDirectory(aside) } catch { throw error.storeError }
      try rename(path, to: aside + path.dropFirst(layout.root.count), files)
      isReplaced = true
    }
    if files.exists(new.database) {
      // The log before its database: alone it means nothing, and beside another it would be played into that.
      for suffix in ["-shm", "-wal", ""] { try moveAside(layout.database + suffix) }
      // It goes by the IDs of messages, and some may be others now.
      files.removeDatabase(layout.searchIndex)
    }
    for (path, newPath) in [(layout.packs, new.packs), (layout.large, new.large)] where files.exists(newPath) {
      try moveAside(path)
      try rename(newPath, to: path, files)
    }
    try flush(layout.root, files)
    if files.exists(new.database) { try rename(new.database, to: layout.database, files) }
    try flush(layout.root, files)
    files.removeDirectory(new.root)
    try flush(layout.root, files)
    return isReplaced ? aside : nil
  }

  private func rename(_ path: String, to newPath: String, _ files: FileAccess) throws(StoreError) {
    do throws(FileError) { try files.rename(path, to: newPath) } catch { throw error.storeError }
  }

  private func flush(_ directory: String, _ files: FileAccess) throws(StoreError) {
    do throws(FileError) { try files.flushDirectory(directory) } catch { throw error.storeError }
  }
}
