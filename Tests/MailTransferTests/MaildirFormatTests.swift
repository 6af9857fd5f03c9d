import Foundation
import MailStore
import MessageFormat
import Testing

@testable import MailTransfer

/// What Dovecot and others write into a Maildir.
struct MaildirFormatTests {
  @Test(
    arguments: [
      ("1.a.host:2,S", "S", 16), ("1.a.host,S=5,W=6:2,DFRSTab", "DFRSTab", 0), ("1.a.host", "", 0),
      ("1.a.host:1,S", "", 0), ("1.a:b:2,F", "F", 0), ("1.a.host:2,S,more", "S", 0), ("", "", 0), (":2,", "", 0),
    ] as [(String, String, Int)])
  func `a file's name ends with its flags`(name: String, letters: String, _: Int) {
    #expect(String(decoding: MaildirFileName(name.utf8).letters, as: UTF8.self) == letters)
  }

  @Test func `letters are flags, P is $Forwarded, small ones are the folder's keywords`() {
    var keywords = DovecotKeywords()
    for line in ["0 $Label1", "1 Work", "25 Last", "26 TooFar", "x y", "2", "3 bad(word"] {
      keywords.read(line: Array(line.utf8)[...])
    }
    let flags = MaildirFileName("1.a:2,DFPRSTabdez".utf8).flags(keywords: keywords)
    #expect(flags.system == [.draft, .flagged, .answered, .seen, .deleted])
    #expect(flags.keywords.map(\.text) == ["$Forwarded", "$Label1", "Last", "Work"])
    var made = DovecotKeywords()
    let letters = MaildirFileName.letters(for: flags, keywords: &made)
    #expect(String(decoding: letters, as: UTF8.self) == "DFPRSTabcd")
    #expect(made.text == "0 $Forwarded\n1 $Label1\n2 Last\n3 Work\n")
    #expect(MaildirFileName("1.a:2,\(String(decoding: letters, as: UTF8.self))".utf8).flags(keywords: made) == flags)
    for number in 0..<30 { _ = made.letter(for: "k\(number)") }
    #expect(made.letter(for: "one more") == nil && made.letter(for: "WORK") == UInt8(ascii: "d"))
  }

  @Test(
    arguments: [
      ("3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1", 3, 1_275_660_208, 25_022),
      ("3 N7 V5", 3, 5, 7), ("1 1275660208 25022", 1, 1_275_660_208, 25_022),
      ("1 1275660208 25022 x", 1, 1_275_660_208, 25_022),
      ("2 1 1", nil, 0, 0), ("3 V0 N1", nil, 0, 0), ("3 V1", nil, 0, 0), ("3 V99999999999 N1", nil, 0, 0),
      ("", nil, 0, 0),
    ] as [(String, Int?, UInt32, UInt32)])
  func `the first line of dovecot-uidlist`(line: String, version: Int?, validity: UInt32, next: UInt32) {
    let header = DovecotUIDList.header(Array(line.utf8)[...])
    #expect(header?.version == version)
    if version != nil {
      #expect(header?.uidValidity.rawValue == validity && header?.uidNext.rawValue == next)
    }
  }

  @Test(
    arguments: [
      ("25006 :1276528487.M3.host,S=1355,W=1394:2,", 3, 25_006, "1276528487.M3.host,S=1355,W=1394:2,"),
      ("25017 W2481 P7 :1276533073.M9.host", 3, 25_017, "1276533073.M9.host"),
      ("5 1276533073.M9.host", 1, 5, "1276533073.M9.host"),
      ("0 :a", 3, nil, ""), ("x :a", 3, nil, ""), ("5 W1", 3, nil, ""), ("5 :", 3, nil, ""), ("5", 1, nil, ""),
      ("4294967296 :a", 3, nil, ""),
    ] as [(String, Int, UInt32?, String)])
  func `the other lines`(line: String, version: Int, uid: UInt32?, name: String) {
    let entry = DovecotUIDList.entry(Array(line.utf8)[...], version: version)
    #expect(entry?.uid.rawValue == uid)
    #expect(entry.map { String(decoding: $0.name, as: UTF8.self) } ?? "" == name)
  }

  @Test(
    arguments: [
      ("Sent", ["Sent"]), ("Lists.swift", ["Lists", "swift"]), ("Entw&APw-rfe", ["Entwürfe"]), ("a..b", nil), ("", nil),
      ("v1\\2e0", ["v1.0"]), ("a\\5c2e", ["a\\2e"]), ("&broken", ["&broken"]), ("raw ü", ["raw ü"]),
    ] as [(String, [String]?)])
  func `folders are named in modified UTF-7 with dots between levels`(name: String, levels: [String]?) {
    #expect(MaildirFolderName.levels(Array(name.utf8)) == levels)
  }

  @Test(arguments: ["INBOX/Sub", "Entwürfe", "v1.0/a.b", "back\\slash", "Tom & Jerry", "\\2e", ".hidden", "日本語/メール"])
  func `and a mailbox's name comes back from its folder's`(name: String) throws {
    let mailbox = try #require(MailboxName(name))
    let directory = MaildirFolderName.directory(of: mailbox)
    #expect(directory.first == 0x2E)
    #expect(MaildirFolderName.levels(directory.dropFirst())?.joined(separator: "/") == name)
  }

  @Test func `messages come in the order of their UIDs, those without behind them in that of their names`() throws {
    let tree = try TestTree()
    try tree.write("cur/30.c:2,S", "x")
    try tree.write("cur/10.a,S=1:2,", "x")
    try tree.write("new/40.d", "x")
    try tree.write("new/05.e", "x")
    try tree.write("cur/20.b:2,F", "x")
    try tree.write("cur/.hidden", "x")
    try tree.write(
      "dovecot-uidlist", "3 V9 N12 Gx\n3 :30.c:2,\n7 :10.a\n11 W4 :20.b,S=1:2,S\n4 :99.gone\nbroken\n")
    let listing = try MaildirListing(Folder(tree.path))
    let names = listing.entries.map { String(decoding: listing.base(of: $0), as: UTF8.self) }
    #expect(names == ["30.c", "10.a", "20.b", "05.e", "40.d"])
    #expect(listing.entries.map(\.uid) == [3, 7, 11, 12, 13])
    #expect(listing.header?.uidNext.rawValue == 14)

    // One UID for two files: none of them is believed.
    try tree.write("dovecot-uidlist", "3 V9 N12\n3 :30.c\n3 :10.a\n")
    let doubtful = try MaildirListing(Folder(tree.path))
    #expect(doubtful.header == nil && doubtful.entries.map(\.uid) == [0, 0, 0, 0, 0])
    #expect(String(decoding: doubtful.base(of: doubtful.entries[0]), as: UTF8.self) == "05.e")
  }

  @Test(
    arguments: [
      ("subscriptions", "Sent\nLists.a\n", [["Sent"], ["Lists", "a"]], [["Other"]]),
      ("subscriptions", "Lists/a\n", [["Lists", "a"]], [["Lists"]]),
      ("subscriptions", "V\t2\n\nINBOX\nLists\ta\nEntw&APw-rfe\n", [["Lists", "a"], ["Entwürfe"]], [["Sent"]]),
      ("courierimapsubscribed", "INBOX.Sent\nINBOX\n", [["Sent"]], [["INBOX", "Sent"]]),
    ] as [(String, String, [[String]], [[String]])])
  func `subscriptions as Dovecot and Courier write them`(
    file: String, text: String, subscribed: [[String]], others: [[String]]
  ) throws {
    let tree = try TestTree()
    try tree.write(file, text)
    let subscriptions = try #require(try MaildirSubscriptions(Folder(tree.path)))
    #expect(subscribed.allSatisfy { subscriptions.contains($0) } && subscriptions.contains(["INBOX"]))
    #expect(!others.contains { subscriptions.contains($0) })
  }

  @Test func `folders beside the inbox and folders inside each other are found, links are not followed`() throws {
    let tree = try TestTree()
    for folder in ["cur", ".Sent/cur", ".Lists.a/new", ".notmail", "Nested/cur", "Nested/Deep/cur", "Empty"] {
      try tree.makeFolder(folder)
    }
    try FileManager.default.createSymbolicLink(atPath: tree.path + "/.Link", withDestinationPath: tree.path)
    #expect(
      try MaildirTree(Folder(tree.path)).found.map(\.path) == [
        ["INBOX"], ["Lists", "a"], ["Sent"], ["Nested"], ["Nested", "Deep"],
      ])
  }
}
