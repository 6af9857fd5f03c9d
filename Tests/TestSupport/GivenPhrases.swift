import MailStore
import MessageFormat
import Networking

/// The set-up phrases that every transcript may use.
enum GivenPhrases {
  /// Does what the phrase says; false if it is none of ours.
  static func perform(_ phrase: String, _ block: [String], _ world: TranscriptWorld) async throws -> Bool {
    switch phrase {
    case "plaintext authentication is refused": world.setPlaintextAllowed(false)
    case "STARTTLS is not offered": world.setSTARTTLSOffered(false)
    default:
      if let words = phrase.removing(prefix: "connections ") {
        world.connectionDefaults = try request(words, from: world.connectionDefaults)
      } else if let name = phrase.removing(prefix: "domain ") {
        guard let domain = Domain(name) else { throw GivenError("\"\(name)\" is not a domain") }
        try await world.store.addDomain(domain)
      } else if let words = phrase.removing(prefix: "alias ") {
        return try await alias(words, world)
      } else if let name = phrase.removing(prefix: "members may send as ") {
        try await changeAlias(name, world) { $0.membersMaySend = true }
      } else if let match = phrase.wholeMatch(of: #/(\S+) may send as (\S+)/#) {
        guard let pattern = SenderPattern(String(match.2)) else { return false }
        let account = try await world.account(String(match.1))
        let known = world.store.directory.account(account)?.sendAs ?? []
        try await world.store.setSendAs(known + [pattern], of: account)
      } else if let match = phrase.wholeMatch(of: #/(\S+) has a limit of (\d+) (\S+)/#) {
        guard let limit = SendingLimit(rawValue: String(match.3)) else { return false }
        let account = try await world.account(String(match.1))
        var limits = world.store.directory.account(account)?.sendingLimits ?? SendingLimits()
        limits[limit] = Int(match.2)
        try await world.store.setSendingLimits(limits, of: account)
      } else if let space = phrase.firstIndex(of: " ") {
        let rest = phrase[space...].dropFirst()
        guard rest.hasPrefix("has ") else { return false }
        return try await has(String(phrase[..<space]), String(rest.dropFirst(4)), block, world)
      } else {
        return false
      }
    }
    return true
  }

  /// The words of `connect` and of `given connections`.
  static func request(_ words: String, from defaults: ConnectionRequest) throws -> ConnectionRequest {
    var request = defaults
    var rest = words.split(separator: " ")[...]
    while let word = rest.popFirst() {
      switch word {
      case "over" where rest.first == "TLS":
        rest.removeFirst()
        request.tls = ConnectionRequest.tlsInfo()
      case "in" where rest.first == "plaintext":
        rest.removeFirst()
        request.tls = nil
      case "as":
        guard let role = rest.popFirst() else { throw GivenError("\"as\" wants a role") }
        request.role = String(role)
      case "from":
        guard let text = rest.popFirst(), let address = IPAddress(String(text)) else {
          throw GivenError("\"from\" wants an address")
        }
        request.remote = .internet(address, port: 40_000)
      case "with":
        guard rest.starts(with: ["a", "certificate", "for"]), let email = rest.dropFirst(3).first else {
          throw GivenError("\"with\" wants \"a certificate for ADDRESS\"")
        }
        rest.removeFirst(4)
        request.tls = ConnectionRequest.tlsInfo(certificateFor: String(email))
      default:
        throw GivenError("\"\(word)\" says nothing about a connection (over TLS, in plaintext, as, from, with)")
      }
    }
    return request
  }

  private static func alias(_ words: String, _ world: TranscriptWorld) async throws -> Bool {
    if let match = words.wholeMatch(of: #/(\S+) takes mail from (.+)/#) {
      let senders: Alias.Senders =
        switch match.2 {
        case "anyone": .anyone
        case "members": .members
        case "its domain": .domain
        default: .accounts(try String(match.2).components(separatedBy: ", ").map(world.address))
        }
      try await changeAlias(String(match.1), world) { $0.senders = senders }
      return true
    }
    let parts = words.components(separatedBy: " leads to ")
    guard parts.count == 2 else { return false }
    let pattern: Alias.Pattern
    if let domain = parts[0].removing(prefix: "@") {
      guard let domain = Domain(domain) else { throw GivenError("\"\(domain)\" is not a domain") }
      pattern = .catchAll(domain)
    } else {
      pattern = .address(try world.address(parts[0]))
    }
    let targets = try parts[1].components(separatedBy: ", ").map(world.address)
    try await world.store.setAlias(Alias(pattern: pattern, targets: targets))
    return true
  }

  private static func changeAlias(
    _ name: String, _ world: TranscriptWorld, _ body: (inout Alias) -> Void
  ) async throws {
    let pattern = Alias.Pattern.address(try world.address(name))
    guard var alias = world.store.directory.aliases.first(where: { $0.pattern == pattern }) else {
      throw GivenError("there is no alias \(name)")
    }
    body(&alias)
    try await world.store.setAlias(alias)
  }

  private static func has(_ name: String, _ what: String, _ block: [String], _ world: TranscriptWorld) async throws
    -> Bool
  {
    if let password = what.removing(prefix: "password ") {
      try await world.account(name, password: password)
      return true
    }
    if let limit = what.removing(prefix: "a quota of ") {
      let words = limit.split(separator: " ")
      guard words.count == 2, let count = Int64(words[0]) else { return false }
      switch words[1] {
      case "octet", "octets": try await world.account(name, quota: Quota(bytes: count))
      case "message", "messages": try await world.account(name, quota: Quota(messages: count))
      default: return false
      }
      return true
    }
    let account = try await world.account(name)
    let address = try world.address(name)
    if let place = what.removing(prefix: "this message in ") {
      let parts = place.components(separatedBy: " with flags ")
      let mailbox = try await world.mailbox(parts[0], of: account)
      let message = Array(block.map { $0 + "\r\n" }.joined().utf8)
      try await world.append(message, to: mailbox, of: account, flags: parts.count > 1 ? flags(parts[1]) : MessageFlags())
      return true
    }
    if let words = what.removing(prefix: "a message of ") {
      let parts = words.components(separatedBy: " octets in ")
      guard parts.count == 2, let size = Int(parts[0]), size >= 100 else { return false }
      let mailbox = try await world.mailbox(parts[1], of: account)
      try await world.append(message(size: size), to: mailbox, of: account)
      return true
    }
    for item in what.components(separatedBy: ", ") {
      let item = item.removing(prefix: "and ") ?? item
      let parts = item.components(separatedBy: " with ")
      let mailbox = try await world.mailbox(parts[0], of: account)
      guard parts.count > 1 else { continue }
      let words = parts[1].split(separator: " ")
      guard parts.count == 2, words.count == 2, words[1].hasPrefix("message"), let count = Int(words[0]), count >= 0 else {
        return false
      }
      for number in 0..<count {
        try await world.append(TranscriptWorld.message(number + 1, for: address), to: mailbox, of: account)
      }
    }
    return true
  }

  private static func flags(_ words: String) throws -> MessageFlags {
    var flags = MessageFlags()
    for word in words.split(separator: " ") {
      switch word.lowercased() {
      case "\\seen": flags.system.insert(.seen)
      case "\\answered": flags.system.insert(.answered)
      case "\\flagged": flags.system.insert(.flagged)
      case "\\deleted": flags.system.insert(.deleted)
      case "\\draft": flags.system.insert(.draft)
      default:
        guard !word.hasPrefix("\\") else { throw GivenError("\"\(word)\" is not a flag that can be set") }
        flags.keywords.append(Keyword(String(word)))
      }
    }
    flags.keywords.sort()
    return flags
  }

  /// A message of exactly `size` octets in lines of 80, the last one as long as it comes.
  private static func message(size: Int) -> [UInt8] {
    var message = Array("Subject: large\r\n\r\n".utf8)
    while message.count + 80 + 3 < size {
      message += [UInt8](repeating: 0x61 + UInt8(message.count / 80 % 26), count: 78) + [0x0D, 0x0A]
    }
    message += [UInt8](repeating: 0x2D, count: size - message.count - 2) + [0x0D, 0x0A]
    return message
  }
}

extension String {
  /// Foundation's, without Foundation.
  fileprivate func components(separatedBy separator: String) -> [String] {
    var parts: [String] = []
    var part = ""
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(separator) {
        parts.append(part)
        part = ""
        rest = rest.dropFirst(separator.count)
      } else {
        part.append(rest.removeFirst())
      }
    }
    return parts + [part]
  }
}
