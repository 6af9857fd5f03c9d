import Logging
import MailStore
import MessageFormat

/// Messages for an administrator: lists, and bringing back what was deleted.
extension Administration {
  /// A list is one reply, so it has an end.
  static let longestList = 10_000

  func listMessages(
    of address: String, in name: String?, isDeleted: Bool, limit: Int
  ) async throws(Refusal) -> AdministrativeReply {
    let account = try account(address)
    let mailbox = try name.map { (name) throws(Refusal) in try mailboxName(name) }
    guard (1...Self.longestList).contains(limit) else { throw Refusal("a list has 1 to \(Self.longestList) messages") }
    // One more than is shown tells whether there are more.
    let found = try await stored("account \(account.address)") { () throws(StoreError) in
      if isDeleted { return try await store.deletedMessages(of: account.id, in: mailbox, limit: limit + 1) }
      var found: [ListedMessage] = []
      let names: [MailboxName] =
        if let mailbox { [mailbox] } else { try await store.mailboxes(of: account.id).map(\.name) }
      for name in names where found.count <= limit {
        found += try await store.messages(of: account.id, in: name, limit: limit + 1 - found.count)
      }
      return found
    }
    return .messages(MessageList(messages: found.prefix(limit).map { MessageSummary($0) }, isCutOff: found.count > limit))
  }

  func undeleteMessages(
    of address: String, ids texts: [String], in name: String?, since day: String?, into: String?,
    _ progress: @escaping ProgressHandler
  ) async throws(Refusal) -> AdministrativeReply {
    let account = try account(address)
    let destination = try into.map { (name) throws(Refusal) in try mailboxName(name) }
    let selection: DeletedSelection
    var ids: [EntryID] = []
    switch (texts.isEmpty, name) {
    case (false, nil):
      guard day == nil else { throw Refusal("a day goes with a mailbox, not with IDs") }
      for text in texts {
        guard let id = EntryID(text) else { throw Refusal("\(quoted(text)) is not an ID such as 12.345") }
        ids.append(id)
      }
      selection = .messages(ids)
    case (true, let name?):
      selection = .mailbox(
        try mailboxName(name), since: try day.map { (day) throws(Refusal) in try self.day(day) })
    case (true, nil), (false, _?):
      throw Refusal("name the messages by their IDs, or a mailbox")
    }
    let restored = try await stored("account \(account.address)") { () throws(StoreError) in
      try await store.restore(selection, of: account.id, into: destination, progress: progress)
    }
    let back = Set(restored.map(\.origin))
    var seen: Set<EntryID> = []
    let missing = ids.filter { !back.contains($0) && seen.insert($0).inserted }
    logger.notice(
      "messages_restored", metadata: ["user": "\(account.address)", "messages": "\(restored.count)"])
    guard !restored.isEmpty || ids.isEmpty else {
      throw Refusal("not among the deleted messages of \(account.address): \(texts.joined(separator: ", "))")
    }
    return .undeleted(
      UndeleteReport(
        restored: restored.map {
          .init(id: $0.origin.description, newID: $0.id.description, mailbox: $0.mailbox.text)
        }, notFound: missing.map(\.description)))
  }

  private func mailboxName(_ text: String) throws(Refusal) -> MailboxName {
    guard let name = MailboxName(text) else { throw Refusal("\(quoted(text)) is not the name of a mailbox") }
    return name
  }

  /// The beginning of the day, UTC.
  private func day(_ text: String) throws(Refusal) -> Timestamp {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 3, let year = parts[0], let month = parts[1], let day = parts[2], (1...9_999).contains(year),
      let date = CalendarDate(year: year, month: month, day: day)
    else { throw Refusal("\(quoted(text)) is not a day such as 2026-05-17") }
    return Timestamp(seconds: Int64(date.days) * 86_400)
  }
}

package struct MessageList: Codable, Hashable, Sendable {
  package var messages: [MessageSummary]
  /// There are more.
  package var isCutOff: Bool
}

package struct MessageSummary: Codable, Hashable, Sendable {
  /// `MAILBOX.UID`; a restoration takes it.
  package var id: String
  /// For a deleted message, the name of its mailbox at the time.
  package var mailbox: String
  /// When it came; ISO 8601, UTC.
  package var date: String
  package var from: String
  package var subject: String
  package var size: Int64
  package var flags: [String]
  /// ISO 8601, UTC.
  package var deleted: String?
}

package struct UndeleteReport: Codable, Hashable, Sendable {
  package struct Message: Codable, Hashable, Sendable {
    package var id: String
    package var newID: String
    package var mailbox: String
  }
  package var restored: [Message]
  /// IDs that were asked for and are not among the deleted.
  package var notFound: [String]
}

extension MessageSummary {
  /// Texts for a line of a list: bounded, and without anything that a terminal would obey.
  private static let textLimit = 200

  init(_ message: ListedMessage) {
    let envelope = message.envelope
    self.init(
      id: message.id.description, mailbox: message.mailbox.text, date: iso8601(message.internalDate.timestamp),
      from: envelope.from.first.map { Self.shown($0) } ?? "", subject: Self.shown(envelope.subject ?? []),
      size: message.size, flags: message.flags.names, deleted: message.deletedAt.map { iso8601($0) })
  }

  private static func shown(_ address: EnvelopeAddress) -> String {
    let path = shown((address.mailbox ?? []) + (address.host.map { [UInt8(ascii: "@")] + $0 } ?? []))
    guard let name = address.name.map({ shown($0) }), !name.isEmpty else { return path }
    return "\(name) <\(path)>"
  }

  private static func shown(_ field: [UInt8]) -> String {
    let text = String(decoding: EncodedWords.decode(field), as: UTF8.self)
    let kept = text.prefix(textLimit).unicodeScalars.map { scalar -> Character in
      switch scalar.properties.generalCategory {
      // Line breaks, escape sequences, and marks that turn the direction of writing.
      case .control, .format, .lineSeparator, .paragraphSeparator: " "
      default: Character(scalar)
      }
    }
    return String(kept)
  }
}

extension MessageFlags {
  fileprivate var names: [String] {
    let all: [(SystemFlags, String)] = [
      (.seen, "\\Seen"), (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"),
      (.draft, "\\Draft"),
    ]
    return all.filter { system.contains($0.0) }.map(\.1) + keywords.map(\.text)
  }
}
