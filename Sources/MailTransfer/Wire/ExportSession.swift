package import MailStore
import MessageFormat
package import Networking

/// The server's side of an export: sends mailboxes and messages as fast as the command takes them.
package struct ExportSession {
  private let store: MailStore
  private let mailboxes: [Mailbox]
  private let channel: TransferChannel

  private struct Gone: Error {}

  /// Messages whose facts are read at once, and octets of bodies that are.
  private static let group = 200
  private static let groupOctets = 512 << 10

  /// - Parameter mailboxes: what is exported, in this order.
  package init(store: MailStore, mailboxes: [Mailbox], connection: Connection) {
    self.store = store
    self.mailboxes = mailboxes
    channel = TransferChannel(connection)
  }

  package func run() async {
    do throws(Gone) {
      for mailbox in mailboxes where mailbox.isSelectable { try await export(mailbox) }
      try await send(.ended, [])
      try await flush()
      // The command closes when it has all of it on its disk.
      _ = try? await channel.next(timeout: .seconds(24 * 3600))
    } catch {}
  }

  private func export(_ mailbox: Mailbox) async throws(Gone) {
    let index: MailboxIndex
    do throws(StoreError) {
      index = try await store.index(of: mailbox.id)
    } catch .mailboxNotFound, .mailboxNotSelectable {
      return
    } catch {
      return try await fail(error)
    }
    try await send(.exportedMailbox, ExportedMailbox(index.mailbox, messages: index.uids.count).payload)
    var start = 0
    while start < index.uids.count {
      let end = min(start + Self.group, index.uids.count)
      let entries: [MessageEntry]
      do throws(StoreError) {
        entries = try await store.entries(in: mailbox.id, uids: Array(index.uids[start..<end]))
      } catch {
        return try await fail(error)
      }
      try await export(entries)
      start = end
    }
  }

  /// Small ones are read together.
  private func export(_ entries: [MessageEntry]) async throws(Gone) {
    var group: [MessageEntry] = []
    var octets = 0
    for entry in entries {
      if octets + entry.size > Self.groupOctets, !group.isEmpty {
        try await exportTogether(group)
        group = []
        octets = 0
      }
      if entry.size > Self.groupOctets {
        try await exportInPieces(entry)
      } else {
        group.append(entry)
        octets += entry.size
      }
    }
    if !group.isEmpty { try await exportTogether(group) }
  }

  private func exportTogether(_ entries: [MessageEntry]) async throws(Gone) {
    let bodies: [[UInt8]]
    do throws(StoreError) {
      bodies = try await store.read(entries.map { (content: $0.content, range: 0..<$0.size) })
    } catch {
      // One of them cannot be read: which?
      for entry in entries { try await exportInPieces(entry) }
      return
    }
    for (entry, body) in zip(entries, bodies) {
      try await begin(entry)
      try await sendOctets(body)
    }
  }

  private func exportInPieces(_ entry: MessageEntry) async throws(Gone) {
    var offset = 0
    var hasBegun = false
    while offset < entry.size || !hasBegun {
      let end = min(offset + Self.groupOctets, entry.size)
      let piece: [UInt8]
      do throws(StoreError) {
        piece = try await store.read(entry.content, range: offset..<end)
      } catch {
        try await send(.exportProblem, Array("UID \(entry.uid.rawValue): \(error.inWords)".utf8))
        return
      }
      if !hasBegun { try await begin(entry) }
      hasBegun = true
      try await sendOctets(piece)
      offset = end
    }
  }

  private func begin(_ entry: MessageEntry) async throws(Gone) {
    let message = ExportedMessage(
      uid: entry.uid, flags: entry.flags, date: entry.internalDate, size: entry.size)
    try await send(.exportedMessage, message.payload)
  }

  private func sendOctets(_ octets: [UInt8]) async throws(Gone) {
    var start = 0
    while start < octets.count {
      let end = min(start + TransferLimits.chunk, octets.count)
      octets.withUnsafeBytes { channel.send(.octets, UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
      if channel.isFull { try await flush() }
      start = end
    }
  }

  private func fail(_ error: StoreError) async throws(Gone) {
    try await send(.failed, Array(error.inWords.utf8))
    try await flush()
    throw Gone()
  }

  private func send(_ kind: TransferFrame.Kind, _ payload: [UInt8]) async throws(Gone) {
    do throws(TransferChannel.Failure) { try await channel.send(kind, payload) } catch { throw Gone() }
  }

  private func flush() async throws(Gone) {
    do throws(TransferChannel.Failure) { try await channel.flush() } catch { throw Gone() }
  }
}
