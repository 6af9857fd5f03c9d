import SQLite

/// What is remembered of imports: that the accounts and origins are there that it is about.
extension StoreVerifier {
  mutating func checkImports() throws(StoreError) {
    try confirm { (database) throws(StoreError) in
      var findings: [StoreFinding] = []
      func find(_ subject: String, _ text: String) {
        findings.append(StoreFinding(kind: .importHistory, subject: subject, text: text))
      }
      try database.each(
        "SELECT i.id, i.origin FROM imports i WHERE NOT EXISTS (SELECT 1 FROM accounts a WHERE a.id = i.account)"
      ) { find("import \($0.integer(0)) from \($0.text(1))", "its account is not there") }
      // From one import to the next, whatever each has brought.
      var last: Int64 = .min
      while let next = try database.one(
        "SELECT import FROM imported WHERE import > ? ORDER BY import LIMIT 1", .integer(last), row: { $0.integer(0) })
      {
        last = next
        let isKnown = try database.one("SELECT 1 FROM imports WHERE id = ?", .integer(next)) { _ in true }
        if isKnown == nil { find("import \(next)", "messages have come by it, and it is not there") }
      }
      return findings
    }
  }
}
