import CSQLite

/// A value bound to a parameter.
package enum SQLValue: Sendable {
  case null
  case integer(Int64)
  case text(String)
  case blob([UInt8])

  package static func integer(_ value: Int64?) -> SQLValue { value.map { .integer($0) } ?? .null }
  package static func text(_ value: String?) -> SQLValue { value.map { .text($0) } ?? .null }
}

/// A prepared statement. Owned by its database, freed with it; used by one thread at a time.
final class Statement {
  let handle: OpaquePointer

  init(handle: OpaquePointer) { self.handle = handle }
  deinit { sqlite3_finalize(handle) }

  /// SQLite copies what is bound before the call returns.
  private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

  func bind(_ values: [SQLValue]) -> Int32 {
    var position: Int32 = 0
    for value in values {
      position += 1
      let code: Int32
      switch value {
      case .null:
        code = sqlite3_bind_null(handle, position)
      case .integer(let value):
        code = sqlite3_bind_int64(handle, position, value)
      case .text(var text):
        code = text.withUTF8 { bytes in
          // A null pointer would bind NULL.
          bytes.withMemoryRebound(to: CChar.self) {
            sqlite3_bind_text64(
              handle, position, $0.baseAddress ?? emptyText, UInt64($0.count), Self.transient, UInt8(SQLITE_UTF8))
          }
        }
      case .blob(let bytes):
        code = bytes.withUnsafeBytes { bytes in
          bytes.isEmpty
            ? sqlite3_bind_zeroblob(handle, position, 0)
            : sqlite3_bind_blob64(handle, position, bytes.baseAddress, UInt64(bytes.count), Self.transient)
        }
      }
      guard code == SQLITE_OK else { return code }
    }
    return SQLITE_OK
  }

  /// Ready for the next use; lets go of the read lock.
  func reset() {
    sqlite3_reset(handle)
  }
}

private nonisolated(unsafe) let emptyText: UnsafePointer<CChar> = {
  let pointer = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
  pointer.pointee = 0
  return UnsafePointer(pointer)
}()

/// The row a statement stands on. Valid only inside the closure that was given it.
package struct Row {
  let handle: OpaquePointer

  package func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
  package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
  package func optionalInteger(_ column: Int32) -> Int64? { isNull(column) ? nil : integer(column) }

  /// As it is kept, to be bound again.
  package func value(_ column: Int32) -> SQLValue {
    switch sqlite3_column_type(handle, column) {
    case SQLITE_NULL: .null
    case SQLITE_INTEGER: .integer(integer(column))
    case SQLITE_TEXT: .text(text(column))
    default: .blob(blob(column))
    }
  }

  package var columnCount: Int32 { sqlite3_column_count(handle) }

  package func text(_ column: Int32) -> String {
    guard let pointer = sqlite3_column_text(handle, column) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, column))
    return String(decoding: UnsafeBufferPointer(start: pointer, count: count), as: UTF8.self)
  }

  package func optionalText(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }

  package func blob(_ column: Int32) -> [UInt8] { withBlob(column) { Array($0) } }

  /// The bytes where SQLite has them, without a copy.
  package func withBlob<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    let pointer = sqlite3_column_blob(handle, column)
    return body(UnsafeRawBufferPointer(start: pointer, count: Int(sqlite3_column_bytes(handle, column))))
  }
}
