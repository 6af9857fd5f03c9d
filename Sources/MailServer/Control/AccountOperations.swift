import Logging
import MailStore
import MessageFormat

/// What an administrator changes about whom an account may send as.
package enum SendAsChange: Codable, Hashable, Sendable {
  case add(String)
  case remove(String)
}

/// What an administrator changes about an account's limits, by their names; nil takes back what is set for the account.
package struct SendingLimitsChange: Codable, Hashable, Sendable {
  package var numbers: [String: Int?]
  package init(numbers: [String: Int?]) { self.numbers = numbers }
}

/// A limit of what an account sends to other servers.
package struct SendingLimitSummary: Codable, Hashable, Sendable {
  /// As in the configuration.
  package var name: String
  package var used: Int
  /// 0 is no limit.
  package var limit: Int
  /// Set for this account alone.
  package var isOwn: Bool
}

/// All about an account but its mail.
package struct AccountDetails: Codable, Hashable, Sendable {
  package var account: AccountSummary
  /// Aliases that lead to it, directly or over others.
  package var aliases: [String]
  /// Of these, and of what it was granted, those it may send as: addresses, and @domains.
  package var sendsAs: [String]
  package var sending: [SendingLimitSummary]
}

extension Administration {
  func accountDetails(_ text: String) async throws(Refusal) -> AdministrativeReply {
    let account = try account(text)
    let directory = store.directory
    let aliases = directory.aliases.filter { directory.leads($0, to: account.id) }
    let sendsAs = aliases.filter { directory.maySend(account.id, as: $0) }.map(\.pattern.text)
    let granted = account.sendAs.map(\.description).filter { !sendsAs.contains($0) }
    return .accountDetails(
      AccountDetails(
        account: try await summary(account), aliases: aliases.map(\.pattern.text).sorted(),
        sendsAs: ["\(account.address)"] + (sendsAs + granted).sorted(), sending: try await sending(account)))
  }

  // MARK: Sending as somebody else

  func sendAs(_ text: String, _ change: SendAsChange?) async throws(Refusal) -> AdministrativeReply {
    let account = try account(text)
    switch change {
    case nil: return .sendAs(account.sendAs.map(\.description).sorted())
    case .add(let text): return try await allow(try senderPattern(text), for: account)
    case .remove(let text):
      let pattern = try senderPattern(text)
      let kept = account.sendAs.filter { $0.key != pattern.key }
      guard kept.count < account.sendAs.count else {
        throw Refusal("\(account.address) has not been allowed to send as \(pattern)")
      }
      try await set(kept, of: account)
      logger.notice("send_as_removed", metadata: ["user": "\(account.address)", "as": "\(pattern)"])
      return .done("\(account.address) may no longer send as \(pattern)")
    }
  }

  /// What an account may send as besides its own.
  private static let sendAsLimit = 1_000

  private func allow(_ pattern: SenderPattern, for account: Account) async throws(Refusal) -> AdministrativeReply {
    guard !account.sendAs.contains(where: { $0.key == pattern.key }) else {
      throw Refusal("\(account.address) may send as \(pattern) already")
    }
    guard account.sendAs.count < Self.sendAsLimit else { throw Refusal("\(Self.sendAsLimit) are the limit") }
    try await set(account.sendAs + [pattern], of: account)
    logger.notice("send_as_added", metadata: ["user": "\(account.address)", "as": "\(pattern)"])
    var text = "\(account.address) may send as \(pattern)"
    if case .address(let address) = pattern, !store.directory.isLocal(address.domain) {
      text += "; \(address.domain) is not a domain of this server, so others may take such mail for forged"
    }
    return .done(text)
  }

  private func set(_ patterns: [SenderPattern], of account: Account) async throws(Refusal) {
    try await stored("account \(account.address)") { () throws(StoreError) in
      try await store.setSendAs(patterns, of: account.id)
    }
  }

  /// All addresses of a domain are only to be had where it is ours.
  private func senderPattern(_ text: String) throws(Refusal) -> SenderPattern {
    guard let pattern = SenderPattern(text) else {
      throw Refusal("\(quoted(text)) is neither an address nor a domain such as @example.org")
    }
    if case .domain(let domain) = pattern, !store.directory.isLocal(domain) {
      throw Refusal("\(domain) is not a domain of this server")
    }
    return pattern
  }

  // MARK: Limits

  func sendingLimits(_ text: String, _ change: SendingLimitsChange?) async throws(Refusal) -> AdministrativeReply {
    let account = try account(text)
    guard let change else { return .sendingLimits(try await sending(account)) }
    var limits = account.sendingLimits
    for (name, number) in change.numbers {
      guard let limit = SendingLimit(rawValue: name) else { throw Refusal("there is no limit \(quoted(name))") }
      if let number, !(0...1_000_000).contains(number) { throw Refusal("\(name): expected a number up to 1000000") }
      limits[limit] = number
    }
    try await stored("account \(account.address)") { () throws(StoreError) in
      try await store.setSendingLimits(limits, of: account.id)
    }
    logger.notice("sending_limits_changed", metadata: ["user": "\(account.address)"])
    return .sendingLimits(try await sending(try self.account(text)))
  }

  private func sending(_ account: Account) async throws(Refusal) -> [SendingLimitSummary] {
    let use = try await stored("account \(account.address)") { () throws(StoreError) in
      try await store.sendingUse(of: account.id, at: clock.now()).use
    }
    let limits = account.sendingLimits.completed(by: sendingLimits)
    return SendingLimit.allCases.map { limit in
      SendingLimitSummary(
        name: limit.rawValue, used: use[limit], limit: limits[limit] ?? 0, isOwn: account.sendingLimits[limit] != nil)
    }
  }
}
