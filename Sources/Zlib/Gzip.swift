import CZlib

/// The bytes as a gzip file with one member, without name and time: the same bytes give the same file.  RFC 1952.
package func gzip(_ bytes: [UInt8]) -> [UInt8] {
  var stream = z_stream()
  // It fails for want of memory only.
  guard shim_deflate_init_gzip(&stream) == Z_OK else { preconditionFailure("zlib: no memory") }
  defer { deflateEnd(&stream) }
  var input = bytes
  return input.withUnsafeMutableBufferPointer { input in
    stream.next_in = input.baseAddress
    stream.avail_in = UInt32(input.count)
    let room = Int(deflateBound(&stream, UInt(input.count)))
    return [UInt8](unsafeUninitializedCapacity: room) { output, count in
      stream.next_out = output.baseAddress
      stream.avail_out = UInt32(output.count)
      let result = deflate(&stream, Z_FINISH)
      precondition(result == Z_STREAM_END, "the bound is large enough for all of it")
      count = room - Int(stream.avail_out)
    }
  }
}
