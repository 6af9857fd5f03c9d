import Authentication
import MailStore
import Networking
@testable import POP3Server
import TestSupport
import Testing

/// Dialogues in `Transcripts/`; their format is described in `Tests/TestSupport/README.md`.
private let suite = TranscriptSuite(
  beside: #filePath, fileExtension: "pop3",
  perform: { words, client, world in
    guard words == "expunge message 2 of alice" else { return false }
    let account = try await world.account("alice")
    guard let inbox = try await world.store.mailbox(named: .inbox, of: account) else { return false }
    let uid = try await world.store.index(of: inbox.id).uids[1]
    _ = try await world.store.expunge(in: inbox.id, uids: [uid], onlyDeleted: false)
    return true
  },
  session: { connection, _, world in
    do {
      var session = POP3Session(
        connection: connection,
        services: POP3Services(
          store: world.store, authenticator: try world.authenticator(), maildrops: world.shared { MaildropLocks() },
          tls: try world.tls(), hostname: TranscriptWorld.hostname, clock: world.clock.wallClock,
          logger: world.log.logger, allowsPlaintextAuthentication: world.allowsPlaintextAuthentication))
      await session.run()
    } catch {
      Issue.record(error)
    }
  })

@Test(arguments: suite.files) func transcript(_ file: TranscriptFile) async throws { try await suite.play(file) }
