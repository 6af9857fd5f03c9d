import MailStore
import MessageFormat
import Networking
import Testing

@testable import MailTransfer

/// What real servers send.
struct IMAPResponseTests {
  /// The events of some octets, which do not depend on how they arrive.
  private func events(_ text: String) -> [IMAPResponseReader.Event] {
    func read(_ size: Int) -> [IMAPResponseReader.Event] {
      var reader = IMAPResponseReader()
      var received = ReceivedBytes()
      var events: [IMAPResponseReader.Event] = []
      let bytes = Array(text.utf8)
      for start in stride(from: 0, to: bytes.count, by: size) {
        received.append(Array(bytes[start..<min(start + size, bytes.count)]))
        reading: while true {
          switch reader.next(from: &received) {
          case .needsMore: break reading
          case .body(let octets):
            if case .body(let before)? = events.last {
              events[events.count - 1] = .body(before + octets)
            } else {
              events.append(.body(octets))
            }
          case let event: events.append(event)
          }
        }
      }
      return events
    }
    let whole = read(1 << 20)
    for size in [1, 2, 3, 7] { #expect(read(size) == whole) }
    return whole
  }

  private func shown(_ text: String) -> [String] {
    events(text).map { event in
      switch event {
      case .needsMore: "more"
      case .body(let octets): "body " + String(decoding: octets, as: UTF8.self)
      case .response(let bytes): String(decoding: bytes, as: UTF8.self)
      case .broken(let what): "broken \(what)"
      }
    }
  }

  @Test(
    arguments: [
      ("* OK hi\r\nM1 OK done\r\n", ["* OK hi", "M1 OK done"]),
      ("* 1 FETCH (UID 5 BODY[] {3}\r\nabc)\r\n", ["body abc", "* 1 FETCH (UID 5 BODY[] {0}\r\n)"]),
      ("* 1 FETCH (body[] {3}\r\nabc UID 5)\r\n", ["body abc", "* 1 FETCH (body[] {0}\r\n UID 5)"]),
      ("* 1 FETCH (UID 5 BINARY[] ~{2}\r\n\0\0)\r\n", ["body \0\0", "* 1 FETCH (UID 5 BINARY[] {0}\r\n)"]),
      ("* 1 FETCH (UID 5 BODY[] {0}\r\n)\r\n", ["* 1 FETCH (UID 5 BODY[] {0}\r\n)"]),
      ("* 1 FETCH (UID 5 RFC822 {2}\r\n{3 FLAGS ())\r\n", ["body {3", "* 1 FETCH (UID 5 RFC822 {0}\r\n FLAGS ())"]),
      // Not a body: it stays in its response.
      ("* LIST () \"/\" {5}\r\na\r\nb\"\r\n", ["* LIST () \"/\" {5}\r\na\r\nb\""]),
      ("* 1 FETCH (XBODY[] {1}\r\nx)\r\n", ["* 1 FETCH (XBODY[] {1}\r\nx)"]),
      // Words that look like a literal.
      ("* OK you have {12}\r\nM1 NO sorry {3}\r\n", ["* OK you have {12}", "M1 NO sorry {3}"]),
      ("+ go {1}\r\n", ["+ go {1}"]),
      ("* LIST () \"/\" {99999999999}\r\n", ["broken a literal of 99999999999 octets"]),
      (
        "* 1 FETCH (BODY[] {99999999999}\r\n",
        ["broken a message of 99999999999 octets, where 2147483647 are the limit"]
      ),
    ] as [(String, [String])])
  func `responses and bodies are told apart`(text: String, expected: [String]) {
    #expect(shown(text) == expected)
  }

  private func fetched(_ text: String) throws -> FetchedMessage {
    guard case .fetched(let message) = IMAPResponse(Array(text.utf8)) else {
      throw TransferError.source("\(text) is no FETCH response")
    }
    return message
  }

  @Test(
    arguments: [
      (#"* 3 FETCH (UID 9 FLAGS (\Seen \Recent $Work) INTERNALDATE "17-Jul-1996 02:44:25 -0700" RFC822.SIZE 44)"#,
        "9 \\Seen \\Recent $Work 17-Jul-1996 02:44:25 -0700 44 -"),
      (#"* 3 FETCH (FLAGS NIL INTERNALDATE NIL RFC822.SIZE 0 UID 1)"#, "1  - 0 -"),
      (#"* 3 fetch  (uid 9  BODY[] "a \"quoted\" body")"#, "9 - - - a \"quoted\" body"),
      (#"* 3 FETCH (UID 9 BODY[] NIL)"#, "9 - - - -"),
      ("* 3 FETCH (UID 9 BODY[HEADER.FIELDS (DATE FROM)] {2}\r\n\r\n FLAGS (x))", "9 x - - -"),
      (#"* 3 FETCH (X-GM-LABELS ("\\Inbox" "a (b)") MODSEQ (12) UID 9)"#, "9 - - - -"),
      (#"* 3 FETCH (INTERNALDATE "1-Jul-1996 02:44:25 -0700" UID 4294967296)"#, "- - 1-Jul-1996 02:44:25 -0700 - -"),
    ] as [(String, String)])
  func `what is said of a message`(text: String, expected: String) throws {
    let message = try fetched(text)
    let parts = [
      message.uid.map { "\($0)" }, message.flags?.joined(separator: " "),
      message.date?.imap.trimmingSpaces, message.size.map { "\($0)" },
      message.hasBody ? String(decoding: message.body, as: UTF8.self) : nil,
    ]
    #expect(parts.map { $0 ?? "-" }.joined(separator: " ") == expected)
  }

  @Test(
    arguments: [
      ("* SEARCH", []), ("* SEARCH 1 2 30", [1, 2, 30]), ("* SEARCH 5 7 (MODSEQ 9)", [5, 7]),
      (#"* ESEARCH (TAG "A1") UID ALL 1:3,7"#, [1, 2, 3, 7]), (#"* ESEARCH (TAG "A1") UID"#, []),
      ("* ESEARCH UID ALL 1:4294967295", []),
    ] as [(String, [UInt32])])
  func `what a search finds`(text: String, numbers: [UInt32]) {
    guard case .found(let found) = IMAPResponse(Array(text.utf8)) else {
      Issue.record("\(text) is no result")
      return
    }
    #expect(found == numbers)
  }

  @Test(
    arguments: [
      (#"* LIST (\HasNoChildren \Sent) "/" "Sent Items""#, "", ["Sent Items"]),
      (#"* LIST () "." INBOX.Entw&APw-rfe.a"#, "INBOX.", ["Entwürfe", "a"]),
      (#"* LIST () "." inbox"#, "INBOX.", ["INBOX"]),
      ("* LIST () \"/\" {7}\r\na\"b\\c/d", "", ["a\"b\\c", "d"]),
      (#"* LIST () NIL "flat/name""#, "", ["flat/name"]),
      (#"* LIST () "/" NIL"#, "", ["NIL"]),
      (#"* LIST () "/" "a//b/""#, "", ["a", "b"]),
    ] as [(String, String, [String])])
  func `names of mailboxes`(text: String, prefix: String, path: [String]) {
    guard case .list(let mailbox, false) = IMAPResponse(Array(text.utf8)) else {
      Issue.record("\(text) is no mailbox")
      return
    }
    #expect(IMAPMailboxList.path(of: mailbox, without: Array(prefix.utf8)) == path)
  }

  @Test func `namespaces`() {
    guard
      case .namespaces(let found) = IMAPResponse(
        Array(#"* NAMESPACE (("INBOX." ".")) (("Other Users." ".")) (("" ".")("shared." "."))"#.utf8))
    else {
      Issue.record("no namespaces")
      return
    }
    #expect(String(decoding: found.personal, as: UTF8.self) == "INBOX.")
    #expect(found.foreign.map { String(decoding: $0, as: UTF8.self) } == ["Other Users.", "shared."])
  }

  @Test(arguments: ["* OK [UIDVALIDITY 7] ok", "M1 OK [uidvalidity  7]"])
  func `codes`(text: String) {
    switch IMAPResponse(Array(text.utf8)) {
    case .status(.ok, let status), .tagged("M1", .ok, let status): #expect(status.number("UIDVALIDITY") == 7)
    case let other: Issue.record("\(other)")
    }
  }

  @Test(arguments: [
    "", "*", "* ", "* 5", "* 5 FETCH", "* 5 FETCH (", "* LIST", "M1", "M1 MAYBE", "* (((((((((((((((((((((((((",
  ])
  func `nonsense is nothing`(text: String) {
    guard case .other = IMAPResponse(Array(text.utf8)) else {
      Issue.record("\(text) means something")
      return
    }
  }

  @Test(
    arguments: [
      ("imaps://a@h", "tls a h 993 imap://a@h"),
      ("IMAP://a@b@Mail.Example:1143", "startTLS a@b mail.example 1143 imap://a@b@mail.example:1143"),
      ("imap://a%40b%3a@h/", "startTLS a@b: h 143 imap://a@b:@h"),
      ("imaps://a@[::1]:99", "tls a ::1 99 imap://a@::1:99"),
    ])
  func `addresses of servers`(text: String, expected: String) throws {
    let location = try IMAPLocation(text)
    #expect(
      "\(location.security) \(location.user) \(location.host) \(location.port) \(location.identity)" == expected)
  }

  @Test(
    arguments: [
      ("imaps://a:secret@h", "a password in the address"), ("imaps://h", "the address names no user"),
      ("imaps://@h", "the address names no user"), ("imaps://a@", "the address names no host"),
      ("imaps://a@h:x", "x is not a port"), ("imaps://a@h/INBOX", "the address ends behind the host"),
      ("imaps://%ff@h", "the user's name is not UTF-8"),
    ])
  func `and what is none`(text: String, reason: String) {
    let error = #expect(throws: TransferError.self) { _ = try IMAPLocation(text) }
    #expect(error?.description.hasPrefix(reason) == true)
  }
}

extension String {
  fileprivate var trimmingSpaces: String { String(drop { $0 == " " }) }
}
