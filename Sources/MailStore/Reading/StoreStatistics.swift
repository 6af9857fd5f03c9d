import SQLite

/// What a store holds, and the room it takes. Octets throughout.
package struct StoreStatistics: Codable, Hashable, Sendable {
  package struct Files: Codable, Hashable, Sendable {
    package var count: Int64 = 0
    package var octets: Int64 = 0
  }

  package var accounts: Int64 = 0
  package var mailboxes: Int64 = 0
  /// Messages in mailboxes; one that is in two counts twice.
  package var messages: Int64 = 0
  /// Their sizes, as clients see them.
  package var messageOctets: Int64 = 0
  /// Deleted ones that can be restored.
  package var deletedMessages: Int64 = 0

  package var databaseOctets: Int64 = 0
  /// The database's write-ahead log.
  package var logOctets: Int64 = 0
  package var packs = Files()
  /// Of these: bodies that no message has any more.
  package var deadPackOctets: Int64 = 0
  /// Bodies in files of their own.
  package var largeBodies = Files()
  package var searchIndexOctets: Int64 = 0
}

extension StoreStatistics {
  /// On a reading thread. Reads every name in the store's directories.
  init(_ database: Database, _ layout: StoreLayout, _ files: FileAccess) throws(StoreError) {
    accounts = try database.one("SELECT count(*) FROM accounts") { $0.integer(0) } ?? 0
    try database.each("SELECT count(*), coalesce(sum(messages), 0), coalesce(sum(size), 0) FROM mailboxes") { row in
      mailboxes = row.integer(0)
      messages = row.integer(1)
      messageOctets = row.integer(2)
    }
    deletedMessages = try database.one("SELECT count(*) FROM deleted_entries") { $0.integer(0) } ?? 0
    deadPackOctets = try database.one("SELECT coalesce(sum(octets), 0) FROM dead_octets") { $0.integer(0) } ?? 0
    databaseOctets = files.size(of: layout.database)
    logOctets = files.size(of: layout.databaseLog)
    searchIndexOctets = files.size(of: layout.searchIndex)
    do throws(FileError) {
      packs = try files.sum(in: layout.packs)
      largeBodies = try files.sum(in: layout.large)
    } catch {
      throw error.storeError
    }
  }
}

extension FileAccess {
  fileprivate func sum(in directory: String) throws(FileError) -> StoreStatistics.Files {
    var files = StoreStatistics.Files()
    for name in try names(in: directory) {
      files.count += 1
      files.octets += size(of: "\(directory)/\(name)")
    }
    return files
  }
}
