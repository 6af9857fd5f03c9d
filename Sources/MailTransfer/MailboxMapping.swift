import MailStore

/// Where each mailbox of a source goes.
struct MailboxMapping {
  struct Route {
    var source: SourceMailbox
    var name: MailboxName
    var specialUse: SpecialUse?
  }

  private(set) var routes: [Route] = []
  /// What is otherwise than a person would expect, in words.
  private(set) var remarks: [String] = []

  /// - Parameters:
  ///   - only: names of mailboxes of the source, as `SourceMailbox.name`; empty for all.
  ///   - into: the mailbox that takes the place of the source's inbox, with all others below it. Where `only` names one
  ///     mailbox, that one takes the place.
  init(_ mailboxes: [SourceMailbox], only: [String], into: MailboxName?) throws(TransferError) {
    let wanted = try Self.chosen(from: mailboxes, only: only)
    let uses = into == nil ? SpecialUses(mailboxes) : SpecialUses([])
    // Not for another mailbox that happens to be called so.
    var taken = uses.names
    for mailbox in wanted {
      if mailbox.isView, only.isEmpty {
        remarks.append(
          "\(mailbox.name) shows messages of other mailboxes and is left out; --mailbox takes it all the same")
        continue
      }
      var path = mailbox.path
      var use: SpecialUse?
      if let (found, depth) = uses.use(of: path) {
        path.replaceSubrange(..<depth, with: [found.standardName])
        if depth == mailbox.path.count { use = found }
      }
      if let into {
        let top = into.text.split(separator: MailboxName.separator).map { String($0) }
        let isTop = wanted.count == 1 && !only.isEmpty || path == ["INBOX"]
        path = isTop ? top : top + path
      }
      let name = use.flatMap { MailboxName($0.standardName) } ?? Self.name(for: path, avoiding: taken)
      taken.insert(name)
      routes.append(Route(source: mailbox, name: name, specialUse: use))
      if !Self.isSame(name, path) { remarks.append("\(mailbox.name) cannot be called so here: it is \(name)") }
    }
  }

  private static func chosen(from mailboxes: [SourceMailbox], only: [String]) throws(TransferError)
    -> [SourceMailbox]
  {
    guard !only.isEmpty else { return mailboxes }
    for name in only where !mailboxes.contains(where: { $0.isCalled(name) }) {
      let names = mailboxes.prefix(20).map(\.name).joined(separator: ", ")
      throw .source("the source has no mailbox \(name); it has \(names)\(mailboxes.count > 20 ? ", …" : "")")
    }
    return mailboxes.filter { mailbox in only.contains { mailbox.isCalled($0) } }
  }

  // MARK: Names

  private static func isSame(_ name: MailboxName, _ path: [String]) -> Bool {
    MailboxName(path.joined(separator: "/")) == name && !path.contains { $0.contains("/") }
  }

  /// The nearest name that is valid here and no other mailbox of the source has.
  private static func name(for path: [String], avoiding taken: Set<MailboxName>) -> MailboxName {
    var levels = path.map(validLevel).filter { !$0.isEmpty }
    if levels.count > 50 { levels = Array(levels[..<49]) + [levels[49...].joined(separator: "-")] }
    if levels.isEmpty { levels = ["Unnamed"] }
    var text = levels.joined(separator: "/")
    while text.utf8.count > 900 { text.removeLast() }
    if text.hasSuffix("/") { text.removeLast() }
    let name = MailboxName(text) ?? MailboxName("Unnamed")!
    guard taken.contains(name) else { return name }
    for number in 2... {
      if let other = MailboxName("\(name) (\(number))"), !taken.contains(other) { return other }
    }
    return name
  }

  /// A level with `_` for what no name of ours has in it.
  private static func validLevel(_ text: String) -> String {
    var level = ""
    for scalar in text.unicodeScalars {
      let isValid = scalar != "/" && MailboxName("a\(Character(scalar))a") != nil
      level.unicodeScalars.append(isValid ? scalar : "_")
    }
    return level
  }
}

extension SourceMailbox {
  fileprivate func isCalled(_ text: String) -> Bool {
    name == text || path == ["INBOX"] && text.uppercased() == "INBOX"
  }
}

/// Which mailboxes of a source are its Sent, Trash and so on. Each use is found once: by what the server says of the
/// mailbox, else by the name that we use ourselves, else by a name that other programs give.
private struct SpecialUses {
  private var uses: [[String]: SpecialUse] = [:]

  private static let otherNames: [SpecialUse: Set<String>] = [
    .sent: ["sent items", "sent messages", "sent mail", "sent-mail"],
    .trash: ["deleted items", "deleted messages", "deleted", "bin"],
    .junk: ["spam", "junk e-mail", "junk email", "junk mail", "bulk mail"],
    .drafts: ["draft"],
    .archive: ["archives"],
  ]

  init(_ mailboxes: [SourceMailbox]) {
    let tops = mailboxes.filter { $0.path.count == 1 }
    for use in SpecialUse.allCases where use.standardName != "" {
      let found =
        mailboxes.first { $0.specialUse == use }
        ?? tops.first { $0.specialUse == nil && $0.path[0].lowercased() == use.standardName.lowercased() }
        ?? tops.first { $0.specialUse == nil && Self.otherNames[use]?.contains($0.path[0].lowercased()) == true }
      if let found, uses[found.path] == nil { uses[found.path] = use }
    }
  }

  /// What the mailboxes of these uses are called here.
  var names: Set<MailboxName> { Set(uses.values.compactMap { MailboxName($0.standardName) }) }

  /// The use of the mailbox or of the one it is below, and how many levels that one has.
  func use(of path: [String]) -> (SpecialUse, depth: Int)? {
    for depth in stride(from: path.count, through: 1, by: -1) {
      if let use = uses[Array(path[..<depth])] { return (use, depth) }
    }
    return nil
  }
}

extension SpecialUse {
  /// The mailbox that an account begins with for this use; none for uses that show other mailboxes' messages.
  fileprivate var standardName: String {
    switch self {
    case .archive: "Archive"
    case .drafts: "Drafts"
    case .junk: "Junk"
    case .sent: "Sent"
    case .trash: "Trash"
    case .all, .flagged: ""
    }
  }
}
