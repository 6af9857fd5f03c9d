import Cryptography
import MessageFormat
import Networking

/// Plays one transcript against sessions.
final class TranscriptPlayer {
  private let file: TranscriptFile
  private let suite: TranscriptSuite
  private let world: TranscriptWorld
  private var clients: [String: ScriptedClient] = [:]
  private var order: [String] = []
  private var captured: [String: [UInt8]] = [:]
  private var lastConnection: String?
  /// The dialogue so far, for whoever has to find out what went wrong.
  private var dialogue: [String] = []

  init(file: TranscriptFile, suite: TranscriptSuite, world: TranscriptWorld) {
    self.file = file
    self.suite = suite
    self.world = world
  }

  func play() async throws {
    do {
      for step in file.steps { try await play(step) }
      try await finish()
    } catch let error as TranscriptError {
      throw withDialogue(error)
    }
  }

  private func play(_ step: TranscriptStep) async throws {
    switch step.action {
    case .given(let phrase, let block): try await given(phrase, block, step)
    case .advance(let duration):
      dialogue.append("(\(duration) pass)")
      try await advance(by: duration, step)
    case .logHas(let pattern):
      try await rest(step)
      var ignored: [String: [UInt8]] = [:]
      if !world.log.lines.contains(where: { pattern.matches(Array($0.utf8), &ignored) }) {
        throw problem("no log line matches \"\(pattern)\":\n  " + world.log.lines.joined(separator: "\n  "), step)
      }
    case .logNever(let text):
      try await rest(step)
      if let line = world.log.lines.first(where: { $0.contains(text) }) { throw problem("the log has: \(line)", step) }
    default:
      if let lastConnection, lastConnection != step.connection { try await rest(step) }
      lastConnection = step.connection
      try await play(step, try await client(step))
    }
  }

  private func play(_ step: TranscriptStep, _ client: ScriptedClient) async throws {
    switch step.action {
    case .given, .advance, .logHas, .logNever, .connect: break
    case .sendLine(let text):
      let bytes = TranscriptPattern.fill(text, captured)
      note(step, "\(file.plays.own): " + TranscriptEscapes.encode(bytes))
      client.send(bytes + [0x0D, 0x0A])
    case .send(let bytes):
      note(step, "\(file.plays.own)-raw: " + TranscriptEscapes.encode(bytes.prefix(1_000)))
      client.send(bytes)
    case .expectLine(let pattern):
      let line = try await nextLine(client, step, expecting: pattern.text)
      if !pattern.matches(line, &captured) {
        throw problem("expected: \(pattern)\n     got: \(TranscriptEscapes.encode(line))", step)
      }
    case .skipToLine(let pattern):
      while true {
        let line = try await nextLine(client, step, expecting: pattern.text)
        if pattern.matches(line, &captured) { break }
      }
    case .expectBytes(let bytes): try await expect(bytes, client, step)
    case .never(let text):
      try await rest(step)
      let said = String(decoding: client.sinceLastSend, as: UTF8.self)
      if said.contains(text) { throw problem("\(file.plays.opponent) said \"\(text)\":\n\(said)", step) }
    case .quiet:
      try await rest(step)
      try expectNothingUnread(client, step)
    case .closed:
      try await wait(step, "\(file.plays.opponent) to close") { client.sessionHasEnded ? true : restingWithout(client) }
      try expectNothingUnread(client, step)
      if !client.sessionHasEnded { throw problem("\(file.plays.opponent) has not closed", step) }
    case .endInput(let end):
      note(step, "(\(end))")
      switch end {
      case .halfClose: client.transport.endInput(.closed)
      case .truncate: client.transport.endInput(.truncated)
      case .reset: client.transport.endInput(.reset)
      }
    case .handshake(let outcome):
      try await wait(step, "STARTTLS") { client.transport.isHandshaking ? true : restingWithout(client) }
      guard client.transport.isHandshaking else {
        throw problem("\(file.plays.opponent) does not begin a TLS handshake", step)
      }
      note(step, "(handshake \(outcome))")
      var info = ConnectionRequest.tlsInfo()
      if outcome == .verifies { info.peerAuthentication = .authority }
      client.transport.completeHandshake(
        outcome == .fails ? .failure(.handshakeFailed("no shared cipher")) : .success(info))
    case .reading(let reads): client.transport.setClientReads(reads)
    case .stop: client.connection.requestStop()
    case .perform(let words):
      note(step, "(\(words))")
      do {
        guard try await suite.perform(words, client, world) else {
          throw problem("the test target does not know how to do \"\(words)\"", step)
        }
      } catch let error as GivenError {
        throw problem(error.description, step)
      }
    }
  }

  // MARK: Set-up

  private func given(_ phrase: String, _ block: [String], _ step: TranscriptStep) async throws {
    do {
      if try await GivenPhrases.perform(phrase, block, world) { return }
      switch try await suite.given(phrase, block, world) {
      case .done: return
      case .unknown: throw GivenError("nobody knows how to set up \"\(phrase)\"")
      case .play(let text):
        let path = "\(file.path) (given \(phrase))"
        for step in try TranscriptFile(text, path: path, plays: file.plays).steps { try await play(step) }
      }
    } catch let error as TranscriptError {
      throw error
    } catch {
      throw problem("given \(phrase): \(error)", step)
    }
  }

  /// The step's client, connected now if this is its first mention.
  private func client(_ step: TranscriptStep) async throws -> ScriptedClient {
    if let client = clients[step.connection] {
      if case .connect = step.action { throw problem("is connected already", step) }
      return client
    }
    var words = ""
    if case .connect(let said) = step.action { words = said }
    let request: ConnectionRequest
    do {
      request = try GivenPhrases.request(words, from: world.connectionDefaults)
    } catch {
      throw problem("\(error)", step)
    }
    let client = ScriptedClient(
      id: "c\(clients.count + 1)", request: request, clock: world.clock, activity: world.activity,
      session: { [suite, world] in await suite.session($0, request, world) })
    clients[step.connection] = client
    order.append(step.connection)
    return client
  }

  // MARK: Waiting

  /// True once everything is at rest; nil before.
  private func allRest() -> Bool? {
    // Twice: while the second session was looked at, the first may have been woken by it.
    for _ in 0..<2 where !clients.values.allSatisfy(\.isAtRest) { return nil }
    return true
  }

  /// For a wait that something else should end: false when all rest and it still has not happened.
  private func restingWithout(_ client: ScriptedClient) -> Bool? { allRest() == true ? false : nil }

  private func wait(_ step: TranscriptStep, _ what: String, _ condition: () -> Bool?) async throws {
    if await world.activity.wait(for: condition) == nil {
      throw problem("waited in vain for \(what) (a session hangs)", step)
    }
  }

  private func rest(_ step: TranscriptStep) async throws { try await wait(step, "the sessions to come to rest", allRest) }

  private func advance(by duration: Duration, _ step: TranscriptStep) async throws {
    let target = world.clock.now.advanced(by: duration)
    repeat { try await rest(step) } while world.clock.fireNext(until: target)
    world.clock.move(to: target)
  }

  // MARK: What the server says

  private func nextLine(_ client: ScriptedClient, _ step: TranscriptStep, expecting: String) async throws -> [UInt8] {
    var line: [UInt8]?
    try await wait(step, expecting) {
      line = client.takeLine()
      if line != nil { return true }
      guard allRest() == true else { return nil }
      line = client.takeLine()
      return line != nil
    }
    guard let line else {
      let rest = TranscriptEscapes.encode(client.unread)
      let state = client.sessionHasEnded ? "\(file.plays.opponent) has closed" : "\(file.plays.opponent) is silent"
      throw problem("expected: \(expecting)\n     but \(state)\(rest.isEmpty ? "" : " after an unfinished line: \(rest)")", step)
    }
    note(step, "\(file.plays.other): " + TranscriptEscapes.encode(line))
    return line
  }

  private func expect(_ bytes: [UInt8], _ client: ScriptedClient, _ step: TranscriptStep) async throws {
    try await wait(step, "\(bytes.count) octets") {
      let unread = client.unread
      if unread.count >= bytes.count || !bytes.starts(with: unread) { return true }
      return allRest() == true && client.unread.count == unread.count ? false : nil
    }
    let unread = client.unread
    if unread.starts(with: bytes) {
      client.markRead(bytes.count)
      note(step, "\(file.plays.other)-raw: " + TranscriptEscapes.encode(bytes.prefix(1_000)))
      return
    }
    let same = zip(bytes, unread).prefix { $0 == $1 }.count
    let from = max(0, same - 60)
    throw problem(
      """
      after \(same) octets \(file.plays.opponent) says something else
      expected: \(TranscriptEscapes.encode(bytes.dropFirst(from).prefix(160)))
           got: \(TranscriptEscapes.encode(unread.dropFirst(from).prefix(160)))
      """, step)
  }

  private func expectNothingUnread(_ client: ScriptedClient, _ step: TranscriptStep) throws {
    let unread = client.unread
    if !unread.isEmpty {
      throw problem("\(file.plays.opponent) said more: \(TranscriptEscapes.encode(unread.prefix(1_000)))", step)
    }
  }

  // MARK: The end

  private func finish() async throws {
    for name in order {
      let step = TranscriptStep(line: file.steps.last?.line ?? 0, connection: name, action: .quiet)
      try await rest(step)
      if let client = clients[name] { try expectNothingUnread(client, step) }
    }
    for name in order {
      guard let client = clients[name] else { continue }
      let step = TranscriptStep(line: file.steps.last?.line ?? 0, connection: name, action: .closed)
      client.transport.setClientReads(true)
      client.transport.endInput(.closed)
      client.transport.completeHandshake(.failure(.closed))
      try await wait(step, "the session to end after its client went away") { client.sessionHasEnded ? true : nil }
    }
  }

  private func note(_ step: TranscriptStep, _ text: String) {
    dialogue.append((step.connection.isEmpty ? "" : step.connection + ": ") + text)
  }

  private func problem(_ text: String, _ step: TranscriptStep) -> TranscriptError {
    let name = step.connection.isEmpty ? "" : "\(step.connection): "
    return TranscriptError(path: file.path, line: step.line, problem: name + text)
  }

  private func withDialogue(_ error: TranscriptError) -> TranscriptError {
    var error = error
    error.problem += "\nthe dialogue until then:\n  " + dialogue.suffix(30).joined(separator: "\n  ")
    return error
  }
}
