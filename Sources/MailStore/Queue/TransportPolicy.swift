package import MessageFormat
package import SQLite

/// What another domain asks of those who send to it, as it was fetched (RFC 8461). Not mail: a repair loses it, and it is
/// fetched again.
package struct TransportPolicy: Hashable, Sendable {
  package var id: String
  package var text: [UInt8]
  package var fetched: Timestamp
  package init(id: String, text: [UInt8], fetched: Timestamp) {
    self.id = id
    self.text = text
    self.fetched = fetched
  }
}

extension Database {
  package func transportPolicy(of domain: String) throws(StoreError) -> TransportPolicy? {
    try one("SELECT id, text, fetched FROM transport_policies WHERE domain = ?", .text(domain)) { row in
      TransportPolicy(id: row.text(0), text: row.blob(1), fetched: Timestamp(microseconds: row.integer(2)))
    }
  }
}

extension WriteContext {
  func setTransportPolicy(_ policy: TransportPolicy, of domain: String) throws(StoreError) {
    try database.change(
      "INSERT OR REPLACE INTO transport_policies (domain, id, text, fetched) VALUES (?, ?, ?, ?)", .text(domain),
      .text(policy.id), .blob(policy.text), .integer(policy.fetched.microseconds))
  }
}
