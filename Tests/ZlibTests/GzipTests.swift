import CZlib
import Testing
import Zlib

@Suite struct GzipTests {
  @Test(arguments: [0, 1, 1_000, 65_536, 200_000])
  func whatGoesInComesOut(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    let file = gzip(bytes)
    #expect(file.starts(with: [0x1F, 0x8B, 8]))
    #expect(gunzip(file, limit: count) == bytes)
    #expect(gunzip(file, limit: count - 1) == nil)
  }

  @Test func whatIsNoWholeFileIsNone() {
    let file = gzip(Array("a report".utf8))
    #expect(gunzip([], limit: 100) == nil)
    #expect(gunzip(Array("plain text".utf8), limit: 100) == nil)
    #expect(gunzip(Array(file.dropLast()), limit: 100) == nil)
    #expect(gunzip(file + [0], limit: 100) == nil)
    var damaged = file
    damaged[file.count - 5] ^= 1
    #expect(gunzip(damaged, limit: 100) == nil)
  }
}

/// What a gzip file with one member holds; nil where it is none, is cut off or damaged, or holds more than `limit`
/// octets.
private func gunzip(_ file: [UInt8], limit: Int) -> [UInt8]? {
  var stream = z_stream()
  // 16 more window bits mean the gzip format.
  guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
  defer { inflateEnd(&stream) }
  var input = file
  return input.withUnsafeMutableBufferPointer { input in
    stream.next_in = input.baseAddress
    stream.avail_in = UInt32(input.count)
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let result = piece.withUnsafeMutableBufferPointer { piece in
        stream.next_out = piece.baseAddress
        stream.avail_out = UInt32(piece.count)
        return inflate(&stream, Z_NO_FLUSH)
      }
      guard result == Z_OK || result == Z_STREAM_END else { return nil }
      bytes += piece[..<(piece.count - Int(stream.avail_out))]
      guard bytes.count <= limit else { return nil }
      if result == Z_STREAM_END { return stream.avail_in == 0 ? bytes : nil }
    }
  }
}
