import COpenSSL

/// One set of certificates with everything OpenSSL needs to serve them; never changed once made.
///
/// Each session keeps the configuration it began with, because OpenSSL's callbacks point to it.
final class TLSServerConfiguration: @unchecked Sendable {
  private let contexts: [TLSContextHandle]
  /// Index into `contexts` by name, lower-case; wildcards as they are written.
  private let indexByName: [String: Int]

  var defaultContext: OpaquePointer { contexts[0].pointer }

  init(_ certificates: [TLSServerContext.Certificate], _ clients: TLSServerContext.ClientCertificates)
    throws(CertificateError)
  {
    guard !certificates.isEmpty else { throw .none }
    var contexts: [TLSContextHandle] = []
    var indexByName: [String: Int] = [:]
    for certificate in certificates {
      let context = try TLSContextHandle(TLS_server_method())
      for name in try context.use(certificate) where indexByName[name] == nil { indexByName[name] = contexts.count }
      try context.applyServerPolicy(clients)
      contexts.append(context)
    }
    self.contexts = contexts
    self.indexByName = indexByName
    let argument = Unmanaged.passUnretained(self).toOpaque()
    shim_ssl_ctx_set_server_name_callback(defaultContext, chooseCertificate, argument)
    // ALPN is asked of the context the session has by then, which may be any of them.
    for context in contexts { SSL_CTX_set_alpn_select_cb(context.pointer, chooseApplicationProtocol, nil) }
  }

  /// The context for a name: an exact one, a wildcard for its first label, otherwise nil.
  fileprivate func context(for name: String) -> OpaquePointer? {
    let name = normalisedServerName(name)
    if let index = indexByName[name] { return contexts[index].pointer }
    guard let dot = name.firstIndex(of: "."), let index = indexByName["*" + name[dot...]] else { return nil }
    return contexts[index].pointer
  }
}

/// Called by OpenSSL when it has read the server name. An unknown name gets the first certificate: failing the
/// handshake would only turn a name the client does not even check into an outage.
private func chooseCertificate(
  _ ssl: OpaquePointer?, _: UnsafeMutablePointer<Int32>?, _ argument: UnsafeMutableRawPointer?
) -> Int32 {
  guard let argument, let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return SSL_TLSEXT_ERR_NOACK }
  let configuration = Unmanaged<TLSServerConfiguration>.fromOpaque(argument).takeUnretainedValue()
  if let context = configuration.context(for: String(cString: name)) { SSL_set_SSL_CTX(ssl, context) }
  return SSL_TLSEXT_ERR_OK
}

/// Called by OpenSSL with the client's ALPN names. What it points `chosen` to lies in the client's own list, which
/// outlives the call.
private func chooseApplicationProtocol(
  _ ssl: OpaquePointer?, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
  _ chosenCount: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?, _ offeredCount: UInt32,
  _: UnsafeMutableRawPointer?
) -> Int32 {
  guard let session = SSL_get_ex_data(ssl, 0), let offered else { return SSL_TLSEXT_ERR_NOACK }
  let served = Unmanaged<TLSSession>.fromOpaque(session).takeUnretainedValue().applicationProtocols
  guard !served.isEmpty else { return SSL_TLSEXT_ERR_NOACK }
  let offers = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
  var position = 0
  while position < served.count {
    let wanted = served[position...(position + Int(served[position]))]
    position = wanted.endIndex
    var start = 0
    while start < offers.count {
      let end = start + 1 + Int(offers[start])
      guard end <= offers.count else { break }
      if offers[start..<end].elementsEqual(wanted) {
        chosen?.pointee = offered + start + 1
        chosenCount?.pointee = offers[start]
        return SSL_TLSEXT_ERR_OK
      }
      start = end
    }
  }
  // RFC 7301 §3.2. It also keeps a browser from being made to speak to a mail port (ALPACA).
  return SSL_TLSEXT_ERR_ALERT_FATAL
}
