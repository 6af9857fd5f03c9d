import Cryptography
import Logging
import MessageFormat
import Networking
import SMTP
import SMTPClient
import Synchronization
import TestSupport
import Testing

/// Every dialogue of `Transcripts`, which play the server. The client delivers the messages that were given, in order,
/// then quits; the log has a line for each recipient, for the session's security, and for how it failed.
///
/// Set-up of this target: `given a message from A to B, C` and its block; `given a message of 300000 octets from A to
/// B`; `given TLS opportunistic` (or `required`); `given LMTP`; `given credentials USER PASSWORD`; `given no chunking`; and
/// for all messages `given DSN is asked for`, `given REQUIRETLS is asked for`, `given priority 3`,
/// `given delivery by 600`, `given hold for 600`, `given binary content`,
/// `given the store fails at octet 100000`. Actions: `do take 65536 octets`, `do reset the connection`,
/// `do take a block` (while reading is paused), `do resume reading and take all`.
private let suite = TranscriptSuite(
  beside: #filePath, fileExtension: "smtp", plays: .server,
  given: { phrase, block, world in try given(phrase, block, world) },
  perform: { action, client, world in
    if let count = action.wholeMatch(of: #/take (\d+) octets/#).flatMap({ Int($0.1) }) {
      let enough: Bool? = await world.activity.wait {
        client.unread.count >= count ? true : client.sessionHasEnded ? false : nil
      }
      guard enough == true else { throw GivenError("\(client.unread.count) octets came") }
      client.markRead(count)
      return true
    }
    switch action {
    case "reset the connection": client.transport.close(.abruptly)
    case "take a block":
      client.transport.setClientReads(true)
      client.transport.setClientReads(false)
      client.markRead(client.unread.count)
    case "resume reading and take all":
      client.transport.setClientReads(true)
      _ = await world.activity.wait { client.isAtRest ? true : nil }
      client.markRead(client.unread.count)
    default: return false
    }
    return true
  },
  session: { connection, _, world in
    func log(_ line: String) { world.log.logger.info("\(line)") }
    do throws(HostFailure) {
      var session = try await ClientSession.open(on: connection, settings: settings(world))
      log("security \(session.security)")
      for message in world.shared({ Messages() }).all(world) {
        let result = await session.deliver(message)
        for (recipient, outcome) in zip(message.recipients, result.outcomes) {
          log("\(recipient.address) \(words(outcome))")
        }
        if result.passedOnDSN { log("DSN passed on") }
        if let failure = result.failure { return log("ended: \(words(failure))") }
      }
      await session.quit()
      log("quit")
    } catch {
      log("failed: \(words(error))")
    }
  })

@Suite struct TranscriptTests {
  @Test(arguments: suite.files) func transcript(_ file: TranscriptFile) async throws { try await suite.play(file) }
}

private func words(_ outcome: RecipientOutcome) -> String {
  switch outcome {
  case .delivered(let reply): "delivered: \(reply)"
  case .temporary(let problem): "temporary\(words(problem))"
  case .permanent(let problem): "permanent\(words(problem))"
  }
}

private func words(_ problem: DeliveryProblem) -> String {
  " \(problem.status)\(problem.triesNextHost ? ", next host" : ""): \(problem)"
}

private func words(_ failure: HostFailure) -> String {
  let kind = failure.isPermanent ? "permanent" : "temporary"
  return "\(kind) \(failure.status)\(failure.triesNextHost ? ", next host" : ""): \(failure)"
}

private func settings(_ world: TranscriptWorld) -> ClientSettings {
  let context = world.shared { try! TLSClientContext(verification: .none) }
  let policy: TLSPolicy =
    switch world[setting: "TLS"] {
    case "opportunistic":
      .opportunistic(ClientTLS(context: context, serverName: "mx.remote.test"))
    case "required": .required(ClientTLS(context: context, serverName: "mx.remote.test"))
    default: .never
    }
  var settings = ClientSettings(name: TranscriptWorld.hostname, tls: policy)
  settings.clock = SteadyClock { [clock = world.clock] in .microseconds(clock.now.microseconds) }
  if world[setting: "LMTP"] != nil { settings.dialect = .lmtp }
  if world[setting: "no chunking"] != nil { settings.usesChunking = false }
  if let user = world[setting: "user"], let password = world[setting: "password"] {
    settings.credentials = Credentials(user: user, password: password)
  }
  return settings
}

/// The messages of a transcript.
private final class Messages: Sendable {
  private let given = Mutex<[OutboundMessage]>([])

  func add(_ message: OutboundMessage) { given.withLock { $0.append(message) } }

  func all(_ world: TranscriptWorld) -> [OutboundMessage] {
    given.withLock { $0 }.map { message in
      var message = message
      if world[setting: "DSN is asked for"] != nil {
        message.parameters.returnedContent = .headers
        message.parameters.envelopeID = Array("QQ+314159".utf8)
        for index in message.recipients.indices {
          message.recipients[index].parameters.notify = [.success, .failure]
        }
      }
      if world[setting: "REQUIRETLS is asked for"] != nil { message.parameters.requiresTLS = true }
      message.parameters.priority = world[setting: "priority"].flatMap { Int($0) }
      message.parameters.holdFor = world[setting: "hold for"].flatMap { Int($0) }
      if let seconds = world[setting: "delivery by"].flatMap({ Int($0) }) {
        message.parameters.deliverBy = .init(seconds: seconds, mode: .notify)
      }
      if world[setting: "binary content"] != nil { message.content.body = .binary }
      if let end = world[setting: "the store fails at octet"].flatMap({ Int($0) }) {
        let read = message.content.read
        message.content.read = { range in
          guard range.upperBound <= end else { throw GivenError("a broken disk") }
          return try await read(range)
        }
      }
      return message
    }
  }
}

/// Phrases that are their own names.
private let switches: Set<String> = [
  "LMTP", "no chunking", "DSN is asked for", "REQUIRETLS is asked for", "binary content",
]

private func given(
  _ phrase: String, _ block: [String], _ world: TranscriptWorld
) throws -> TranscriptSuite.GivenAnswer {
  if let match = phrase.wholeMatch(of: #/a message (of (\d+) octets )?from (\S*) to (.+)/#) {
    let lines = block.isEmpty ? ["Subject: hi", "", "Hello."] : block
    var content = Array(lines.map { $0 + "\r\n" }.joined().utf8)
    if let size = match.2.flatMap({ Int($0) }) {
      content = Array("Subject: large\r\n\r\n".utf8)
      while content.count < size { content += Array((String(repeating: "x", count: 62) + "\r\n").utf8) }
      content = content.prefix(size - 2) + [13, 10]
    }
    let recipients = try match.4.split(separator: ", ").map { OutboundRecipient(try world.address(String($0))) }
    world.shared { Messages() }.add(
      OutboundMessage(
        sender: match.3 == "<>" ? .null : .mailbox(try world.address(String(match.3))), recipients: recipients,
        content: MessageContent(content)))
    return .done
  }
  let words = phrase.split(separator: " ").map(String.init)
  switch words.first {
  case "TLS": world[setting: "TLS"] = words[1]
  case "credentials": (world[setting: "user"], world[setting: "password"]) = (words[1], words[2])
  case "priority": world[setting: "priority"] = words[1]
  case "delivery", "hold": world[setting: words[0] + " " + words[1]] = words[2]
  default:
    if phrase.hasPrefix("the store fails at octet ") {
      world[setting: "the store fails at octet"] = words.last
    } else if switches.contains(phrase) {
      world[setting: phrase] = "yes"
    } else {
      return .unknown
    }
  }
  return .done
}
