import Foundation
import MailStore
import MessageFormat
import Networking
import Testing

@testable import MailTransfer

/// Files in, files out, over a connection such as the control socket's.
struct FileImportTests {
  /// A Maildir as Dovecot leaves it.
  private func maildir() throws -> TestTree {
    let tree = try TestTree()
    try tree.write("cur/10.a,S=9:2,SF", "A: 1\n\none\n", modified: 1_000_000_010)
    try tree.write("cur/20.b:2,Ta", "A: 2\n\ntwo\n", modified: 1_000_000_020)
    try tree.write("new/30.c", "A: 3\r\n\r\nthree", modified: 1_000_000_030)
    try tree.write("dovecot-uidlist", "3 V1234 N100\n7 :10.a,S=9\n20 :20.b\n")
    try tree.write("dovecot-keywords", "0 Work\n1 $Label1\n")
    try tree.write("subscriptions", "INBOX\nSent\n")
    try tree.write(".Sent/cur/11.d:2,PR", "A: 4\n\nfour\n", modified: 1_000_000_040)
    try tree.write(".Lists.Entw&APw-rfe/cur/12.e:2,D", "A: 5\n\nfive\n", modified: 1_000_000_050)
    try tree.makeFolder(".Lists.Empty/cur")
    return tree
  }

  private static let imported = [
    "INBOX 1234 101 true", "7 5  1000000010 A: 1||one|", "20 8 Work 1000000020 A: 2||two|",
    "100 0  1000000030 A: 3||three",
  ]

  @Test func `a Maildir comes in with flags, keywords, dates, UIDs, folders and subscriptions, once`() async throws {
    try await TransferFixture.with { fixture in
      let tree = try maildir()
      let counted = try await fixture.importMail(tree.path, rehearses: true)
      #expect(counted.imported == 5 && counted.isRehearsal)
      #expect(try await fixture.contents().isEmpty)

      let report = try await fixture.importMail(tree.path)
      #expect(report.imported == 5 && report.known == 0 && report.failed == 0 && report.remarks.isEmpty)
      #expect(report.mailboxes.map { "\($0.name) \($0.imported) \($0.keepsUIDs)" } == [
        "INBOX 3 true", "Lists/Empty 0 false", "Lists/Entwürfe 1 false", "Sent 1 false",
      ])
      #expect(try await fixture.contents(of: ["INBOX"]) == Self.imported)
      let sent = try #require(try await fixture.contents(of: ["Sent"]).last)
      #expect(sent == "1 2 $Forwarded 1000000040 A: 4||four|")
      #expect(try await fixture.mailbox("Lists/Entwürfe")?.isSubscribed == false)
      #expect(try await fixture.mailbox("Lists/Empty") != nil)

      let again = try await fixture.importMail(tree.path)
      #expect(again.imported == 0 && again.known == 5)
      // A flag is set there, a message comes, one goes: what has changed there changes here.
      try tree.rename("cur/20.b:2,Ta", to: "cur/20.b:2,STb")
      try tree.write("new/40.f", "A: 6\n\nsix\n", modified: 1_000_000_060)
      try tree.remove("cur/10.a,S=9:2,SF")
      let third = try await fixture.importMail(tree.path)
      #expect(third.imported == 1 && third.known == 4)
      #expect(
        try await fixture.contents(of: ["INBOX"]) == [
          "INBOX 1234 102 true", Self.imported[1], "20 9 $Label1 1000000020 A: 2||two|", Self.imported[3],
          "101 0  1000000060 A: 6||six|",
        ])
      #expect(try await fixture.importMail(tree.path, rehearses: true).imported == 0)
    }
  }

  @Test func `a mailbox of one's own choice`() async throws {
    try await TransferFixture.with { fixture in
      let tree = try maildir()
      #expect(try await fixture.importMail(tree.path, only: ["Sent"], into: "Old/Mine").imported == 1)
      #expect(try await fixture.mailbox("Old/Mine")?.messageCount == 1)
      #expect(try await fixture.importMail(tree.path, into: "All").imported == 5)
      #expect(try await fixture.mailbox("All/Sent")?.messageCount == 1)
      await #expect(throws: TransferError.self) { try await fixture.importMail(tree.path, only: ["Nothing"]) }
    }
  }

  @Test(arguments: [MailFormat.maildir, .mbox])
  func `what was exported comes in again as it was`(format: MailFormat) async throws {
    try await TransferFixture.with { fixture in
      let tree = try maildir()
      try tree.write(".v1\\2e0/cur/1.x:2,S", "From me\n\nFrom you\n>From them\n", modified: 1_000_000_070)
      try tree.write(".v1\\2e0/cur/2.y:2,S", "", modified: 1_000_000_080)
      try await fixture.importMail(tree.path)
      let out = try TestTree()
      let report = try await fixture.exportMail(to: out.path, format: format)
      #expect(report.messages == 7 && report.failed == 0 && report.remarks.isEmpty)
      try await TransferFixture.with(later: true) { other in
        let back = try await other.importMail(out.path)
        #expect(back.imported == 7 && back.failed == 0 && back.remarks.isEmpty)
        let names = try await fixture.contents().isEmpty ? [] : ["INBOX", "Sent", "Lists/Entwürfe", "v1.0"]
        var expected = try await fixture.contents(of: names)
        var found = try await other.contents(of: names)
        if format == .mbox {
          // An mbox ends its messages with a line end, and knows nothing of subscriptions.
          expected = expected.map { $0.hasSuffix("three") ? $0 + "|" : $0 }
          let subscribed = { (lines: [String]) in lines.map { $0.replacingOccurrences(of: " false", with: " true") } }
          (expected, found) = (subscribed(expected), subscribed(found))
        }
        #expect(found == expected)
      }
      await #expect(throws: TransferError.self) { try await fixture.exportMail(to: out.path, format: format) }
    }
  }

  @Test func `a Maildir is written as Dovecot reads it`() async throws {
    try await TransferFixture.with { fixture in
      let tree = try maildir()
      try await fixture.importMail(tree.path)
      let out = try TestTree()
      _ = try await fixture.exportMail(to: out.path, format: .maildir)
      #expect(try out.names(in: "cur") == [
        "1000000010.V1234U7.martlet,S=10,W=13:2,FS", "1000000020.V1234U20.martlet,S=10,W=13:2,Ta",
        "1000000030.V1234U100.martlet,S=11,W=13:2,",
      ])
      #expect(try out.names(in: "tmp").isEmpty)
      let list = try out.read("dovecot-uidlist").split(separator: "\n")
      #expect(list[0].hasPrefix("3 V1234 N101 G") && list[0].count == 46)
      #expect(list[1...] == [
        "7 :1000000010.V1234U7.martlet,S=10,W=13", "20 :1000000020.V1234U20.martlet,S=10,W=13",
        "100 :1000000030.V1234U100.martlet,S=11,W=13",
      ])
      #expect(try out.read("dovecot-keywords") == "0 Work\n")
      #expect(try out.read("subscriptions") == "INBOX\nArchive\nDrafts\nJunk\nSent\nTrash\n")
      #expect(try out.read(".Lists.Entw&APw-rfe/maildirfolder") == "")
      let attributes = try FileManager.default.attributesOfItem(
        atPath: "\(out.path)/cur/1000000010.V1234U7.martlet,S=10,W=13:2,FS")
      #expect((attributes[.modificationDate] as? Date)?.timeIntervalSince1970 == 1_000_000_010)
    }
  }

  @Test func `mbox files, with their UIDs and equal messages, in folders`() async throws {
    try await TransferFixture.with { fixture in
      let tree = try TestTree()
      let from = "From a@b Tue Jul 23 19:39:23 2002 +0200\n"
      let base = "X-IMAPbase: 1000 0000000050 Work\n"
      try tree.write(
        "Inbox",
        "\(from)\(base)X-UID: 5\nStatus: RO\nX-Keywords: Work\nA: 1\n\nx\n\n\(from)X-UID: 9\nA: 2\n\ny\n\n"
          + "\(from)X-UID: 10\nA: 2\n\ny\n")
      try tree.write("Inbox.msf", "index")
      try tree.write(
        "Work.sbd/Done",
        "\(from)X-Mozilla-Status: 0009\nA: 3\n\nz\n\n\(from)X-Mozilla-Status: 0001\nA: 4\n\nw\n")
      let report = try await fixture.importMail(tree.path)
      #expect(report.imported == 4 && report.mailboxes.map(\.keepsUIDs) == [true, false])
      #expect(
        try await fixture.contents(of: ["INBOX"]) == [
          "INBOX 1000 51 true", "5 1 Work 1027445963 A: 1||x|", "9 0  1027445963 A: 2||y|",
          "10 0  1027445963 A: 2||y|",
        ])
      #expect(try await fixture.contents(of: ["Work/Done"]).dropFirst() == ["1 1  1027445963 A: 4||w|"])
      #expect(try await fixture.importMail(tree.path).known == 4)
      // The file's own note in the place of a message (c-client).
      try tree.write("note", "\(from)X-IMAP: 7 3\nSubject: DON'T DELETE\n\n-- \n\n\(from)X-UID: 3\nA: 5\n\nv\n")
      try await fixture.importMail("\(tree.path)/note", into: "Note")
      #expect(try await fixture.contents(of: ["Note"]) == ["Note 7 4 true", "3 0  1027445963 A: 5||v|"])
    }
  }

  @Test func `a folder of messages`() async throws {
    try await TransferFixture.with { fixture in
      let tree = try TestTree()
      try tree.write("b.eml", "Date: Tue, 23 Jul 2002 19:39:23 +0200\n\nx\n")
      try tree.write("a.EML", "A: 1\n\nx\n", modified: 1_000_000_000)
      try tree.write("notes.txt", "no mail")
      try tree.write("Work/2002/c.eml", "A: 2\n\ny\n", modified: 1_000_000_000)
      let report = try await fixture.importMail(tree.path)
      #expect(report.imported == 3 && report.mailboxes.map(\.name) == ["INBOX", "Work", "Work/2002"])
      let inbox = try await fixture.contents(of: ["INBOX"]).dropFirst()
      #expect(inbox == ["1 0  1000000000 A: 1||x|", "2 0  1027445963 Date: Tue, 23 Jul 2002 19:39:23 +0200||x|"])
      #expect(try await fixture.importMail(tree.path).known == 3)
    }
  }

  @Test func `what cannot be read is listed, and keeps nobody`() async throws {
    try await TransferFixture.with { fixture in
      let tree = try maildir()
      try tree.write("cur/50.g:2,", [0x1F, 0x8B, 0x08, 0x00, 0x01])
      let links = FileManager.default
      try links.createSymbolicLink(atPath: tree.path + "/cur/60.h:2,", withDestinationPath: "/etc/passwd")
      try links.createDirectory(atPath: tree.path + "/cur/70.i:2,", withIntermediateDirectories: true)
      let report = try await fixture.importMail(tree.path)
      #expect(report.imported == 5 && report.failed == 3)
      let reasons = report.problems.map(\.reason)
      #expect(reasons.contains { $0.hasSuffix("is compressed (gzip), which is not unpacked here") })
      #expect(reasons.contains { $0.hasSuffix("is a symbolic link, which is not followed") })
      #expect(reasons.contains { $0.hasSuffix("is not a file") })
      let empty = try TestTree()
      for (path, reason) in [
        ("/nowhere", "cannot read"), ("/etc/passwd", "is not an mbox file"), (empty.path, "holds no Maildir"),
      ] {
        let error = await #expect(throws: TransferError.self) { try await fixture.importMail(path) }
        #expect(error?.description.contains(reason) == true)
      }
    }
  }

  @Test func `a message that is too large is named, and keeps nobody`() async throws {
    let limit = 100
    let exact = "A: 1\n\n" + String(repeating: "x", count: limit - 10) + "\n"
    let large = "A: 2\n\n" + String(repeating: "x", count: limit - 9) + "\n"
    let tree = try TestTree()
    try tree.write("Maildir/cur/10.a:2,S", exact)
    try tree.write("Maildir/cur/20.b:2,S", large)
    try tree.write("Maildir/cur/30.c:2,S", exact)
    try tree.write("eml/exact.eml", exact)
    try tree.write("eml/large.eml", large)
    let from = "From a@b Tue Jul 23 19:39:23 2002 +0200\n"
    try tree.write("mbox", "\(from)\(exact)\n\(from)\(large)\n")
    try await TransferFixture.with(messageSize: limit) { fixture in
      for (path, stored, label) in [
        ("Maildir", 2, "Maildir/cur/20.b:2,S"), ("eml", 1, "eml/large.eml"), ("mbox", 1, "the message at octet "),
      ] {
        for run in 0..<2 {
          let report = try await fixture.importMail("\(tree.path)/\(path)", into: MailboxName("To \(path)"))
          #expect(report.imported == (run == 0 ? stored : 0) && report.known == (run == 0 ? 0 : stored))
          #expect(report.failed == 1)
          let reason = try #require(report.problems.first).reason
          #expect(reason.contains(label) && reason.hasSuffix("larger than limits.message_size, 100 octets"))
        }
      }
    }
  }

  @Test func `an import that was cut off goes on where its last commit ended`() async throws {
    try await TransferFixture.with { fixture in
      let tree = try TestTree()
      for number in 1...1_300 { try tree.write("cur/\(10_000 + number).x:2,S", "A: \(number)\n\nx\n") }
      let connection = try await fixture.connection(for: "import")
      let plan = ImportPlan(source: .path(tree.path, format: nil))
      // Somebody pulls the plug after the second window.
      await #expect(throws: TransferError.self) {
        try await runImport(plan, to: ImportSink(connection)) { progress in
          if progress.done >= 1_000 { connection.close(.abruptly) }
        }
      }
      let first = try #require(try await fixture.mailbox("INBOX")).messageCount
      #expect(first < 1_300)
      let report = try await fixture.importMail(tree.path)
      #expect(report.failed == 0 && report.imported + report.known == 1_300)
      let inbox = try #require(try await fixture.mailbox("INBOX"))
      #expect(inbox.messageCount == 1_300)
      let contents = Set(try await fixture.contents(of: ["INBOX"]).dropFirst().map { $0.split(separator: "A: ").last })
      #expect(contents.count == 1_300)
    }
  }

  /// 3,237 real messages; three lines in them begin like a message and are none.
  @Test(.enabled(if: FileImportTests.archive != nil))
  func `a mailing list's archive of years goes in and out without a change`() async throws {
    try await TransferFixture.with { fixture in
      let tree = try TestTree()
      try tree.write("list", try #require(Self.archive))
      let report = try await fixture.importMail("\(tree.path)/list")
      #expect(report.imported == 3_237 && report.failed == 0 && report.mailboxes[0].keepsUIDs)
      let before = try await fixture.contents(of: ["INBOX"])
      for format in [MailFormat.maildir, .mbox] {
        let out = try TestTree()
        #expect(try await fixture.exportMail(to: out.path, format: format).messages == 3_237)
        try await TransferFixture.with { other in
          let report = try await other.importMail(out.path)
          let after = try await other.contents(of: ["INBOX"])
          #expect(report.imported == 3_237 && after == before)
        }
      }
    }
  }

  private static let archive: [UInt8]? = {
    var folder = URL(fileURLWithPath: #filePath)
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      let file = folder.appendingPathComponent("shared/corpora/list-2002.mbox.gz")
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      let unpacking = Process()
      unpacking.executableURL = URL(fileURLWithPath: "/usr/bin/gzip")
      unpacking.arguments = ["-dc", file.path]
      let output = Pipe()
      unpacking.standardOutput = output
      guard (try? unpacking.run()) != nil else { return nil }
      let text = output.fileHandleForReading.readDataToEndOfFile()
      unpacking.waitUntilExit()
      return Array(text)
    }
    return nil
  }()
}
