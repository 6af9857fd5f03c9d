import COpenSSL

/// What `write` writes to the BIO it is given; nil where it fails, with the reason in OpenSSL's error queue.
func writtenBytes(_ write: (OpaquePointer) -> Int32) -> [UInt8]? {
  guard let bio = BIO_new(BIO_s_mem()) else { return nil }
  defer { BIO_free(bio) }
  guard write(bio) == 1 else { return nil }
  var start: UnsafeMutablePointer<CChar>?
  let count = shim_bio_contents(bio, &start)
  guard let start, count > 0 else { return nil }
  return Array(UnsafeRawBufferPointer(start: start, count: count))
}
