/// Where key records come from: DNS, or a table in a test.
package protocol KeyRecordSource: Sendable {
  /// - Parameter name: an ASCII name without a final dot, at most 253 octets.
  func keyRecords(at name: String) async -> KeyRecordAnswer
}

package enum KeyRecordAnswer: Hashable, Sendable {
  /// The TXT records of the name, the strings of each joined without anything between them.  RFC 6376 §3.6.2.2.
  case records([[UInt8]])
  /// There is no such name, or no TXT record at it.
  case none
  /// Nobody could say for now.
  case temporaryFailure
}
