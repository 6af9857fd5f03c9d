import CSQLite

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What SQLite said no with, by its extended result code.
package struct SQLiteError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: Hashable, Sendable {
    /// No space on the device.
    case full
    /// The device reported an error.
    case inputOutput
    /// The file is damaged, or is no database at all.
    case corrupt
    case busy
    /// UNIQUE, PRIMARY KEY, NOT NULL, CHECK, FOREIGN KEY.
    case constraint
    case cannotOpen
    case readOnly
    case outOfMemory
    /// An error in our own use of it.
    case other
  }

  package let code: Int32
  package let message: String
  /// The error number of the system call that failed; 0 where it was none.
  package let systemCode: Int32

  package init(code: Int32, message: String, systemCode: Int32 = 0) {
    self.code = code
    self.message = message
    self.systemCode = systemCode
  }

  package var kind: Kind {
    switch code & 0xFF {
    case SQLITE_FULL: .full
    case SQLITE_IOERR: .inputOutput
    case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt
    case SQLITE_BUSY, SQLITE_LOCKED: .busy
    case SQLITE_CONSTRAINT: .constraint
    case SQLITE_CANTOPEN: .cannotOpen
    case SQLITE_READONLY: .readOnly
    case SQLITE_NOMEM: .outOfMemory
    default: .other
    }
  }

  package var description: String {
    let cause = systemCode == 0 ? "" : ": \(String(cString: strerror(systemCode)))"
    return "SQLite \(code): \(message)\(cause)"
  }
}

extension SQLiteError {
  /// An error made up by a test.
  package init(kind: Kind) {
    let code =
      switch kind {
      case .full: SQLITE_FULL
      case .inputOutput: SQLITE_IOERR
      case .corrupt: SQLITE_CORRUPT
      case .busy: SQLITE_BUSY
      case .constraint: SQLITE_CONSTRAINT
      case .cannotOpen: SQLITE_CANTOPEN
      case .readOnly: SQLITE_READONLY
      case .outOfMemory: SQLITE_NOMEM
      case .other: SQLITE_ERROR
      }
    self.init(code: code, message: String(cString: sqlite3_errstr(code)))
  }
}
