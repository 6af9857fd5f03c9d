import Bytes
import MailStore

/// Reads what mailboxes a server has, and makes of its names what a person means by them.
struct IMAPMailboxList {
  private(set) var mailboxes: [SourceMailbox] = []
  /// As the server writes them, by the mailboxes' handles.
  private(set) var names: [[UInt8]] = []

  /// STATUS commands that are under way together.
  private static let statusBatch = 50

  init(_ client: IMAPClient) async throws(TransferError) {
    var listed: [ListedMailbox] = []
    var subscribed: Set<[UInt8]> = []
    var namespaces = IMAPNamespaces([])
    if client.has("NAMESPACE") {
      _ = try await client.run("NAMESPACE") { if case .namespaces(let found) = $0 { namespaces = found } }
    }
    let returns = client.has("LIST-EXTENDED") && client.has("SPECIAL-USE") ? " RETURN (SPECIAL-USE)" : ""
    let (outcome, status) = try await client.run("LIST \"\" \"*\"\(returns)") { response in
      if case .list(let mailbox, false) = response, listed.count < TransferLimits.mailboxes { listed.append(mailbox) }
    }
    guard outcome == .ok else { throw .source("the mailboxes cannot be listed: \(status.text)") }
    // RFC 9051 has no LSUB any more; its LIST says the same.
    let command = client.has("IMAP4REV1") ? "LSUB \"\" \"*\"" : "LIST (SUBSCRIBED) \"\" \"*\""
    let hasSubscriptions =
      try await client.run(command) { response in
        if case .list(let mailbox, _) = response, !mailbox.attributes.contains("\\noselect") {
          subscribed.insert(mailbox.name)
        }
      }.0 == .ok
    var known: Set<[UInt8]> = []
    let prefix = namespaces.personal.isEmpty ? Self.commonPrefix(listed) : namespaces.personal
    for mailbox in listed where mailbox.isSelectable {
      if namespaces.foreign.contains(where: { mailbox.name.starts(with: $0) }) { continue }
      guard known.insert(mailbox.name).inserted else { continue }
      // On Gmail this one has the messages that are in no other; they are told apart when it is read.
      let isGmailArchive = client.has("X-GM-EXT-1") && mailbox.attributes.contains("\\all")
      let path = Self.path(of: mailbox, without: prefix)
      mailboxes.append(
        SourceMailbox(
          path: path, specialUse: isGmailArchive ? .archive : mailbox.specialUse,
          isSubscribed: !hasSubscriptions || subscribed.contains(mailbox.name) || path == ["INBOX"],
          isView: mailbox.isView && !isGmailArchive, handle: names.count))
      names.append(mailbox.name)
    }
    try await askSizes(client)
  }

  private mutating func askSizes(_ client: IMAPClient) async throws(TransferError) {
    var sizes: [[UInt8]: Int64] = [:]
    var start = 0
    while start < names.count {
      let end = min(start + Self.statusBatch, names.count)
      var tags: Set<String> = []
      for name in names[start..<end] {
        tags.insert(try await client.send("STATUS", quoting: name, " (MESSAGES)"))
      }
      while !tags.isEmpty {
        switch try await client.next() {
        case .tagged(let tag, _, _): tags.remove(tag)
        case .mailboxStatus(let values):
          guard values.count == 2, let name = values[0].octets, let items = values[1].elements else { continue }
          for (item, value) in zip(items, items.dropFirst())
          where item.octets?.equalsIgnoringASCIICase("MESSAGES") == true {
            sizes[Array(name)] = value.number.flatMap { Int64(exactly: $0) }
          }
        default: continue
        }
      }
      start = end
    }
    for index in mailboxes.indices { mailboxes[index].size = sizes[names[mailboxes[index].handle]] }
  }

  /// Servers without NAMESPACE that keep everything below INBOX.
  private static func commonPrefix(_ listed: [ListedMailbox]) -> [UInt8] {
    let others = listed.filter { !$0.name.equalsIgnoringASCIICase("INBOX") }
    guard let separator = others.first?.separator else { return [] }
    let prefix = Array("INBOX".utf8) + [separator]
    return others.allSatisfy { $0.name.prefix(prefix.count).equalsIgnoringASCIICase(prefix) } ? prefix : []
  }

  /// The levels of a name, decoded.
  static func path(of mailbox: ListedMailbox, without prefix: [UInt8]) -> [String] {
    if mailbox.name.equalsIgnoringASCIICase("INBOX") { return ["INBOX"] }
    var name = mailbox.name[...]
    if !prefix.isEmpty, name.count > prefix.count, name.prefix(prefix.count).equalsIgnoringASCIICase(prefix) {
      name = name.dropFirst(prefix.count)
    }
    let text = ModifiedUTF7.decode(name) ?? String(decoding: name, as: UTF8.self)
    guard let separator = mailbox.separator, separator < 0x80 else { return [text] }
    let levels = text.split(separator: Character(Unicode.Scalar(separator))).map { String($0) }
    return levels.isEmpty ? [text] : levels
  }
}

extension ListedMailbox {
  fileprivate var isSelectable: Bool {
    attributes.isDisjoint(with: ["\\noselect", "\\nonexistent"])
      // What no quoted string can hold.
      && !name.contains { $0 == 0 || $0 == 0x0D || $0 == 0x0A } && !name.isEmpty
  }

  fileprivate var isView: Bool { !attributes.isDisjoint(with: ["\\all", "\\allmail", "\\flagged", "\\important"]) }

  fileprivate var specialUse: SpecialUse? {
    SpecialUse.allCases.first { attributes.contains($0.rawValue.lowercased()) }
  }
}
