/// The types of records that are asked for, with their numbers.
package enum RecordType: UInt16, Hashable, Sendable, CaseIterable {
  case a = 1
  case ns = 2
  case cname = 5
  case ptr = 12
  case mx = 15
  case txt = 16
  case aaaa = 28
  case srv = 33
  case tlsa = 52
  case caa = 257
}

/// A typed value of one record.
package protocol RecordData: Hashable, Sendable {
  static var type: RecordType { get }
  /// Nil if the octets are no such record.
  init?(rdata: [UInt8])
}
