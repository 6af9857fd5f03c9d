import Foundation

/// One transcript, read. The format is described in this folder's README.
package struct TranscriptFile: Sendable, CustomStringConvertible {
  package let path: String
  package let steps: [TranscriptStep]
  /// Who the transcript's own lines are from; the session under test is the other.
  let plays: TranscriptSide
  /// Why it could not be read; such a file fails when it is played, so that the others of its folder are played too.
  let problem: (any Error)?

  package var description: String { (path as NSString).lastPathComponent }

  package init(path: String, plays: TranscriptSide = .client) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw TranscriptError(path: path, line: 0, problem: "cannot be read")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw TranscriptError(path: path, line: 0, problem: "is not UTF-8; write other octets as C-raw or S-raw with \\xNN")
    }
    try self.init(text, path: path, plays: plays)
  }

  package init(_ text: String, path: String, plays: TranscriptSide = .client) throws {
    self.path = path
    self.plays = plays
    var reader = TranscriptReader(path: path, plays: plays)
    var number = 0
    // Split by scalar: as Characters, CRLF is not a line end but one of its own.
    for line in text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      var line = String(line)
      if line.unicodeScalars.last == "\r" { line.unicodeScalars.removeLast() }
      try reader.read(line, number)
    }
    steps = try reader.finish()
    problem = nil
  }

  init(unreadable path: String, _ problem: any Error) {
    self.path = path
    plays = .client
    self.problem = problem
    steps = []
  }
}

/// The side of a dialogue that a transcript plays.
package enum TranscriptSide: Sendable {
  case client
  /// The session under test is a client, as `SMTPClient`'s is.
  case server

  var own: String { self == .client ? "C" : "S" }
  var other: String { self == .client ? "S" : "C" }
  /// The session under test, in what is said of it.
  var opponent: String { self == .client ? "the server" : "the client" }
}

/// A line of a transcript with the connection it is about.
package struct TranscriptStep: Sendable {
  package var line: Int
  /// Empty for the unnamed connection.
  package var connection: String
  package var action: Action

  package enum Action: Sendable {
    /// The text after `given`, and its block.
    case given(String, [String])
    case advance(Duration)
    case logHas(TranscriptPattern)
    case logNever(String)

    case connect(String)
    case sendLine(String)
    case send([UInt8])
    case expectLine(TranscriptPattern)
    case skipToLine(TranscriptPattern)
    case expectBytes([UInt8])
    case never(String)
    case quiet
    case closed
    case endInput(ClientEnd)
    case handshake(HandshakeOutcome)
    case reading(Bool)
    case stop
    case perform(String)
  }

  package enum ClientEnd: Sendable { case halfClose, truncate, reset }
  /// `verifies`: and it is sure who the server is.
  package enum HandshakeOutcome: Sendable { case succeeds, verifies, fails }
}

/// What is wrong with a transcript, or with the dialogue it was played against.
package struct TranscriptError: Error, CustomStringConvertible {
  package var path: String
  package var line: Int
  package var problem: String
  package var description: String { "\(path):\(line): \(problem)" }
}
