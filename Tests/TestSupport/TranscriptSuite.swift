import Foundation
package import Networking

/// The transcripts of one folder and the kind of session they talk to.
package struct TranscriptSuite: Sendable {
  package typealias Session = @Sendable (Connection, ConnectionRequest, TranscriptWorld) async -> Void

  package enum GivenAnswer: Sendable {
    case done
    /// Lines of transcript to play in place of the phrase, such as a login.
    case play(String)
    case unknown
  }

  package let files: [TranscriptFile]
  let plays: TranscriptSide
  let session: Session
  let given: @Sendable (String, [String], TranscriptWorld) async throws -> GivenAnswer
  let perform: @Sendable (String, ScriptedClient, TranscriptWorld) async throws -> Bool

  /// - Parameters:
  ///   - folder: relative to the folder of the source file `beside`, which is `#filePath`.
  ///   - plays: the side that the transcripts are; the session is the other.
  ///   - given: set-up phrases of this target: the phrase and its block.
  ///   - perform: actions of this target (`do …`); false for an unknown one.
  ///   - session: runs one session to its end.
  package init(
    folder: String = "Transcripts", beside source: String, fileExtension: String, plays: TranscriptSide = .client,
    given: @escaping @Sendable (String, [String], TranscriptWorld) async throws -> GivenAnswer = { _, _, _ in .unknown },
    perform: @escaping @Sendable (String, ScriptedClient, TranscriptWorld) async throws -> Bool = { _, _, _ in false },
    session: @escaping Session
  ) {
    let directory = ((source as NSString).deletingLastPathComponent as NSString).appendingPathComponent(folder)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    files = names.filter { $0.hasSuffix("." + fileExtension) }.sorted().map { name in
      let path = (directory as NSString).appendingPathComponent(name)
      do {
        return try TranscriptFile(path: path, plays: plays)
      } catch {
        return TranscriptFile(unreadable: path, error)
      }
    }
    self.plays = plays
    self.session = session
    self.given = given
    self.perform = perform
  }

  /// Plays one transcript in a world of its own. Throws a `TranscriptError` that says where and what went wrong.
  package func play(_ file: TranscriptFile) async throws {
    if let problem = file.problem { throw problem }
    let world = try await TranscriptWorld()
    let watchdog = Task {
      try await Task.sleep(for: .seconds(180))
      world.activity.expire()
    }
    defer { watchdog.cancel() }
    do {
      try await TranscriptPlayer(file: file, suite: self, world: world).play()
    } catch {
      // A session that hangs may still use the store: it stays open, but its folder goes.
      world.removeFolder()
      throw error
    }
    await world.remove()
  }
}
