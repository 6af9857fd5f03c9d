package import MessageFormat
package import SQLite

/// A key by which mail of a domain is signed, as it is kept. What it means is not the store's affair.
package struct KeptSigningKey: Hashable, Sendable {
  package var domain: Domain
  package var selector: String
  package var algorithm: String
  package var privateKey: [UInt8]
  package var made: Timestamp
  /// How far it has come, in the form that the caller gave it.
  package var stage: String
  package var nextCheck: Timestamp

  package init(
    domain: Domain, selector: String, algorithm: String, privateKey: [UInt8], made: Timestamp, stage: String,
    nextCheck: Timestamp
  ) {
    self.domain = domain
    self.selector = selector
    self.algorithm = algorithm
    self.privateKey = privateKey
    self.made = made
    self.stage = stage
    self.nextCheck = nextCheck
  }
}

extension MailStore {
  /// Of all domains, in the order of domains and selectors.
  package func signingKeys() async throws(StoreError) -> [KeptSigningKey] {
    try await read { (snapshot) throws(StoreError) in try snapshot.signingKeys() }
  }

  /// Adds or replaces.
  /// - Throws: `domainNotFound`.
  package func setSigningKey(_ key: KeptSigningKey) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setSigningKey(key) }
  }

  /// For good.
  package func removeSigningKey(_ selector: String, of domain: Domain) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.removeSigningKey(selector, of: domain) }
  }
}

extension Database {
  package func signingKeys() throws(StoreError) -> [KeptSigningKey] {
    var keys: [KeptSigningKey] = []
    try each(
      """
      SELECT domain, selector, algorithm, private_key, made, stage, next_check FROM signing_keys
      ORDER BY domain, selector
      """
    ) { row in
      guard let domain = Domain(row.text(0)) else { return }
      keys.append(
        KeptSigningKey(
          domain: domain, selector: row.text(1), algorithm: row.text(2), privateKey: row.blob(3),
          made: Timestamp(microseconds: row.integer(4)), stage: row.text(5),
          nextCheck: Timestamp(microseconds: row.integer(6))))
    }
    return keys
  }

  func setSigningKey(_ key: RecordedSigningKey) throws(StoreError) {
    try change(
      """
      INSERT OR REPLACE INTO signing_keys (domain, selector, algorithm, private_key, made, stage, next_check)
      VALUES (?, ?, ?, ?, ?, ?, ?)
      """, .text(key.domain), .text(key.selector), .text(key.algorithm), .blob(key.privateKey), .integer(key.made),
      .text(key.stage), .integer(key.nextCheck))
  }

  func removeSigningKey(_ selector: String, of domain: String) throws(StoreError) {
    try change("DELETE FROM signing_keys WHERE domain = ? AND selector = ?", .text(domain), .text(selector))
  }
}

extension WriteContext {
  func setSigningKey(_ key: KeptSigningKey) throws(StoreError) {
    guard directory.isLocal(key.domain) else { throw .domainNotFound }
    let recorded = RecordedSigningKey(key)
    try database.setSigningKey(recorded)
    record(.signingKey(recorded))
  }

  func removeSigningKey(_ selector: String, of domain: Domain) throws(StoreError) {
    try database.removeSigningKey(selector, of: domain.text)
    record(.signingKeyRemoved(domain: domain.text, selector: selector))
  }
}

extension RecordedSigningKey {
  init(_ key: KeptSigningKey) {
    self.init(
      domain: key.domain.text, selector: key.selector, algorithm: key.algorithm, privateKey: key.privateKey,
      made: key.made.microseconds, stage: key.stage, nextCheck: key.nextCheck.microseconds)
  }
}
