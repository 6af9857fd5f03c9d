import MailStore
import MessageFormat

/// All that an open store says it holds, sorted by whose it is.
struct StoreContents {
  /// By worker.
  var holdings: [Int: Holdings] = [:]
  var mailboxes: [Mailbox] = []

  /// Throws a `Violation` where a message is not as it went in.
  /// - Parameter isQuiet: nobody changes anything meanwhile, so that counters can be compared.
  static func read(_ store: MailStore, isQuiet: Bool) async throws -> StoreContents {
    var contents = StoreContents()
    for account in store.directory.accounts {
      for message in try await store.deletedMessages(of: account.id, limit: Int(Int32.max)) {
        guard let name = TortureMessage.name(ofID: message.envelope.messageID), let worker = Self.worker(of: name) else {
          throw Violation("\(message.id) of \(account.address), which was deleted, is nobody's")
        }
        contents.holdings[worker, default: Holdings()].deleted[message.id] = Holdings.Deleted(
          message: Holdings.Message(account: account.id, name: name), flags: message.flags)
      }
      for mailbox in try await store.mailboxes(of: account.id) {
        contents.mailboxes.append(mailbox)
        if let worker = Self.worker(of: mailbox.name.text) {
          let folder = Holdings.Folder(account: account.id, name: mailbox.name.text)
          contents.holdings[worker, default: Holdings()].folders[folder] = .some(mailbox.id)
        }
        do {
          try await contents.readMessages(of: mailbox, store, isQuiet: isQuiet)
        } catch StoreError.mailboxNotFound where !isQuiet {
          continue
        }
      }
    }
    for alias in store.directory.aliases {
      guard case .address(let address) = alias.pattern, let worker = Self.worker(of: address.localPart) else {
        continue
      }
      contents.holdings[worker, default: Holdings()].aliases.insert(address.localPart)
    }
    try await contents.readQueue(store, isQuiet: isQuiet)
    return contents
  }

  /// What these lack or have too much to be `expected`, in words; nil where they agree.
  func difference(from expected: StoreContents) -> String? {
    for number in Set(holdings.keys).union(expected.holdings.keys).sorted() {
      let (found, wanted) = (holdings[number] ?? Holdings(), expected.holdings[number] ?? Holdings())
      if let difference = found.difference(from: wanted) { return "worker \(number): \(difference)" }
    }
    // Which messages are new to every session is not kept for ever.
    func lasting(_ mailbox: Mailbox) -> Mailbox {
      var mailbox = mailbox
      mailbox.firstRecent = UID(rawValue: 1)
      return mailbox
    }
    let (found, wanted) = (Set(mailboxes.map(lasting)), Set(expected.mailboxes.map(lasting)))
    guard found != wanted else { return nil }
    return "mailboxes are \(found.subtracting(wanted)), expected \(wanted.subtracting(found))"
  }

  private mutating func readMessages(of mailbox: Mailbox, _ store: MailStore, isQuiet: Bool) async throws {
    let index = try await store.index(of: mailbox.id)
    let entries = try await store.entries(in: mailbox.id, uids: index.uids)
    if isQuiet {
      guard entries.map(\.uid) == index.uids, entries.map(\.flags.system) == index.flags,
        entries.count == mailbox.messageCount
      else { throw Violation("\(mailbox.name) is not what its index says") }
    }
    for entry in entries {
      guard let text = try await Self.text(of: entry, store, isQuiet: isQuiet) else { continue }
      guard let name = TortureMessage.name(of: text, prefix: entry.content.prefix), let worker = Self.worker(of: name)
      else { throw Violation("message \(entry.uid.rawValue) of \(mailbox.name) is not as it was") }
      let message = Holdings.Message(account: mailbox.account, name: name)
      holdings[worker, default: Holdings()].messages[message, default: []].append(
        Holdings.Place(mailbox: mailbox.id, uid: entry.uid, flags: entry.flags))
    }
  }

  private mutating func readQueue(_ store: MailStore, isQuiet: Bool) async throws {
    for delivery in try await store.queuedMessages(QueueFilter(), limit: Int(Int32.max)) {
      let (message, name) = (delivery.message, delivery.message.sender?.localPart ?? "")
      guard let worker = Self.worker(of: name) else { throw Violation("\(message.id) of the queue is nobody's") }
      do {
        let text = try await store.read(message.content, range: 0..<message.content.size)
        guard TortureMessage.name(of: text, prefix: message.content.prefix) == name else {
          throw Violation("\(name) of the queue is not as it was")
        }
      } catch StoreError.messageNotFound where !isQuiet {
        continue
      }
      holdings[worker, default: Holdings()].queued[name] = Dictionary(
        uniqueKeysWithValues: delivery.recipients.map { ($0.position, $0.state) })
    }
  }

  /// Nil where another worker has expunged it meanwhile, and it was purged.
  private static func text(of entry: MessageEntry, _ store: MailStore, isQuiet: Bool) async throws -> [UInt8]? {
    do {
      return try await store.read(entry.content, range: 0..<entry.size)
    } catch StoreError.messageNotFound where !isQuiet {
      return nil
    }
  }

  /// Names of workers' things begin with `w` and the worker's number.
  private static func worker(of name: String) -> Int? {
    guard name.hasPrefix("w") else { return nil }
    return Int(name.dropFirst().prefix { $0.isNumber })
  }
}

/// What was found to be otherwise than it must be.
package struct Violation: Error, CustomStringConvertible {
  package let description: String
  init(_ description: String) { self.description = description }
}
