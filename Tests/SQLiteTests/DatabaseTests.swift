import Foundation
import SQLite
import Testing

struct DatabaseTests {
  private func withPath(_ body: (String) throws -> Void) throws {
    let path = NSTemporaryDirectory() + "sqlite-\(UUID().uuidString).db"
    defer { for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) } }
    try body(path)
  }

  @Test func `values, transactions, savepoints and readers`() throws {
    try withPath { path in
      let writer = try Database(path: path, access: .writing)
      let migrations = [
        Migration("t", "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c BLOB)"), Migration("u", "CREATE TABLE u (x)"),
      ]
      #expect(try writer.migrate([migrations[0]]) == ["t"])
      #expect(try writer.migrate(migrations) == ["u"])
      #expect(try writer.migrate(migrations) == [])
      #expect(try writer.schemaVersion() == 2)
      let rows: [(Int64?, String?, [UInt8])] = [
        (1, "", []), (2, "é", [0, 255]), (.max, nil, Array(repeating: 7, count: 100_000)),
      ]
      for (a, b, c) in rows { try writer.run("INSERT INTO t VALUES (?, ?, ?)", [.integer(a), .text(b), .blob(c)]) }
      let reader = try Database(path: path, access: .reading)
      var seen = 0
      try reader.forEach("SELECT a, b, c FROM t ORDER BY a") { row in
        #expect(row.integer(0) == rows[seen].0 && row.optionalText(1) == rows[seen].1 && row.blob(2) == rows[seen].2)
        seen += 1
        return true
      }
      #expect(seen == 3)
      #expect(throws: SQLiteError.self) { try reader.run("DELETE FROM t") }

      try writer.begin()
      try writer.beginSavepoint()
      try writer.run("DELETE FROM t")
      #expect(writer.changedRows == 3)
      try writer.undoSavepoint()
      try writer.beginSavepoint()
      try writer.run("DELETE FROM t WHERE a = 1")
      try writer.releaseSavepoint()
      #expect(try reader.first("SELECT count(*) FROM t") { $0.integer(0) } == 3)
      try writer.commit()
      #expect(try reader.first("SELECT count(*) FROM t") { $0.integer(0) } == 2)
      do {
        try writer.run("INSERT INTO t VALUES (2, NULL, NULL)")
        Issue.record("a double key")
      } catch let error as SQLiteError {
        #expect(error.kind == .constraint)
      }
      #expect(writer.loggedPages > 0)
      #expect(try writer.checkpoint(.truncating).logged == 0)
    }
  }

  @Test func `a file that is no database is said to be corrupt`() throws {
    try withPath { path in
      try Data(repeating: 1, count: 10_000).write(to: URL(fileURLWithPath: path))
      do {
        _ = try Database(path: path, access: .writing)
        Issue.record("opened")
      } catch let error as SQLiteError {
        #expect(error.kind == .corrupt)
      }
    }
  }
}
