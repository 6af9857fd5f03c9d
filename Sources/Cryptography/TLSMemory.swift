import COpenSSL

/// Both ends of a TLS session's wire, as Swift memory: what OpenSSL reads comes from `input`, what it writes goes to
/// `output`. Nothing is kept between calls, so an idle session holds no buffers.
final class TLSMemory {
  /// Ciphertext from the peer; it is valid only while `TLSSession.receive` runs.
  var input = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Ciphertext for the peer.
  var output: [UInt8] = []

  /// A BIO over this memory. The memory has to outlive it.
  func makeBIO() -> OpaquePointer? {
    guard let bio = BIO_new(method.pointer) else { return nil }
    BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
    BIO_set_init(bio, 1)
    return bio
  }
}

/// The table of the functions below; made once and never changed, so that any thread may read it.
private struct Method: @unchecked Sendable {
  let pointer: OpaquePointer?
}

private let method: Method = {
  // 0x0400 is BIO_TYPE_SOURCE_SINK, a macro.
  let pointer = BIO_meth_new(BIO_get_new_index() | 0x0400, "martlet")
  BIO_meth_set_read(pointer, readFromMemory)
  BIO_meth_set_write(pointer, writeToMemory)
  BIO_meth_set_ctrl(pointer, controlMemory)
  return Method(pointer: pointer)
}()

private func memory(_ bio: OpaquePointer?) -> TLSMemory? {
  BIO_get_data(bio).map { Unmanaged<TLSMemory>.fromOpaque($0).takeUnretainedValue() }
}

private func readFromMemory(_ bio: OpaquePointer?, _ target: UnsafeMutablePointer<CChar>?, _ count: Int32) -> Int32 {
  shim_bio_clear_retry(bio)
  guard let memory = memory(bio), let target, count > 0 else { return -1 }
  let amount = min(Int(count), memory.input.count)
  guard amount > 0, let source = memory.input.baseAddress else {
    shim_bio_set_retry_read(bio)
    return -1
  }
  memcpy(target, source, amount)
  memory.input = UnsafeRawBufferPointer(rebasing: memory.input[amount...])
  return Int32(amount)
}

private func writeToMemory(_ bio: OpaquePointer?, _ source: UnsafePointer<CChar>?, _ count: Int32) -> Int32 {
  shim_bio_clear_retry(bio)
  guard let memory = memory(bio), let source, count > 0 else { return -1 }
  memory.output.append(contentsOf: UnsafeRawBufferPointer(start: source, count: Int(count)))
  return count
}

private func controlMemory(_: OpaquePointer?, _ command: Int32, _: Int, _: UnsafeMutableRawPointer?) -> Int {
  // BIO_CTRL_FLUSH is always done; everything else is not ours.
  command == BIO_CTRL_FLUSH ? 1 : 0
}
