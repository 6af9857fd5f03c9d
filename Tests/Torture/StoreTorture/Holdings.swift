import MailStore

/// What one worker has in the store, as it was told: nobody else touches these messages, mailboxes and aliases.
struct Holdings: Sendable {
  struct Message: Hashable {
    var account: AccountID
    /// The worker's number, then what tells its messages apart; it stands in the message.
    var name: String
  }

  struct Place: Hashable, CustomStringConvertible {
    /// Nil, like the UID, where the answer that names it never came.
    var mailbox: MailboxID?
    var uid: UID?
    var flags: MessageFlags

    var description: String {
      let words = flags.keywords.map(\.text).joined(separator: " ")
      return "\(mailbox?.rawValue ?? 0):\(uid?.rawValue ?? 0)(\(flags.system.rawValue) \(words))"
    }
  }

  struct Folder: Hashable {
    var account: AccountID
    var name: String
  }

  /// A message that was expunged from a place, and can be restored.
  struct Deleted: Hashable {
    var message: Message
    var flags: MessageFlags
  }

  /// Every place of each message that is in any.
  var messages: [Message: [Place]] = [:]
  var deleted: [EntryID: Deleted] = [:]
  /// Mailboxes of its own; nil where the answer with the ID never came.
  var folders: [Folder: MailboxID?] = [:]
  var aliases: Set<String> = []
  /// The recipients of its messages in the queue, by their positions.
  var queued: [String: [Int: QueuedRecipient.State]] = [:]

  /// What these lack or have too much to be `expected`, in words; nil where they agree.
  /// - Parameter mayBePurged: of what was deleted, any may be gone for good.
  func difference(from expected: Holdings, mayBePurged: Bool = false) -> String? {
    for (message, places) in expected.messages {
      guard let found = messages[message] else { return "\(message.name) is missing from \(places)" }
      guard Self.agree(found, places) else { return "\(message.name) is in \(found), expected \(places)" }
    }
    for (message, places) in messages where expected.messages[message] == nil {
      return "\(message.name) is in \(places), expected nowhere"
    }
    for (folder, id) in expected.folders {
      guard let found = folders[folder] else { return "mailbox \(folder.name) is missing" }
      if let id, found != id { return "mailbox \(folder.name) is another than it was" }
    }
    for folder in folders.keys where expected.folders[folder] == nil { return "mailbox \(folder.name) should not be" }
    for (id, wanted) in expected.deleted where deleted[id] != wanted && !(mayBePurged && deleted[id] == nil) {
      return "\(wanted.message.name) was expunged as \(id); of that is kept: \(deleted[id].map { "\($0)" } ?? "nothing")"
    }
    for (id, wrong) in deleted where expected.deleted[id] == nil {
      return "\(wrong.message.name) is kept as expunged as \(id), expected not to be"
    }
    for name in Set(queued.keys).union(expected.queued.keys).sorted() where queued[name] != expected.queued[name] {
      return "\(name) is in the queue as \(queued[name] ?? [:]), expected \(expected.queued[name] ?? [:])"
    }
    if aliases != expected.aliases { return "aliases are \(aliases), expected \(expected.aliases)" }
    return nil
  }

  private static func agree(_ found: [Place], _ expected: [Place]) -> Bool {
    guard found.count == expected.count else { return false }
    var rest = found
    // Known UIDs first, so that unknown ones take what is left.
    for place in expected.sorted(by: { $0.uid != nil && $1.uid == nil }) {
      guard
        let match = rest.firstIndex(where: {
          (place.mailbox == nil || $0.mailbox == place.mailbox) && (place.uid == nil || $0.uid == place.uid)
            && $0.flags == place.flags
        })
      else { return false }
      rest.remove(at: match)
    }
    return true
  }

  mutating func expunge(_ message: Message, where isExpunged: (Place) -> Bool) {
    var rest: [Place] = []
    for place in messages[message] ?? [] {
      if isExpunged(place) {
        guard let mailbox = place.mailbox, let uid = place.uid else { continue }
        deleted[EntryID(mailbox: mailbox, uid: uid)] = Deleted(message: message, flags: place.flags)
      } else {
        rest.append(place)
      }
    }
    setPlaces(rest, of: message)
  }

  mutating func setPlaces(_ places: [Place], of message: Message) { messages[message] = places.isEmpty ? nil : places }
}
