import MailStore
import MessageFormat

/// Another server as the source of an import.
///
/// The mailbox's UIDs are asked for once; then facts of some hundred messages at a time, and the bodies of those that
/// are wanted. The facts of the next window are always asked for before the bodies of this one are read, so that the
/// server has something to do while an answer travels. Bodies are asked for by one command after the other: servers
/// (Dovecot) answer several of them in turns, and messages that do not come in the order of their UIDs lose these.
final class IMAPSource: MessageSource {
  /// A message's UID.
  typealias Place = UInt32

  private let access: IMAPAccess
  private let sleep: @Sendable (Duration) async -> Void
  private var client: IMAPClient?
  private var names: [[UInt8]] = []

  // Of the open mailbox.
  private var uids: [UInt32] = []
  private var position = 0
  private var keepsUIDs = false
  private var isGmailArchive = false
  private var facts: [UInt32: FetchedMessage] = [:]
  private var asked: [(tag: String, uids: ArraySlice<UInt32>)] = []
  /// Bodies that one command is to ask for, in order; and how many such commands each window takes.
  private var waiting: [[UInt32]] = []
  private var requested: [Int] = []
  private var underWay: (tag: String, uids: [UInt32])?
  /// Where bodies go, whatever else is waited for when they come.
  private var sink: ImportSink?
  /// Messages whose bodies are to come.
  private var awaited: [UInt32: SourceMessage<UInt32>] = [:]
  private var isDone: [String: (IMAPResponse.Outcome, String)] = [:]

  private var attempts = 0
  /// Seconds to wait before each attempt to connect again; then it is given up.
  private static let pauses = [1, 2, 4, 8, 15, 30, 30, 30]
  /// Messages, and octets of them, that one command asks for: what has to be asked for again after a refusal.
  private static let commandMessages = 250
  private static let commandOctets: Int64 = 4 << 20

  init(
    _ access: IMAPAccess,
    sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }
  ) {
    self.access = access
    self.sleep = sleep
  }

  let progressUnit = OperationProgress.Unit.messages

  // MARK: Mailboxes

  func list() async throws(TransferError) -> [SourceMailbox] {
    let client = try await connected()
    let list = try await IMAPMailboxList(client)
    names = list.names
    return list.mailboxes
  }

  func open(_ mailbox: SourceMailbox, after last: SourceMessage<UInt32>?) async throws(TransferError) -> OpenedMailbox {
    let client = try await connected()
    forget()
    let name = names[mailbox.handle]
    isGmailArchive = client.has("X-GM-EXT-1") && mailbox.specialUse == .archive
    // Both at once: where the first fails, so does the second.
    let selecting = try await client.send("EXAMINE", quoting: name)
    let searching = try await client.send("UID SEARCH ALL")
    var validity: UInt32?
    var next: UInt32?
    var isSticky = true
    var tags: Set<String> = [selecting, searching]
    while !tags.isEmpty {
      switch try await client.next() {
      case .status(_, let status):
        validity = status.number("UIDVALIDITY") ?? validity
        next = status.number("UIDNEXT") ?? next
        if status.has("UIDNOTSTICKY") { isSticky = false }
      case .found(let numbers): uids += numbers
      case .tagged(let tag, let outcome, let status):
        tags.remove(tag)
        guard outcome == .ok else {
          if tag == selecting, tags.contains(searching) { try await finish(searching) }
          throw .source("\(mailbox.name) cannot be read: \(status.text)")
        }
      default: break
      }
    }
    uids.sort()
    if zip(uids, uids.dropFirst()).contains(where: { $0 == $1 }) { uids = Array(Set(uids)).sorted() }
    keepsUIDs = isSticky && (validity ?? 0) > 0
    let first = uids.first ?? next
    if let last { uids.removeAll { $0 <= last.place } }
    try await askFacts()
    var opened = OpenedMailbox(
      identity: "\(access.location.identity)/\(mailbox.name);UIDVALIDITY=\(validity ?? 0)")
    if keepsUIDs, let validity, let first {
      opened.uids = OriginUIDs(validity: UIDValidity(rawValue: validity), first: UID(rawValue: first))
      opened.uidNext = next.flatMap { $0 > 0 ? UID(rawValue: $0) : nil }
    }
    return opened
  }

  private func forget() {
    uids = []
    position = 0
    facts = [:]
    asked = []
    waiting = []
    requested = []
    underWay = nil
    awaited = [:]
    isDone = [:]
  }

  private func finish(_ tag: String) async throws(TransferError) {
    while true {
      if case .tagged(tag, _, _) = try await connected().next() { return }
    }
  }

  // MARK: Windows

  /// Asks for what is known of the next window, if there is one.
  private func askFacts() async throws(TransferError) {
    guard position < uids.count, let client else { return }
    let end = min(position + TransferLimits.window, uids.count)
    let window = uids[position..<end]
    position = end
    let labels = isGmailArchive ? " X-GM-LABELS" : ""
    // Between two UIDs that SEARCH has named there is no other.
    let set = "\(uids[window.startIndex]):\(uids[window.endIndex - 1])"
    let tag = try await client.send("UID FETCH \(set) (UID FLAGS INTERNALDATE RFC822.SIZE\(labels))")
    asked.append((tag, window))
  }

  func nextWindow() async throws(TransferError) -> [SourceMessage<UInt32>]? {
    while !asked.isEmpty {
      try await askFacts()
      let (tag, window) = asked.removeFirst()
      let (outcome, text) = try await completion(of: tag)
      guard outcome == .ok else { throw .source("the server refuses to say what messages it has: \(text)") }
      var messages: [SourceMessage<UInt32>] = []
      for uid in window {
        guard let fact = facts.removeValue(forKey: uid), !isElsewhere(fact) else { continue }
        messages.append(
          SourceMessage(
            key: withUnsafeBytes(of: uid.bigEndian) { Array($0) }, uid: keepsUIDs ? UID(rawValue: uid) : nil,
            flags: MessageFlags(imapWords: fact.flags ?? []), date: fact.date, weight: 1, octets: fact.size ?? 0,
            place: uid))
      }
      // Those of messages that nobody has asked about, or not any more.
      if let last = window.last { facts = facts.filter { $0.key > last } }
      attempts = 0
      if !messages.isEmpty { return messages }
    }
    return nil
  }

  func label(of message: SourceMessage<UInt32>) -> String { "UID \(message.place)" }

  /// Gmail shows every message in this mailbox; those that have another one come from there.
  private func isElsewhere(_ fact: FetchedMessage) -> Bool {
    let marks: Set<String> = ["\\important", "\\starred", "\\muted"]
    return isGmailArchive && fact.labels.contains { !marks.contains($0.lowercased()) }
  }

  func request(_ wanted: [SourceMessage<UInt32>], for sink: ImportSink) async throws(TransferError) {
    self.sink = sink
    var groups: [[UInt32]] = []
    var group: [UInt32] = []
    var octets: Int64 = 0
    for message in wanted {
      awaited[message.place] = message
      group.append(message.place)
      octets += message.octets
      if group.count == Self.commandMessages || octets >= Self.commandOctets {
        groups.append(group)
        group = []
        octets = 0
      }
    }
    if !group.isEmpty { groups.append(group) }
    waiting += groups
    requested.append(groups.count)
    try await askNext()
  }

  /// The next command for bodies, unless one is under way.
  private func askNext() async throws(TransferError) {
    guard underWay == nil, !waiting.isEmpty else { return }
    let uids = waiting.removeFirst()
    underWay = (try await askBodies(uids[...]), uids)
  }

  private func askBodies(_ uids: ArraySlice<UInt32>) async throws(TransferError) -> String {
    try await connected().send("UID FETCH \(uidSet(uids)) (UID BODY.PEEK[])")
  }

  func send(_ wanted: [SourceMessage<UInt32>], to sink: ImportSink) async throws(TransferError) {
    guard !requested.isEmpty else { return }
    for _ in 0..<requested.removeFirst() {
      guard let (tag, uids) = underWay else { break }
      _ = try await completion(of: tag)
      // One that the server cannot give may have cost those behind it too: they are asked for one by one.
      for uid in uids where awaited[uid] != nil { try await askAgain(uid, sink) }
      underWay = nil
      try await askNext()
    }
  }

  private func askAgain(_ uid: UInt32, _ sink: ImportSink) async throws(TransferError) {
    let (outcome, text) = try await completion(of: try await askBodies([uid]))
    guard let message = awaited.removeValue(forKey: uid) else { return }
    if outcome != .ok {
      sink.note("\(label(of: message)): the server refuses: \(text)")
    } else if try await isThere(uid) {
      sink.note("\(label(of: message)): the server has no octets for it")
    }
  }

  /// False for a message that was expunged since it was listed.
  private func isThere(_ uid: UInt32) async throws(TransferError) -> Bool {
    facts[uid] = nil
    _ = try await completion(of: try await connected().send("UID FETCH \(uid) (UID FLAGS)"))
    return facts.removeValue(forKey: uid) != nil
  }

  // MARK: Responses

  /// Reads up to the end of a command. Whatever else comes is taken for what it is: facts, or a body on its way to the
  /// sink.
  private func completion(of tag: String) async throws(TransferError) -> (IMAPResponse.Outcome, String) {
    let client = try await connected()
    while true {
      if let done = isDone.removeValue(forKey: tag) { return done }
      var hasOctets = false
      let sink = sink
      let response = try await client.next { (octets) async throws(TransferError) in
        hasOctets = true
        try await sink?.octets(octets)
      }
      switch response {
      case .tagged(let tag, let outcome, let status): isDone[tag] = (outcome, status.text)
      case .fetched(let fetched): try await take(fetched, hasOctets: hasOctets)
      default: break
      }
    }
  }

  private func take(_ fetched: FetchedMessage, hasOctets: Bool) async throws(TransferError) {
    guard let uid = fetched.uid, fetched.hasBody else {
      if hasOctets { try await sink?.abandon() }
      // Flags that another client has changed come without being asked for; those belong to the next run.
      if let uid = fetched.uid, facts[uid]?.flags == nil { facts[uid] = fetched }
      return
    }
    guard let sink, let message = awaited.removeValue(forKey: uid) else {
      if hasOctets { try await sink?.abandon() }
      return
    }
    if !hasOctets { try await sink.octets(fetched.body) }
    try await sink.facts(
      ImportFacts(
        key: message.key, label: label(of: message), uid: message.uid, flags: message.flags, date: message.date))
  }

  // MARK: The connection

  private func connected() async throws(TransferError) -> IMAPClient {
    if let client { return client }
    let made = try await IMAPClient.logIn(access)
    client = made
    return made
  }

  func recover() async throws(TransferError) {
    client?.drop()
    client = nil
    var reason: TransferError?
    while attempts < Self.pauses.count {
      await sleep(.seconds(Self.pauses[attempts]))
      attempts += 1
      do throws(TransferError) {
        _ = try await connected()
        return
      } catch .sourceLost(let text) {
        reason = .source("\(text); given up after \(attempts) attempts")
      } catch {
        throw error
      }
    }
    throw reason ?? .source("the connection breaks again and again; given up")
  }

  func close() async {
    await client?.close()
    client = nil
  }
}

/// UIDs as a set, `3:5,9`; in ascending order.
private func uidSet(_ uids: ArraySlice<UInt32>) -> String {
  var parts: [String] = []
  var first: UInt32?
  var last: UInt32 = 0
  func end() {
    if let first { parts.append(first == last ? "\(first)" : "\(first):\(last)") }
  }
  for uid in uids {
    if first != nil, uid == last &+ 1 {
      last = uid
    } else {
      end()
      first = uid
      last = uid
    }
  }
  end()
  return parts.joined(separator: ",")
}
