import MessageFormat
package import SQLite

/// What came of TLS with the servers of another domain in one day, until that is reported (RFC 8460). Not mail: a
/// repair loses it, and then that day is not reported.
package struct TransportResults: Hashable, Sendable {
  package struct Key: Hashable, Sendable {
    /// Of UTC, counted from 1970-01-01.
    package var day: Int
    package var domain: String
    package init(day: Int, domain: String) {
      self.day = day
      self.domain = domain
    }
  }

  package var key: Key
  /// In the form that the caller gave it.
  package var results: String
  /// Who has the report already. Only ``QueueProgress`` adds to it.
  package fileprivate(set) var told: [String] = []

  package init(_ key: Key, results: String) {
    self.key = key
    self.results = results
  }
}

extension MailStore {
  package func transportResults(_ key: TransportResults.Key) async throws(StoreError) -> TransportResults? {
    try await read { (snapshot) throws(StoreError) in try snapshot.transportResults(key) }
  }

  /// Of days before this one, the oldest first.
  package func transportResults(before day: Int, limit: Int) async throws(StoreError) -> [TransportResults.Key] {
    try await read { (snapshot) throws(StoreError) in try snapshot.transportResults(before: day, limit: limit) }
  }

  /// Of how many domains there are results of a day.
  package func transportResultsCount(of day: Int) async throws(StoreError) -> Int {
    try await read { (snapshot) throws(StoreError) in try snapshot.transportResultsCount(of: day) }
  }

  /// In place of those before, in one commit. Who has been told stays.
  package func setTransportResults(_ results: [TransportResults]) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.setTransportResults(results) }
  }

  package func removeTransportResults(_ key: TransportResults.Key) async throws(StoreError) {
    try await write { (transaction) throws(StoreError) in try transaction.removeTransportResults(key) }
  }
}

extension Database {
  package func transportResults(_ key: TransportResults.Key) throws(StoreError) -> TransportResults? {
    try one(
      "SELECT results, told FROM transport_results WHERE day = ? AND domain = ?", .integer(Int64(key.day)),
      .text(key.domain)
    ) { row in
      var results = TransportResults(key, results: row.text(0))
      results.told = row.text(1).split(separator: "\n").map(String.init)
      return results
    }
  }

  package func transportResults(before day: Int, limit: Int) throws(StoreError) -> [TransportResults.Key] {
    var keys: [TransportResults.Key] = []
    try each(
      "SELECT day, domain FROM transport_results WHERE day < ? ORDER BY day, domain LIMIT ?", .integer(Int64(day)),
      .integer(Int64(limit))
    ) { keys.append(TransportResults.Key(day: Int($0.integer(0)), domain: $0.text(1))) }
    return keys
  }

  package func transportResultsCount(of day: Int) throws(StoreError) -> Int {
    try one("SELECT count(*) FROM transport_results WHERE day = ?", .integer(Int64(day))) { Int($0.integer(0)) } ?? 0
  }
}

extension WriteContext {
  func setTransportResults(_ results: [TransportResults]) throws(StoreError) {
    for result in results {
      try database.change(
        """
        INSERT INTO transport_results (day, domain, results) VALUES (?, ?, ?)
        ON CONFLICT (day, domain) DO UPDATE SET results = excluded.results
        """, .integer(Int64(result.key.day)), .text(result.key.domain), .text(result.results))
    }
  }

  func removeTransportResults(_ key: TransportResults.Key) throws(StoreError) {
    try database.change(
      "DELETE FROM transport_results WHERE day = ? AND domain = ?", .integer(Int64(key.day)), .text(key.domain))
  }

  func noteTold(_ recipient: String, of key: TransportResults.Key) throws(StoreError) {
    try database.change(
      "UPDATE transport_results SET told = told || ? WHERE day = ? AND domain = ?", .text(recipient + "\n"),
      .integer(Int64(key.day)), .text(key.domain))
  }
}
