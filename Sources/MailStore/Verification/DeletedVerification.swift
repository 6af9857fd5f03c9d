import MessageFormat
import SQLite

/// What can be restored: that the message is there, and that it is not in the mailbox under the same UID as well.
extension StoreVerifier {
  private static let batch: Int64 = 500

  mutating func checkDeletedEntries() throws(StoreError) {
    var account: Int64 = .min
    var last = RecordedDeletionKey(time: 0, mailbox: 0, uid: 0)
    while true {
      var end: (account: Int64, key: RecordedDeletionKey)?
      try confirm { (database) throws(StoreError) in
        end = nil
        var findings: [StoreFinding] = []
        try database.each(
          """
          SELECT d.deleted_at, d.mailbox, d.uid, d.account, d.name, d.flags, m.account, a.id, e.uid, b.uid_next
          FROM deleted_entries d LEFT JOIN messages m ON m.id = d.message LEFT JOIN accounts a ON a.id = d.account
          LEFT JOIN entries e ON e.mailbox = d.mailbox AND e.uid = d.uid LEFT JOIN mailboxes b ON b.id = d.mailbox
          WHERE (d.account, d.deleted_at, d.mailbox, d.uid) > (?, ?, ?, ?)
          ORDER BY d.account, d.deleted_at, d.mailbox, d.uid LIMIT ?
          """, .integer(account), .integer(last.time), .integer(last.mailbox), .integer(Int64(last.uid)),
          .integer(Self.batch)
        ) { row in
          let key = RecordedDeletionKey(row)
          end = (row.integer(3), key)
          func find(_ text: String) {
            findings.append(
              StoreFinding(
                kind: .deletedEntry, subject: "deleted entry \(key.mailbox).\(key.uid) of account \(row.integer(3))",
                text: text))
          }
          if row.isNull(7) { find("its account is not there") }
          if row.isNull(6) {
            find("its message is not there")
          } else if row.integer(6) != row.integer(3) {
            find("its message is of another account")
          }
          if !row.isNull(8) { find("it is in its mailbox") }
          if !row.isNull(9), row.integer(2) >= row.integer(9) { find("its UID was never given") }
          if row.integer(5) & ~31 != 0 { find("its flags are not flags") }
          if MailboxName(row.text(4))?.text != row.text(4) { find("the name of its mailbox is not one") }
        }
        return findings
      }
      guard let end else { return }
      (account, last) = end
    }
  }
}
