import Bytes
import SQLite

/// Tells whether two messages are the same to a client, but for their flags: body, trace prefix and internal date.
package struct ContentKey: Hashable, Sendable {
  /// CRC-32C of the body.
  var checksum: Int64
  var size: Int64
  var internalDate: Int64
  /// CRC-32C.
  var prefix: UInt32

  /// Columns: checksum, size of the body, internal date, prefix.
  init(_ row: Row) {
    checksum = row.integer(0)
    size = row.integer(1)
    internalDate = row.integer(2)
    prefix = row.withBlob(3) { crc32c($0) }
  }
}
