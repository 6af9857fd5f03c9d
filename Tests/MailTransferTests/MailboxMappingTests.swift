import MailStore
import Testing

@testable import MailTransfer

struct MailboxMappingTests {
  private func mailbox(_ name: String, _ use: SpecialUse? = nil, isView: Bool = false) -> SourceMailbox {
    SourceMailbox(path: name.split(separator: "|").map { String($0) }, specialUse: use, isView: isView, handle: 0)
  }

  /// Levels with a bar between them; where each goes, and for what.
  @Test(
    arguments: [
      ("INBOX", "INBOX"), ("Inbox", "INBOX"), ("Sent", "Sent \\Sent"), ("sent items", "Sent \\Sent"),
      ("Sent Messages", "Sent \\Sent"), ("Deleted Items", "Trash \\Trash"), ("Spam", "Junk \\Junk"),
      ("Spam|2020", "Spam/2020"), ("Work|Sent", "Work/Sent"),
      ("a/b|c", "a_b/c"), ("50%", "50_"), ("tab\tname", "tab_name"), ("|", "Unnamed"),
      ("e\u{301}t\u{e9}", "\u{e9}t\u{e9}"),
    ])
  func `names are those that mean the same here`(name: String, route: String) throws {
    let mapping = try MailboxMapping([mailbox(name)], only: [], into: nil)
    let found = try #require(mapping.routes.first)
    #expect("\(found.name)\(found.specialUse.map { " \($0.rawValue)" } ?? "")" == route)
  }

  @Test func `each use is taken once: what the server says comes first, then our name, then others'`() throws {
    let mapping = try MailboxMapping(
      [
        mailbox("Sent Items"), mailbox("Sent"), mailbox("Gesendet", .sent), mailbox("Junk"), mailbox("Spam"),
        mailbox("[Gmail]|Trash", .trash), mailbox("Gesendet|2020"),
      ], only: [], into: nil)
    #expect(
      mapping.routes.map { "\($0.name) \($0.specialUse?.rawValue ?? "-")" } == [
        "Sent Items -", "Sent (2) -", "Sent \\Sent", "Junk \\Junk", "Spam -", "Trash \\Trash", "Sent/2020 -",
      ])
  }

  @Test func `no two mailboxes become one, and what is called otherwise is said`() throws {
    let mapping = try MailboxMapping(
      [mailbox("a/b"), mailbox("a_b"), mailbox("a*b"), mailbox(String(repeating: "x", count: 2_000))], only: [],
      into: nil)
    #expect(mapping.routes.prefix(3).map(\.name.text) == ["a_b", "a_b (2)", "a_b (3)"])
    #expect(mapping.routes[3].name.text.utf8.count == 900)
    #expect(mapping.remarks.count == 4)
  }

  @Test func `views on other mailboxes are left out unless they are named`() throws {
    let mailboxes = [mailbox("INBOX"), mailbox("All", .all, isView: true)]
    let mapping = try MailboxMapping(mailboxes, only: [], into: nil)
    #expect(mapping.routes.count == 1 && mapping.remarks.count == 1)
    #expect(try MailboxMapping(mailboxes, only: ["All"], into: nil).routes.map(\.name.text) == ["All"])
  }

  @Test(
    arguments: [
      ([], "Old", ["Old", "Old/Sent", "Old/Work/a"]), (["Work/a"], "Old", ["Old"]), (["inbox"], "Old/In", ["Old/In"]),
      (["Sent", "Work/a"], "Old", ["Old/Sent", "Old/Work/a"]), (["Sent"], nil, ["Sent"]),
    ] as [([String], String?, [String])])
  func `a choice, and another place`(only: [String], into: String?, names: [String]) throws {
    let mailboxes = [mailbox("INBOX"), mailbox("Sent"), mailbox("Work|a")]
    let mapping = try MailboxMapping(mailboxes, only: only, into: into.flatMap { MailboxName($0) })
    #expect(mapping.routes.map(\.name.text) == names)
  }

  @Test func `a name that the source does not have is refused, with those it has`() throws {
    let error = #expect(throws: TransferError.self) {
      _ = try MailboxMapping([mailbox("INBOX"), mailbox("Sent")], only: ["Snt"], into: nil)
    }
    #expect(error?.description == "the source has no mailbox Snt; it has INBOX, Sent")
  }
}
