import SQLite

/// Whom else an account may send as, and how much.
extension MailStore {
  /// All of them.
  /// - Throws: `accountNotFound`.
  package func setSendAs(_ patterns: [SenderPattern], of id: AccountID) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setSendAs(patterns, of: id) }
  }

  /// The account's own limits, in place of those that count for all.
  /// - Throws: `accountNotFound`.
  package func setSendingLimits(_ limits: SendingLimits, of id: AccountID) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setSendingLimits(limits, of: id) }
  }
}

extension WriteContext {
  func setSendAs(_ patterns: [SenderPattern], of id: AccountID) throws(StoreError) {
    try changeRules(of: id) { $0.sendAs = patterns }
  }

  func setSendingLimits(_ limits: SendingLimits, of id: AccountID) throws(StoreError) {
    try changeRules(of: id) { $0.sendingLimits = limits }
  }

  private func changeRules(of id: AccountID, _ body: (inout Account) -> Void) throws(StoreError) {
    guard var account = directory.account(id) else { throw .accountNotFound }
    body(&account)
    let rules = RecordedSendingRules(account)
    try database.setSendingRules(rules)
    record(.sendingRules(rules))
    changeDirectory { $0.set(account) }
  }
}

extension Database {
  func setSendingRules(_ rules: RecordedSendingRules) throws(StoreError) {
    guard !rules.isEmpty else {
      return try change("DELETE FROM sending_rules WHERE account = ?", .integer(rules.account))
    }
    try change(
      "INSERT OR REPLACE INTO sending_rules (account, send_as, limits) VALUES (?, ?, ?)", .integer(rules.account),
      .text(rules.sendAs), .text(rules.limits))
  }

  func sendingRules() throws(StoreError) -> [Int64: RecordedSendingRules] {
    var rules: [Int64: RecordedSendingRules] = [:]
    try each("SELECT account, send_as, limits FROM sending_rules") { row in
      rules[row.integer(0)] = RecordedSendingRules(account: row.integer(0), sendAs: row.text(1), limits: row.text(2))
    }
    return rules
  }
}

extension RecordedSendingRules {
  init(_ account: Account) {
    self.init(
      account: account.id.rawValue, sendAs: account.sendAs.map(\.description).joined(separator: "\n"),
      limits: account.sendingLimits.encoded)
  }

  var isEmpty: Bool { sendAs.isEmpty && limits.isEmpty }
  var patterns: [SenderPattern] { sendAs.split(separator: "\n").compactMap { SenderPattern(String($0)) } }
}
