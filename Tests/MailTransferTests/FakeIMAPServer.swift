import Networking
import Synchronization

/// Another IMAP server with one user, as good or bad as a test wants it.
final class FakeIMAPServer: Sendable {
  struct Message: Sendable {
    var uid: UInt32
    var flags = ""
    var date = "\"17-Jul-1996 02:44:25 -0700\""
    var body: String
  }

  struct State: Sendable {
    var capabilities = "IMAP4rev1 AUTH=PLAIN SASL-IR NAMESPACE"
    var namespace = "((\"\" \"/\")) NIL NIL"
    /// Lines of LIST and LSUB.
    var list = ["() \"/\" INBOX"]
    var subscribed = ["() \"/\" INBOX"]
    var mailboxes: [String: [Message]] = ["INBOX": []]
    var uidValidity: [String: UInt32] = [:]
    /// The connection breaks when a body of these is asked for, once each.
    var breaksAt: Set<UInt32> = []
    /// A command for bodies that names one of these is refused.
    var refuses: Set<UInt32> = []
    /// Nothing is said of these when their bodies are asked for.
    var swallows: Set<UInt32> = []
    /// How a body is written, of its octets and its UID.
    var form: @Sendable (String, UInt32) -> String = { body, uid in
      "UID \(uid) BODY[] {\(body.utf8.count)}\r\n\(body)"
    }
    var logins: [String] = []
    var commands: [String] = []
  }

  private let state: Mutex<State>
  private let listener: Mutex<Listener?> = Mutex(nil)

  private init(_ state: State) { self.state = Mutex(state) }

  static func with(_ state: State = State(), _ body: (FakeIMAPServer) async throws -> Void) async throws {
    let server = FakeIMAPServer(state)
    let listener = try await Listener.start(
      ListenerConfiguration(endpoint: .internet(host: "127.0.0.1", port: 0), security: .plaintext), logger: quiet
    ) { connection in await server.serve(connection) }
    server.listener.withLock { $0 = listener }
    do {
      try await body(server)
    } catch {
      await listener.stopAccepting()
      await listener.drain(within: .zero)
      throw error
    }
    await listener.stopAccepting()
    await listener.drain(within: .seconds(5))
  }

  var port: UInt16 { listener.withLock { $0?.port ?? 0 } }
  func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
  var logins: [String] { state.withLock { $0.logins } }
  var commands: [String] { state.withLock { $0.commands } }

  // MARK: One connection

  private func serve(_ connection: Connection) async {
    var selected = ""
    try? await connection.send(Array("* OK a fake\r\n".utf8))
    while true {
      switch connection.received.takeLine(limit: 1 << 20, ending: .crlf) {
      case .line(let bytes):
        var lines = [String(decoding: bytes, as: UTF8.self)]
        while case .line(let more) = connection.received.takeLine(limit: 1 << 20, ending: .crlf) {
          lines.append(String(decoding: more, as: UTF8.self))
        }
        // Commands for bodies that come together are answered in any order, as RFC 9051 §5.5 allows.
        let bodies = lines.filter { $0.contains("BODY.PEEK") }
        for line in lines.filter({ !$0.contains("BODY.PEEK") }) + bodies.reversed() {
          let words = line.split(separator: " ", maxSplits: 1)
          guard words.count == 2 else { return }
          let answer = state.withLock { state in
            state.commands.append(String(words[1]))
            return Self.answer(String(words[1]), tag: String(words[0]), &selected, &state)
          }
          guard let answer else { return connection.close(.abruptly) }
          try? await connection.send(Array(answer.utf8))
          if words[1] == "LOGOUT" { return }
        }
      case .tooLong: return
      case .needsMore:
        guard case .bytes = await connection.waitForInput(timeout: .seconds(20)) else { return }
      }
    }
  }

  /// Nil: the connection breaks.
  private static func answer(
    _ command: String, tag: String, _ selected: inout String, _ state: inout State
  ) -> String? {
    let words = command.split(separator: " ").map { String($0) }
    func done(_ lines: [String] = [], _ end: String = "OK done") -> String {
      (lines + ["\(tag) \(end)"]).map { $0 + "\r\n" }.joined()
    }
    switch words[0] {
    case "CAPABILITY": return done(["* CAPABILITY \(state.capabilities)"])
    case "AUTHENTICATE", "LOGIN":
      state.logins.append(command)
      return done()
    case "NAMESPACE": return done(["* NAMESPACE \(state.namespace)"])
    case "LIST": return done(state.list.map { "* LIST \($0)" })
    case "LSUB": return done(state.subscribed.map { "* LSUB \($0)" })
    case "STATUS":
      let name = Self.quoted(command)
      return done(["* STATUS \"\(name)\" (MESSAGES \(state.mailboxes[name]?.count ?? 0))"])
    case "EXAMINE":
      selected = Self.quoted(command)
      guard let messages = state.mailboxes[selected] else { return done([], "NO [NONEXISTENT] no such mailbox") }
      let next = (messages.last?.uid ?? 0) + 1
      return done([
        "* \(messages.count) EXISTS", "* OK [UIDVALIDITY \(state.uidValidity[selected] ?? 42)] v",
        "* OK [UIDNEXT \(next)] n",
        "* FLAGS (\\Seen)",
      ])
    case "LOGOUT": return done(["* BYE bye"])
    case "UID" where words[1] == "SEARCH":
      guard let messages = state.mailboxes[selected] else { return done([], "BAD nothing is selected") }
      return done(["* SEARCH" + messages.map { " \($0.uid)" }.joined()])
    case "UID" where words[1] == "FETCH":
      return fetch(words[2], wantsBodies: command.contains("BODY.PEEK"), selected, &state)
        .map { done($0.lines, $0.end) }
    default: return done([], "BAD what?")
    }
  }

  private static func fetch(
    _ set: String, wantsBodies: Bool, _ selected: String, _ state: inout State
  ) -> (lines: [String], end: String)? {
    var uids: Set<UInt32> = []
    for part in set.split(separator: ",") {
      let ends = part.split(separator: ":").compactMap { UInt32($0) }
      uids.formUnion((state.mailboxes[selected] ?? []).map(\.uid).filter { ends[0]...ends[ends.count - 1] ~= $0 })
    }
    guard wantsBodies else {
      return (
        ["* 99 EXISTS", "* OK still here"]
          + (state.mailboxes[selected] ?? []).enumerated().filter { uids.contains($1.uid) }.map { index, message -> String in
            let labels = message.flags.contains("\\Seen") ? "\"a\"" : "\"\\\\Important\""
            return "* \(index + 1) FETCH (FLAGS (\(message.flags)) INTERNALDATE \(message.date) UID \(message.uid) "
              + "RFC822.SIZE \(message.body.utf8.count) X-GM-LABELS (\(labels)))"
          }, "OK done"
      )
    }
    if let breaking = state.breaksAt.intersection(uids).first {
      state.breaksAt.remove(breaking)
      return nil
    }
    var lines: [String] = []
    for (index, message) in (state.mailboxes[selected] ?? []).enumerated() where uids.contains(message.uid) {
      if state.refuses.contains(message.uid) { return (lines, "NO cannot read that") }
      if state.swallows.contains(message.uid) { continue }
      lines.append("* \(index + 1) FETCH (\(state.form(message.body, message.uid)))")
    }
    return (lines, "OK done")
  }

  private static func quoted(_ command: String) -> String {
    String(command.split(separator: "\"", omittingEmptySubsequences: false).dropFirst().first ?? "")
  }
}
