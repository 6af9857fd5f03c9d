import MailStore
import MessageFormat

/// Loads `DIR/<address>/<mailbox>/*.eml`; a mailbox may have folders for mailboxes under it.
func loadSeed(_ directory: String, into store: MailStore, clock: WallClock) async throws(StartupError) {
  do {
    for name in try directoryNames(directory) where isDirectory("\(directory)/\(name)") {
      guard let address = EmailAddress(name) else {
        throw StartupError("seed: \(directory)/\(name): expected a folder named like an address")
      }
      do throws(StoreError) {
        try await makeAccount(address, secrets: [], in: store)
      } catch {
        throw StartupError("seed: \(address): \(error.inWords)")
      }
      guard let account = store.directory.account(login: address.description) else { continue }
      let seeder = MailboxSeeder(store: store, account: account.id, clock: clock)
      for mailbox in try directoryNames("\(directory)/\(name)") {
        try await seeder.load("\(directory)/\(name)/\(mailbox)", as: mailbox)
      }
    }
  } catch let problem as FileProblem {
    throw StartupError("seed: \(problem)")
  } catch let problem as StartupError {
    throw problem
  } catch {
    throw StartupError("seed: \(error)")
  }
}

private struct MailboxSeeder {
  let store: MailStore
  let account: AccountID
  let clock: WallClock

  /// Messages of one commit.
  private static let batch = 100
  private static let largestMessage = 256 << 20

  func load(_ path: String, as text: String) async throws {
    guard isDirectory(path) else { return }
    guard let name = MailboxName(text) else { throw StartupError("seed: \(path): not a mailbox name") }
    do {
      if try await store.mailbox(named: name, of: account) == nil {
        _ = try await store.createMailbox(name, specialUse: nil, of: account)
      }
      var messages: [NewMessage] = []
      for file in try directoryNames(path) {
        let filePath = "\(path)/\(file)"
        if isDirectory(filePath) {
          try await load(filePath, as: "\(text)/\(file)")
        } else if file.hasSuffix(".eml") {
          messages.append(try await stage(try readFileBytes(filePath, limit: Self.largestMessage)))
          if messages.count == Self.batch {
            _ = try await store.append(messages, to: name, of: account)
            messages = []
          }
        }
      }
      if !messages.isEmpty { _ = try await store.append(messages, to: name, of: account) }
    } catch let error as StoreError {
      throw StartupError("seed: \(path): \(error.inWords)")
    }
  }

  private func stage(_ bytes: [UInt8]) async throws -> NewMessage {
    let message = withWireLineEnds(bytes)
    let stage = store.stageBody(expectedSize: message.count)
    try await stage.append(message)
    let body = try await stage.finish()
    let written = body.structure.envelope.date.flatMap { DateTime(rfc5322: $0[...]) }
    return NewMessage(body: body, internalDate: written ?? DateTime(timestamp: clock.now(), offsetMinutes: 0))
  }
}

/// Files on disk end lines with LF; messages on the wire, and so in the store, with CRLF.
func withWireLineEnds(_ bytes: [UInt8]) -> [UInt8] {
  var result: [UInt8] = []
  result.reserveCapacity(bytes.count + bytes.count / 32)
  var previous: UInt8 = 0
  for byte in bytes {
    if byte == 0x0A && previous != 0x0D { result.append(0x0D) }
    result.append(byte)
    previous = byte
  }
  return result
}
