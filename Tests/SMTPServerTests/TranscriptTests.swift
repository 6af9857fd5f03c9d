import Delivery
import Logging
import MailStore
import MessageFormat
import Networking
import SMTPServer
import TestSupport
import Testing

/// Every dialogue of `Transcripts`. Connections are to port 25 unless a transcript says `as submission` or `as lmtp`.
///
/// Set-up of this target: `given limit NAME NUMBER`, `given any sender is accepted`, `given unknown recipients are
/// made`, `given mail goes to other servers`, `given solicitations KEYWORD` (are refused). Actions: `do 2 messages are
/// queued`, `do 2 recipients wait for 3600 seconds`, `do alice has 2 messages`, `do alice's message 1 contains TEXT`
/// (`\r\n` for line ends), `… lacks TEXT`.
private let suite = TranscriptSuite(
  beside: #filePath, fileExtension: "smtp",
  given: { phrase, _, world in
    let words = phrase.split(separator: " ").map(String.init)
    if words.count == 3, words[0] == "limit" {
      world[setting: words[1]] = words[2]
      return .done
    }
    if words.count == 2, words[0] == "solicitations" {
      world[setting: "solicitations"] = words[1].lowercased()
      return .done
    }
    switch phrase {
    case "mail goes to other servers": world[setting: "outgoing"] = "yes"
    case "any sender is accepted": world[setting: "any sender"] = "yes"
    case "unknown recipients are made": world[setting: "unknown recipients"] = "made"
    default: return .unknown
    }
    return .done
  },
  perform: { action, _, world in try await look(action, world) },
  session: { connection, request, world in
    var limits = SMTPLimits()
    func set(_ name: String, _ path: WritableKeyPath<SMTPLimits, Int>) {
      if let value = world[setting: name].flatMap({ Int($0) }) { limits[keyPath: path] = value }
    }
    set("messageSize", \.messageSize)
    set("recipients", \.recipients)
    set("headerSize", \.headerSize)
    set("errors", \.errors)
    set("commandsWithoutMail", \.commandsWithoutMail)
    if let delay = world[setting: "greetDelay"].flatMap({ Int($0) }) { limits.greetDelay = .seconds(delay) }
    guard let authenticator = try? world.authenticator() else { return }
    let tls = try? world.tls()
    var services = SMTPServices(
      store: world.store, authenticator: authenticator,
      router: Router(
        store: world.store, hostname: Domain(TranscriptWorld.hostname)!,
        unknown: world[setting: "unknown recipients"] == nil ? .refuse : .createAccount),
      tls: tls, hostname: TranscriptWorld.hostname, clock: world.clock.wallClock, logger: world.log.logger,
      outgoing: world[setting: "outgoing"] == nil
        ? nil : OutgoingMail(schedule: RetrySchedule(), rewriting: nil, keys: nil, clock: world.clock.wallClock),
      limits: limits, allowsPlaintextAuthentication: world.allowsPlaintextAuthentication,
      acceptsAnySender: world[setting: "any sender"] != nil)
    if let keyword = world[setting: "solicitations"] { services.refusedSolicitations = [keyword] }
    var session = SMTPSession(
      connection: connection, role: SMTPRole(rawValue: request.role) ?? .exchange, services: services)
    await session.run()
  })

@Suite struct TranscriptTests {
  @Test(arguments: suite.files) func transcript(_ file: TranscriptFile) async throws { try await suite.play(file) }
}

private func look(_ action: String, _ world: TranscriptWorld) async throws -> Bool {
  if let match = action.wholeMatch(of: #/(\S+) has (\d+) messages?/#) {
    let count = try await messages(of: String(match.1), world).count
    guard count == Int(match.2) else { throw GivenError("\(match.1) has \(count) messages") }
    return true
  }
  if let match = action.wholeMatch(of: #/(\d+) messages? (?:is|are) queued/#) {
    let count = try await world.store.queueSummary().messages
    guard Int64(match.1) == count else { throw GivenError("\(count) messages are queued") }
    return true
  }
  if let match = action.wholeMatch(of: #/(\d+) recipients wait for (\d+) seconds/#) {
    let now = world.clock.now
    let recipients = try await world.store.queuedMessages(QueueFilter(), limit: 100).flatMap(\.recipients)
    let waits = recipients.map { ($0.nextAttempt.microseconds - now.microseconds) / 1_000_000 }
    guard waits == Array(repeating: Int64(match.2)!, count: Int(match.1)!) else { throw GivenError("\(waits)") }
    return true
  }
  guard let match = action.wholeMatch(of: #/(\S+)'s message (\d+) (contains|lacks) (.+)/#) else { return false }
  let all = try await messages(of: String(match.1), world)
  guard let number = Int(match.2), number >= 1, number <= all.count else {
    throw GivenError("there are \(all.count) messages")
  }
  let text = match.4.replacing("\\r\\n", with: "\r\n").replacing("\\t", with: "\t")
  guard all[number - 1].contains(text) == (match.3 == "contains") else {
    throw GivenError("the message is:\n\(all[number - 1])")
  }
  return true
}

private func messages(of name: String, _ world: TranscriptWorld) async throws -> [String] {
  guard let account = world.store.directory.account(login: try world.address(name).description) else { return [] }
  guard let mailbox = try await world.store.mailbox(named: .inbox, of: account.id) else { return [] }
  let index = try await world.store.index(of: mailbox.id)
  var messages: [String] = []
  for entry in try await world.store.entries(in: mailbox.id, uids: index.uids) {
    let bytes = try await world.store.read(entry.content, range: 0..<entry.content.size)
    messages.append(String(decoding: bytes, as: UTF8.self))
  }
  return messages
}
