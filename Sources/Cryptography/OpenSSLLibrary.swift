import COpenSSL

/// Prepares the library once. Without NO_ATEXIT it would tear itself down in `exit` while other threads still use it.
private let prepared: Bool = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1

/// To be called before the first use of anything that keeps state in the library.
@inline(__always) package func prepareOpenSSL() { _ = prepared }

/// Says what the library put into this thread's error queue, oldest first, and empties it.
func takeOpenSSLErrors() -> String {
  var reasons: [String] = []
  while case let code = ERR_get_error(), code != 0 {
    if let reason = ERR_reason_error_string(code) { reasons.append(String(cString: reason)) }
  }
  return reasons.isEmpty ? "unknown error" : reasons.joined(separator: ", ")
}
