/// Eight tables of 256 entries: table `k` is the effect of a byte followed by `k` zero bytes ("slicing by 8").
/// Made once and never freed.
private nonisolated(unsafe) let tables: UnsafePointer<UInt32> = {
  let tables = UnsafeMutablePointer<UInt32>.allocate(capacity: 8 * 256)
  for index in 0..<256 {
    var value = UInt32(index)
    for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1 }
    tables[index] = value
  }
  for index in 256..<8 * 256 {
    let previous = tables[index - 256]
    tables[index] = (previous >> 8) ^ tables[Int(previous & 0xFF)]
  }
  return UnsafePointer(tables)
}()

/// The CRC-32C (Castagnoli) of `bytes`, which guards the records of the store.  RFC 3720 §12.1, appendix B.4.
/// - Parameter seed: the CRC of the bytes before these, so that a long run can be given in pieces.
package func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
  guard var pointer = bytes.baseAddress else { return seed }
  let tables = tables
  var remaining = bytes.count
  var crc = ~seed
  while remaining >= 8 {
    let word = UInt64(littleEndian: pointer.loadUnaligned(as: UInt64.self)) ^ UInt64(crc)
    crc =
      tables[7 * 256 + Int(word & 0xFF)]
      ^ tables[6 * 256 + Int(word >> 8 & 0xFF)]
      ^ tables[5 * 256 + Int(word >> 16 & 0xFF)]
      ^ tables[4 * 256 + Int(word >> 24 & 0xFF)]
      ^ tables[3 * 256 + Int(word >> 32 & 0xFF)]
      ^ tables[2 * 256 + Int(word >> 40 & 0xFF)]
      ^ tables[256 + Int(word >> 48 & 0xFF)]
      ^ tables[Int(word >> 56)]
    pointer += 8
    remaining &-= 8
  }
  while remaining > 0 {
    crc = (crc >> 8) ^ tables[Int((crc ^ UInt32(pointer.load(as: UInt8.self))) & 0xFF)]
    pointer += 1
    remaining &-= 1
  }
  return ~crc
}
