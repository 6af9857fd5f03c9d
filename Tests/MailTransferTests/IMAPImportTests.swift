import MailStore
import Networking
import Synchronization
import Testing

@testable import MailTransfer

/// From another server, of whatever kind.
struct IMAPImportTests {
  private func source(_ server: FakeIMAPServer, pauses: Pauses = Pauses()) throws -> IMAPSource {
    let location = try IMAPLocation("imap://a%40b@127.0.0.1:\(server.port)")
    let access = IMAPAccess(location: location, password: "s\"ec\\ret", trust: .anyone, allowsPlaintext: true)
    return IMAPSource(access) { pauses.note($0) }
  }

  /// Counts how often somebody would have waited.
  final class Pauses: Sendable {
    private let durations = Mutex<[Duration]>([])
    func note(_ duration: Duration) { durations.withLock { $0.append(duration) } }
    var all: [Duration] { durations.withLock { $0 } }
  }

  private func messages(_ uids: some Sequence<UInt32>) -> [FakeIMAPServer.Message] {
    uids.map { .init(uid: $0, flags: "\\Seen $Work", body: "A: \($0)\r\n\r\nx\r\n") }
  }

  @Test func `mailboxes, flags, dates and UIDs; nothing twice; flags that changed there`() async throws {
    var state = FakeIMAPServer.State()
    state.namespace = "((\"INBOX.\" \".\")) ((\"user.\" \".\")) NIL"
    state.list = [
      "(\\HasChildren) \".\" INBOX", "(\\Sent) \".\" \"INBOX.Sent Items\"", "(\\Noselect) \".\" INBOX.Old",
      "() \".\" INBOX.Old.Entw&APw-rfe", "() \".\" user.bob", "(\\All) \".\" INBOX.All", "() \".\" {9}\r\nINBOX.a\"b",
    ]
    state.subscribed = ["() \".\" INBOX", "() \".\" \"INBOX.Sent Items\""]
    state.mailboxes = [
      "INBOX": messages([3, 4, 4_000_000_000]), "INBOX.Sent Items": messages([1]), "INBOX.Old.Entw&APw-rfe": [],
      "INBOX.All": messages([1]),
    ]
    state.uidValidity = ["INBOX.Sent Items": 43, "INBOX.Old.Entw&APw-rfe": 44]
    try await FakeIMAPServer.with(state) { server in
      try await TransferFixture.with { fixture in
        let report = try await fixture.importMail(try source(server))
        #expect(report.imported == 4 && report.remarks.count == 1)
        #expect(report.failed == 1 && report.problems[0].reason.contains("no such mailbox"))
        #expect(
          try await fixture.contents(of: ["INBOX", "Sent", "Old/Entwürfe"]) == [
            "INBOX 42 4000000001 true", "3 1 $Work 837596665 A: 3||x|", "4 1 $Work 837596665 A: 4||x|",
            "4000000000 1 $Work 837596665 A: 4000000000||x|", "Old/Entwürfe 44 1 false", "Sent 43 2 true",
            "1 1 $Work 837596665 A: 1||x|",
          ])
        server.change {
          $0.mailboxes["INBOX"]?[0].flags = "\\Flagged"
          $0.mailboxes["INBOX"]?.append(
            .init(uid: 4_000_000_005, date: "NIL", body: "Date: 1 Jan 2001 00:00 +0000\r\n\r\n"))
        }
        let again = try await fixture.importMail(try source(server))
        #expect(again.imported == 1 && again.known == 4)
        let inbox = try await fixture.contents(of: ["INBOX"])
        #expect(inbox[1] == "3 4  837596665 A: 3||x|")
        #expect(inbox[4] == "4000000005 0  978307200 Date: 1 Jan 2001 00:00 +0000||")
      }
      #expect(server.logins == Array(repeating: "AUTHENTICATE PLAIN AGFAYgBzImVjXHJldA==", count: 2))
    }
  }

  @Test func `a message that is too large is named and not fetched`() async throws {
    var state = FakeIMAPServer.State()
    state.mailboxes["INBOX"] = messages(1...3)
    state.mailboxes["INBOX"]?[1].body += String(repeating: "x", count: 100)
    try await FakeIMAPServer.with(state) { server in
      try await TransferFixture.with(messageSize: 100) { fixture in
        let counted = try await fixture.importMail(try source(server), rehearses: true)
        #expect(counted.imported == 2 && counted.failed == 1)
        let report = try await fixture.importMail(try source(server))
        #expect(report.imported == 2 && report.failed == 1)
        #expect(report.problems[0].reason == "UID 2: it is larger than limits.message_size, 100 octets")
        #expect(server.commands.filter { $0.contains("BODY.PEEK") } == ["UID FETCH 1,3 (UID BODY.PEEK[])"])
      }
    }
  }

  /// The ways in which servers write a body.
  @Test(
    arguments: [
      { "BODY[] {\($0.utf8.count)}\r\n\($0) UID \($1)" }, { "UID \($1) RFC822 {\($0.utf8.count)}\r\n\($0) FLAGS ()" },
      { "UID \($1) BODY[] ~{\($0.utf8.count)}\r\n\($0)" },
      { "UID \($1) BODY[] \"A: \($1)\" FLAGS (\\Seen)" },
    ] as [@Sendable (String, UInt32) -> String])
  func `bodies come in many forms`(_ form: @escaping @Sendable (String, UInt32) -> String) async throws {
    var state = FakeIMAPServer.State()
    state.mailboxes["INBOX"] = messages(1...3)
    state.form = form
    try await FakeIMAPServer.with(state) { server in
      try await TransferFixture.with { fixture in
        let report = try await fixture.importMail(try source(server))
        #expect(report.imported == 3 && report.failed == 0)
        let found = try await fixture.contents(of: ["INBOX"]).dropFirst()
        #expect(found.map { String($0.split(separator: "A: ")[1].prefix(1)) } == ["1", "2", "3"])
      }
    }
  }

  @Test func `a connection that breaks is made again, and nothing is lost or doubled`() async throws {
    var state = FakeIMAPServer.State()
    state.mailboxes["INBOX"] = messages(1...1_234)
    state.breaksAt = [1, 77, 600, 1_234]
    let pauses = Pauses()
    try await FakeIMAPServer.with(state) { server in
      try await TransferFixture.with { fixture in
        let report = try await fixture.importMail(try source(server, pauses: pauses))
        #expect(report.imported == 1_234 && report.failed == 0 && report.mailboxes[0].keepsUIDs)
        let index = try await fixture.store.index(of: try #require(try await fixture.mailbox("INBOX")).id)
        #expect(index.uids.map(\.rawValue) == Array(1...1_234))
      }
      #expect(pauses.all.count == 4 && server.logins.count == 5)
      // Twice at most: nothing that is here is fetched again but what was under way.
      #expect(server.commands.filter { $0.contains("BODY.PEEK") }.count < 60)
    }
  }

  @Test func `UIDs are kept by a server that answers commands out of turn`() async throws {
    var state = FakeIMAPServer.State()
    state.mailboxes["INBOX"] = messages(1...2_600)
    try await FakeIMAPServer.with(state) { server in
      try await TransferFixture.with { fixture in
        let report = try await fixture.importMail(try source(server))
        #expect(report.imported == 2_600 && report.mailboxes[0].keepsUIDs)
        let index = try await fixture.store.index(of: try #require(try await fixture.mailbox("INBOX")).id)
        #expect(index.uids.map(\.rawValue) == Array(1...2_600))
      }
    }
  }

  @Test func `a server that stays away is given up in words, and the next run goes on`() async throws {
    var state = FakeIMAPServer.State()
    state.mailboxes["INBOX"] = messages(1...10)
    state.capabilities = "IMAP4rev1 LOGINDISABLED"
    try await FakeIMAPServer.with(state) { server in
      try await TransferFixture.with { fixture in
        let refused = await #expect(throws: TransferError.self) { try await fixture.importMail(try source(server)) }
        #expect(refused?.description == "127.0.0.1 takes no password on this connection")
        server.change { $0.capabilities = "IMAP4rev1" }
        let report = try await fixture.importMail(try source(server))
        #expect(report.imported == 10)
        #expect(server.logins.last == "LOGIN \"a@b\" \"s\\\"ec\\\\ret\"")
      }
    }
    let location = try IMAPLocation("imap://a@127.0.0.1:1")
    let nowhere = IMAPSource(
      IMAPAccess(location: location, password: "x", trust: .anyone, allowsPlaintext: true)) { _ in }
    try await TransferFixture.with { fixture in
      let error = await #expect(throws: TransferError.self) { try await fixture.importMail(nowhere) }
      #expect(error?.description == "127.0.0.1 port 1 cannot be reached: Connection refused")
    }
  }

  @Test func `without TLS nobody logs in unless that was asked for`() async throws {
    try await FakeIMAPServer.with { server in
      let location = try IMAPLocation("imap://a@127.0.0.1:\(server.port)")
      let strict = IMAPSource(IMAPAccess(location: location, password: "x", trust: .system, allowsPlaintext: false))
      let error = await #expect(throws: TransferError.self) { try await strict.list() }
      #expect(error?.description.contains("offers no STARTTLS") == true)
      #expect(server.logins.isEmpty)
    }
  }

  @Test func `messages that the server cannot give are listed, and cost no others`() async throws {
    var state = FakeIMAPServer.State()
    state.mailboxes["INBOX"] = messages(1...120)
    state.refuses = [10]
    state.swallows = [20]
    try await FakeIMAPServer.with(state) { server in
      try await TransferFixture.with { fixture in
        let report = try await fixture.importMail(try source(server))
        #expect(report.imported == 118 && report.failed == 2)
        #expect(report.problems.map(\.reason) == [
          "UID 10: the server refuses: cannot read that", "UID 20: the server has no octets for it",
        ])
        server.change {
          $0.refuses = []
          $0.swallows = []
        }
        // Its place among the UIDs is taken, so they are the mailbox's own from here on.
        let again = try await fixture.importMail(try source(server))
        #expect(again.imported == 2 && !again.mailboxes[0].keepsUIDs)
      }
    }
  }

  @Test func `what Gmail shows in All Mail comes from the mailboxes it is in, the rest is the archive`() async throws {
    var state = FakeIMAPServer.State()
    state.capabilities += " X-GM-EXT-1"
    state.list = ["() \"/\" INBOX", "(\\All) \"/\" \"[Gmail]/All Mail\"", "(\\Flagged) \"/\" \"[Gmail]/Starred\""]
    state.mailboxes = [
      "INBOX": messages([1]), "[Gmail]/Starred": [],
      // The fake gives seen messages the label of another mailbox.
      "[Gmail]/All Mail": messages([1]) + [.init(uid: 2, body: "A: archived\r\n\r\n")],
    ]
    try await FakeIMAPServer.with(state) { server in
      try await TransferFixture.with { fixture in
        let report = try await fixture.importMail(try source(server))
        #expect(report.imported == 2 && report.mailboxes.map(\.name) == ["INBOX", "Archive"])
        let archive = try await fixture.mailbox("Archive")
        #expect(archive?.messageCount == 1)
      }
    }
  }
}
