import Authentication
import Networking
import TestSupport
import Testing

@testable import IMAPServer

/// Dialogues in `Transcripts/`; their format is described in `Tests/TestSupport/README.md`.
///
/// Phrases of our own: `given [X ]logs in as alice`, `given [X ]selects INBOX`, `given [X ]examines INBOX`,
/// `given messages may have 1000 octets`.
private let suite = TranscriptSuite(
  beside: #filePath, fileExtension: "imap",
  given: { phrase, _, world in
    var words = phrase.split(separator: " ").map(String.init)
    if words.starts(with: ["messages", "may", "have"]), words.count == 5 {
      world[setting: "messageSize"] = words[3]
      return .done
    }
    var client = ""
    if words.count == 3 || words.count == 5, let name = words.first, name.count == 1 {
      client = "\(name): "
      words.removeFirst()
    }
    if words.count == 4, words.starts(with: ["logs", "in", "as"]) {
      return .play(
        """
        \(client)S: * OK ...
        \(client)C: l LOGIN \(words[3])@example.test secret
        \(client)S: l OK ...
        """)
    }
    if words.count == 2, words[0] == "selects" || words[0] == "examines" {
      return .play(
        """
        \(client)C: s \(words[0].dropLast().uppercased()) \(words[1])
        \(client)S-skip: s OK ...
        """)
    }
    return .unknown
  },
  session: { connection, _, world in
    do {
      var limits = IMAPLimits()
      if let size = world[setting: "messageSize"].flatMap(Int.init) { limits.messageSize = size }
      var session = IMAPSession(
        connection: connection,
        services: IMAPServices(
          store: world.store, authenticator: try world.authenticator(), tls: try world.tls(),
          hostname: TranscriptWorld.hostname, clock: world.clock.wallClock, logger: world.log.logger, limits: limits,
          allowsPlaintextAuthentication: world.allowsPlaintextAuthentication))
      await session.run()
    } catch {
      Issue.record(error)
    }
  })

@Test(arguments: suite.files) func transcript(_ file: TranscriptFile) async throws { try await suite.play(file) }
