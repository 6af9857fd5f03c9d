import COpenSSL

/// Bytes from OpenSSL's random generator, fit for keys and tokens.
package func randomBytes(_ count: Int) -> [UInt8] {
  prepareOpenSSL()
  return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
    precondition(RAND_bytes(buffer.baseAddress, Int32(count)) == 1, "the random generator failed")
    filled = count
  }
}
