import MessageFormat
import SQLite

/// `search.db`: which messages have which grams, and up to which message that is known.
///
/// It holds nothing that could not be made again from the store. So a commit need not be on the disk when it returns
/// (`synchronous=NORMAL`): after a power cut the file is as it was some commits ago, and says so by its mark.
///
/// A row's number begins with a number for the account, so that a search goes through the rows of its own account only,
/// and ends with the message's ID.
struct SearchDatabase {
  /// Why a file is of no use. It is made anew then.
  enum Unusable: Error {
    case failed(SQLiteError)
    /// The system's SQLite has no FTS5.
    case withoutFullText
    /// It is from another version, or its store is another one, or an older copy of it.
    case stale
  }

  private let database: Database

  /// The form of the tables and of the grams, with that of the texts.
  private static let format = Int64(2 << 16 + MessageText.version)

  // MARK: Opening

  /// For the one thread that writes. Makes the file where it is not there.
  /// - Parameters:
  ///   - store: which store it belongs to.
  ///   - nextID: the first ID that the store has not given.
  init(writing path: String, files: FileAccess, store: Int64, nextID: Int64) throws(Unusable) {
    do throws(SQLiteError) {
      database = try files.openDatabase(path, .writing, cacheBytes: 8 << 20)
      try database.execute("PRAGMA synchronous = NORMAL")
      let hasFullText = try database.first("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'") { _ in true }
      guard hasFullText == true else { throw Self.withoutFullText }
      if try database.schemaVersion() == 0 { try Self.makeTables(in: database, store: store) }
    } catch {
      throw error == Self.withoutFullText ? .withoutFullText : .failed(error)
    }
    do throws(SQLiteError) {
      guard try database.schemaVersion() == Self.format, try value(.store) == store,
        try value(.indexedThrough) < nextID
      else { throw Self.stale }
    } catch {
      throw error == Self.stale ? .stale : .failed(error)
    }
  }

  private static let withoutFullText = SQLiteError(code: -1, message: "no FTS5")
  private static let stale = SQLiteError(code: -2, message: "stale")

  init(reading database: Database) { self.database = database }

  private static func makeTables(in database: Database, store: Int64) throws(SQLiteError) {
    try database.begin()
    do {
      try database.execute(
        """
        CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO state VALUES ('store', \(store)), ('indexed_through', 0), ('messages', 0);
        CREATE TABLE accounts (number INTEGER PRIMARY KEY, account INTEGER NOT NULL UNIQUE);
        -- Messages that are in no gram's list, and come into question in every search.
        CREATE TABLE unlisted (account INTEGER NOT NULL, message INTEGER NOT NULL, PRIMARY KEY (account, message))
          WITHOUT ROWID;
        CREATE VIRTUAL TABLE grams USING fts5 (
          text, content = '', columnsize = 0, detail = none,
          tokenize = "ascii tokenchars '\(SearchGrams.wordPunctuation)'");
        -- Fewer and greater merges: twice as many lists to look into, a fifth less work.
        INSERT INTO grams (grams, rank) VALUES ('automerge', 8);
        PRAGMA user_version = \(format);
        """)
      try database.commit()
    } catch {
      database.rollBack()
      throw error
    }
  }

  // MARK: What it knows

  private enum Fact: String {
    case store
    case indexedThrough = "indexed_through"
    case messages
  }

  private func value(_ fact: Fact) throws(SQLiteError) -> Int64 {
    try database.first("SELECT value FROM state WHERE name = ?", [.text(fact.rawValue)]) { $0.integer(0) } ?? 0
  }

  /// All messages up to this one are in the index or among the unlisted.
  func indexedThrough() throws(SQLiteError) -> Int64 { try value(.indexedThrough) }

  /// Messages that it has, those that the store no longer has among them.
  func messageCount() throws(SQLiteError) -> Int { Int(try value(.messages)) }

  func unlistedCount() throws(SQLiteError) -> Int {
    try database.first("SELECT count(*) FROM unlisted") { Int($0.integer(0)) } ?? 0
  }

  // MARK: Adding

  /// Runs `body` in one transaction, after which all messages up to the one it returns are known. Nothing has happened
  /// where it returns nil or throws.
  /// - Parameter body: returns the last message, and how many were added.
  func adding<Failure: Error>(
    failure: (SQLiteError) -> Failure, _ body: () throws(Failure) -> (through: Int64, count: Int)?
  ) throws(Failure) {
    func sql(_ body: () throws(SQLiteError) -> Void) throws(Failure) {
      do throws(SQLiteError) { try body() } catch { throw failure(error) }
    }
    try sql { () throws(SQLiteError) in try database.begin() }
    defer { database.rollBack() }
    guard let done = try body() else { return }
    try sql { () throws(SQLiteError) in
      try database.run(
        "UPDATE state SET value = ? WHERE name = 'indexed_through'", [.integer(done.through)])
      try database.run(
        "UPDATE state SET value = value + ? WHERE name = 'messages'", [.integer(Int64(done.count))])
      try database.commit()
    }
    if database.loggedPages >= Self.checkpointPages {
      try sql { () throws(SQLiteError) in _ = try database.checkpoint(.passive) }
    }
  }

  /// 8 MiB of log.
  private static let checkpointPages = 2_000

  /// Of a row's number, for the message: IDs take a leap of 2³² with every restore, so there is room for two thousand.
  /// Twenty bits are left for accounts.
  private static let messageBits: Int64 = 43
  private static let messageMask: Int64 = 1 << messageBits - 1
  private static let lastAccountNumber: Int64 = 1 << 20 - 1

  private func number(of account: AccountID) throws(SQLiteError) -> Int64? {
    try database.first("SELECT number FROM accounts WHERE account = ?", [.integer(account.rawValue)]) { $0.integer(0) }
  }

  /// Best in order of accounts: going back to an earlier one costs a turn of the table's own buffer.
  func add(_ message: EmailID, of account: AccountID, _ grams: SearchGrams) throws(SQLiteError) {
    if try number(of: account) == nil {
      try database.run("INSERT INTO accounts (account) VALUES (?)", [.integer(account.rawValue)])
    }
    guard let number = try number(of: account), number <= Self.lastAccountNumber,
      0...Self.messageMask ~= message.rawValue
    else { return try addUnlisted(message, of: account) }
    let row = number << Self.messageBits | message.rawValue
    try database.run(
      "INSERT INTO grams (rowid, text) VALUES (?, CAST(? AS TEXT))", [.integer(row), .blob(grams.bytes)])
  }

  func addUnlisted(_ message: EmailID, of account: AccountID) throws(SQLiteError) {
    try database.run(
      "INSERT OR IGNORE INTO unlisted (account, message) VALUES (?, ?)",
      [.integer(account.rawValue), .integer(message.rawValue)])
  }

  /// Gives memory back while there is nothing to do.
  func rest() {
    _ = try? database.checkpoint(.passive)
    try? database.execute("PRAGMA shrink_memory")
  }

  /// All of the log into the file.
  func finish() { _ = try? database.checkpoint(.truncating) }

  // MARK: Asking

  /// Messages of `account` that the index does not rule out.
  func matches(_ expression: String, of account: AccountID) throws(SQLiteError) -> SearchMatches {
    try database.reading { () throws(SQLiteError) in
      var matches = SearchMatches(indexedThrough: try indexedThrough())
      if let number = try number(of: account) {
        let first = number << Self.messageBits
        try database.forEach(
          "SELECT rowid FROM grams WHERE grams MATCH ? AND rowid BETWEEN ? AND ?",
          [.text(expression), .integer(first), .integer(first | Self.messageMask)]
        ) { row in
          matches.listed.append(row.integer(0) & Self.messageMask)
          return true
        }
      }
      try database.forEach("SELECT message FROM unlisted WHERE account = ?", [.integer(account.rawValue)]) { row in
        matches.unlisted.insert(row.integer(0))
        return true
      }
      return matches
    }
  }
}

/// What the index answers.
struct SearchMatches {
  /// Messages after this one are not known to the index.
  var indexedThrough: Int64
  /// Ascending.
  var listed: [Int64] = []
  var unlisted: Set<Int64> = []

  /// Whether the message comes into question.
  func contains(_ message: Int64) -> Bool {
    if message > indexedThrough || !unlisted.isEmpty && unlisted.contains(message) { return true }
    var low = 0
    var high = listed.count
    while low < high {
      let middle = (low + high) / 2
      if listed[middle] < message { low = middle + 1 } else { high = middle }
    }
    return low < listed.count && listed[low] == message
  }
}
