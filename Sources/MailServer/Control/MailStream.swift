import Logging
import MailStore
import MailTransfer
import MessageFormat
import Networking

/// What becomes of a control connection on which mail is to travel.
enum MailStream {
  /// Runs until all has gone over.
  case open(@Sendable (Connection) async -> Void)
  case refused(String)
}

extension Administration {
  /// Nil for an operation that is no stream.
  func stream(for operation: AdministrativeOperation) async -> MailStream? {
    do throws(Refusal) {
      switch operation {
      case .importMail(let address, let isRehearsal): return try importStream(address, isRehearsal: isRehearsal)
      case .exportMail(let address, let mailboxes): return try await exportStream(address, mailboxes)
      default: return nil
      }
    } catch {
      return .refused(error.text)
    }
  }

  private func importStream(_ address: String, isRehearsal: Bool) throws(Refusal) -> MailStream {
    let account = try account(address)
    return .open { [store, clock, logger, messageSize] connection in
      logger.notice("import_began", metadata: ["user": "\(account.address)", "rehearsal": "\(isRehearsal)"])
      var session = ImportSession(
        store: store, account: account.id, clock: clock, isRehearsal: isRehearsal, messageSize: messageSize,
        connection: connection)
      let stored = await session.run()
      logger.notice("import_ended", metadata: ["user": "\(account.address)", "messages": "\(stored)"])
    }
  }

  private func exportStream(_ address: String, _ names: [String]) async throws(Refusal) -> MailStream {
    let account = try account(address)
    let all = try await stored("account \(account.address)") { () throws(StoreError) in
      try await store.mailboxes(of: account.id)
    }
    var chosen = all
    if !names.isEmpty {
      chosen = []
      for name in names {
        guard let mailbox = all.first(where: { $0.name == MailboxName(name) }) else {
          throw Refusal("\(account.address) has no mailbox \(quoted(name))")
        }
        if !chosen.contains(mailbox) { chosen.append(mailbox) }
      }
    }
    return .open { [store, logger, chosen] connection in
      logger.notice("export_began", metadata: ["user": "\(account.address)"])
      await ExportSession(store: store, mailboxes: chosen, connection: connection).run()
      logger.notice("export_ended", metadata: ["user": "\(account.address)"])
    }
  }
}
