import MailStore
import MessageFormat
import Testing

@Suite(.everyEngine) struct MailboxTests {
  @Test(
    arguments: [
      ("inbox", "INBOX"), ("Inbox/Sub", "INBOX/Sub"), ("a/inbox", "a/inbox"), ("inboxes", "inboxes"),
      ("e\u{301}", "é"),
      ("", nil), ("/a", nil), ("a/", nil), ("a//b", nil), ("a%", nil), ("a*b", nil), ("a\u{7}", nil),
      (String(repeating: "x", count: 1_001), nil), (String(repeating: "a/", count: 50) + "a", nil),
    ] as [(String, String?)])
  func `names are checked and normalised`(text: String, name: String?) {
    #expect(MailboxName(text)?.text == name)
  }

  @Test func `an account begins with the mailboxes clients look for`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      let mailboxes = try await fixture.store.mailboxes(of: alice)
      #expect(mailboxes.map(\.name.text) == ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"])
      #expect(mailboxes.map(\.specialUse) == [nil, .archive, .drafts, .junk, .sent, .trash])
      #expect(mailboxes.allSatisfy { $0.isSubscribed && $0.isSelectable && $0.uidValidity.rawValue > 0 })
      #expect(Set(mailboxes.map(\.uidValidity)).count == 6)
      await #expect(throws: StoreError.accountNotFound) {
        try await fixture.store.mailboxes(of: AccountID(rawValue: 12_345))
      }
    }
  }

  @Test func `create, rename, delete`() async throws {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount()
      let deep = try await store.createMailbox("a/b/c", specialUse: nil, of: alice)
      #expect(try await store.mailbox(named: "a/b", of: alice)?.isSelectable == true)
      await #expect(throws: StoreError.mailboxExists) { try await store.createMailbox("a", specialUse: nil, of: alice) }
      await #expect(throws: StoreError.mailboxExists) {
        try await store.createMailbox(.inbox, specialUse: nil, of: alice)
      }
      await #expect(throws: StoreError.mailboxExists) { try await store.renameMailbox("a", to: "Sent", of: alice) }
      await #expect(throws: StoreError.mailboxNotFound) { try await store.renameMailbox("x", to: "y", of: alice) }
      await #expect(throws: StoreError.invalidMailboxName) { try await store.renameMailbox("a", to: "a/d", of: alice) }
      try await store.renameMailbox("a", to: "z/y", of: alice)
      #expect(try await store.mailbox(named: "z/y/b/c", of: alice)?.id == deep.id)
      #expect(try await store.mailbox(named: "a", of: alice) == nil)

      // With children: the name stays, the messages go.
      let validity = try await store.mailbox(named: "z/y/b", of: alice)!.uidValidity
      try await fixture.append(mail("1"), to: "z/y/b", of: alice)
      try await store.deleteMailbox("z/y/b", of: alice)
      let name = try await store.mailbox(named: "z/y/b", of: alice)!
      #expect(!name.isSelectable && name.messageCount == 0)
      await #expect(throws: StoreError.mailboxNotSelectable) { try await store.index(of: name.id) }
      await #expect(throws: StoreError.mailboxHasChildren) { try await store.deleteMailbox("z/y/b", of: alice) }
      #expect(try await store.quotaUsage(of: alice).messages == 0)
      // Made again, it is another mailbox to clients.
      _ = try await store.createMailbox("z/y/b", specialUse: nil, of: alice)
      #expect(try await store.mailbox(named: "z/y/b", of: alice)!.uidValidity.rawValue > validity.rawValue)
      try await store.deleteMailbox("z/y/b", of: alice)
      try await store.deleteMailbox("z/y/b/c", of: alice)
      #expect(try await store.mailbox(named: "z/y/b", of: alice) == nil)
      #expect(try await store.mailbox(named: "z/y", of: alice) != nil)
      await #expect(throws: StoreError.mailboxIsInbox) { try await store.deleteMailbox(.inbox, of: alice) }
      await #expect(throws: StoreError.mailboxNotFound) { try await store.deleteMailbox("q", of: alice) }
      await #expect(throws: StoreError.mailboxNotFound) { try await store.index(of: deep.id) }
    }
  }

  @Test func `renaming INBOX moves its messages and leaves it`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      for number in 1...3 { try await fixture.append(mail("\(number)"), of: alice, flags: MessageFlags(.seen)) }
      let inbox = try await fixture.inbox(of: alice)
      try await fixture.store.renameMailbox(.inbox, to: "Old/2024", of: alice)
      let old = try await fixture.store.mailbox(named: "Old/2024", of: alice)!
      #expect((old.messageCount, old.unseenCount) == (3, 0))
      let after = try await fixture.inbox(of: alice)
      #expect((after.id, after.messageCount, after.uidNext) == (inbox.id, 0, 4))
      #expect(try await fixture.text(2, in: old.id) == mail("2"))
      #expect(try await fixture.store.quotaUsage(of: alice).messages == 3)
    }
  }

  @Test func `subscriptions are to names`() async throws {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount()
      try await store.setSubscribed(true, "not/there", of: alice)
      try await store.setSubscribed(false, "Junk", of: alice)
      #expect(
        try await store.subscriptions(of: alice).map(\.text) == [
          "INBOX", "Archive", "Drafts", "Sent", "Trash", "not/there",
        ])
      #expect(try await store.mailbox(named: "Junk", of: alice)?.isSubscribed == false)
      #expect(try await store.createMailbox("not/there", specialUse: nil, of: alice).isSubscribed)
    }
  }

  @Test func `changes come in order, before the call returns, and are bounded`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      let bob = try await fixture.addAccount("bob")
      let inbox = try await fixture.inbox(of: alice)
      let count = Counter()
      let feed = fixture.store.subscribe(to: alice) { count.increment() }
      try await fixture.append(mail("0"), of: bob)
      #expect(feed.isEmpty)
      try await fixture.append(mail("1"), of: alice)
      try await fixture.append(mail("2"), of: alice)
      _ = try await fixture.store.changeFlags(in: inbox.id, uids: [1], .add(MessageFlags(.seen)), unchangedSince: nil)
      _ = try await fixture.store.expunge(in: inbox.id, uids: [2], onlyDeleted: false)
      _ = try await fixture.store.createMailbox("new", specialUse: nil, of: alice)
      #expect(count.value == 1)
      let changes = feed.drain()
      #expect(changes.map(\.summary) == ["+1", "+2", "~1", "-2", "list"])
      #expect(feed.drain().isEmpty)
      for _ in 0..<600 {
        _ = try await fixture.store.changeFlags(
          in: inbox.id, uids: [1], .remove(MessageFlags(.seen)), unchangedSince: nil)
        _ = try await fixture.store.changeFlags(in: inbox.id, uids: [1], .add(MessageFlags(.seen)), unchangedSince: nil)
      }
      #expect(feed.drain().map(\.summary) == ["lagged"])
      #expect(count.value == 2)
      feed.cancel()
      try await fixture.append(mail("3"), of: alice)
      #expect(feed.isEmpty && count.value == 2)
    }
  }

  @Test func `an index is current, whoever asks and whenever`() async throws {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount()
      let inbox = try await fixture.inbox(of: alice)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 0..<4 {
          group.addTask {
            for number in 0..<25 {
              let uid = try await fixture.append(mail("\(writer).\(number)"), of: alice)
              if number % 5 == 0 { _ = try await store.expunge(in: inbox.id, uids: [uid], onlyDeleted: false) }
              if number % 3 == 0 {
                _ = try await store.changeFlags(
                  in: inbox.id, uids: [uid], .add(MessageFlags(.seen)), unchangedSince: nil)
              }
              let index = try await store.index(of: inbox.id)
              #expect(index.uids.contains(uid) == (number % 5 != 0))
              #expect(index.uids.count == index.flags.count && index.uids.count == index.mailbox.messageCount)
            }
          }
        }
        try await group.waitForAll()
      }
      let warm = try await store.index(of: inbox.id)
      await store.close()
      let reopened = try await StoreFixture.make(path: fixture.path)
      let cold = try await reopened.store.index(of: inbox.id)
      #expect(warm.uids == cold.uids && warm.flags == cold.flags && warm.modSequences == cold.modSequences)
      #expect(warm.mailbox == cold.mailbox)
      await reopened.store.close()
    }
  }
}

extension Change {
  fileprivate var summary: String {
    switch self {
    case .appended(_, let states): "+" + states.map { "\($0.uid.rawValue)" }.joined(separator: ",")
    case .flagged(_, let states): "~" + states.map { "\($0.uid.rawValue)" }.joined(separator: ",")
    case .expunged(_, let uids, _): "-" + uids.map { "\($0.rawValue)" }.joined(separator: ",")
    case .mailboxList: "list"
    case .mailboxDeleted: "deleted"
    case .lagged: "lagged"
    }
  }
}
