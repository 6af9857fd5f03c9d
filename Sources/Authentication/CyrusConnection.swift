import CCyrusSASL

/// What the library asks while it runs an exchange. Called on the thread that steps it.
protocol CyrusDelegate: AnyObject, Sendable {
  /// The stored secret of the mechanism's hash, of a user who may not exist; nil to end the exchange.
  func secret(for name: String) -> String?
  func isPassword(_ password: [UInt8], of name: String) -> Bool
  func mayAct(_ authenticated: String, as requested: String) -> Bool
}

/// Owns one `sasl_conn_t`: one exchange of one mechanism. Used by one thread at a time.
final class CyrusConnection: @unchecked Sendable {
  enum Step {
    case challenge([UInt8])
    case done(user: String, data: [UInt8])
    case failed(CyrusFailure)
  }

  let delegate: any CyrusDelegate
  private let mechanism: Mechanism
  private let callbacks: UnsafeMutablePointer<sasl_callback_t>
  private var handle: OpaquePointer?
  private var isStarted = false
  private var binding: BindingStorage?

  init(mechanism: Mechanism, service: String, hostname: String, delegate: any CyrusDelegate) throws(CyrusFailure) {
    self.mechanism = mechanism
    self.delegate = delegate
    callbacks = .allocate(capacity: 3)
    callbacks.initialize(repeating: martlet_sasl_list_end(), count: 3)
    let context = Unmanaged.passUnretained(self).toOpaque()
    callbacks[0] = martlet_sasl_checkpass(checkPassword, context)
    callbacks[1] = martlet_sasl_proxy_policy(decideProxy, context)
    // No user realm: with one, the library would add it to names.
    let result = sasl_server_new(
      service, hostname, nil, nil, nil, callbacks, CUnsignedInt(SASL_SUCCESS_DATA), &handle)
    guard result == SASL_OK else { throw CyrusFailure("sasl_server_new", result) }
  }

  deinit {
    sasl_dispose(&handle)
    callbacks.deallocate()
  }

  static func from(_ context: UnsafeMutableRawPointer) -> CyrusConnection {
    Unmanaged.fromOpaque(context).takeUnretainedValue()
  }

  /// To be called before the first step.
  func bind(to channel: ChannelBinding) throws(CyrusFailure) {
    let storage = BindingStorage(channel)
    let result = sasl_setprop(handle, SASL_CHANNEL_BINDING, storage.pointer)
    guard result == SASL_OK else { throw CyrusFailure("sasl_setprop(SASL_CHANNEL_BINDING)", result) }
    binding = storage
  }

  /// The identity that TLS has proven, for EXTERNAL. To be called before the first step.
  func setExternalIdentity(_ name: String) throws(CyrusFailure) {
    let result = name.withCString { sasl_setprop(handle, SASL_AUTH_EXTERNAL, $0) }
    guard result == SASL_OK else { throw CyrusFailure("sasl_setprop(SASL_AUTH_EXTERNAL)", result) }
  }

  func step(_ response: [UInt8]?) -> Step {
    var output: UnsafePointer<CChar>?
    var outputLength: CUnsignedInt = 0
    let result = (response ?? []).withUnsafeBytes { bytes in
      // An empty response is not the same as none, so it needs a pointer too.
      let empty: StaticString = ""
      let start: UnsafePointer<CChar>? =
        response == nil
        ? nil
        : (bytes.baseAddress ?? UnsafeRawPointer(empty.utf8Start)).assumingMemoryBound(to: CChar.self)
      if isStarted {
        return sasl_server_step(handle, start, CUnsignedInt(bytes.count), &output, &outputLength)
      }
      isStarted = true
      return sasl_server_start(handle, mechanism.name, start, CUnsignedInt(bytes.count), &output, &outputLength)
    }
    // The library owns the output and frees it with the next step.
    let data = output.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: Int(outputLength))) } ?? []
    switch result {
    case SASL_CONTINUE: return .challenge(data)
    case SASL_OK:
      guard let user = property(SASL_AUTHUSER) else { return .failed(CyrusFailure("sasl_getprop", SASL_FAIL)) }
      return .done(user: user, data: data)
    default: return .failed(CyrusFailure(mechanism.name, result))
    }
  }

  private func property(_ number: CInt) -> String? {
    var value: UnsafeRawPointer?
    guard sasl_getprop(handle, number, &value) == SASL_OK, let value else { return nil }
    return String(cString: value.assumingMemoryBound(to: CChar.self))
  }
}

/// Memory of a channel binding: the library keeps only the pointer.
private final class BindingStorage {
  let pointer: UnsafeMutablePointer<sasl_channel_binding_t>
  private let name: UnsafeMutablePointer<CChar>
  private let data: UnsafeMutablePointer<UInt8>

  init(_ binding: ChannelBinding) {
    let text = binding.kind.rawValue.utf8CString
    name = .allocate(capacity: text.count)
    name.initialize(from: Array(text), count: text.count)
    data = .allocate(capacity: max(binding.data.count, 1))
    data.initialize(from: binding.data, count: binding.data.count)
    pointer = .allocate(capacity: 1)
    pointer.initialize(
      to: sasl_channel_binding_t(name: name, critical: 1, len: CUnsignedLong(binding.data.count), data: data))
  }

  deinit {
    pointer.deallocate()
    data.deallocate()
    name.deallocate()
  }
}

// MARK: Called by C: at file scope, so that no actor's isolation is checked

private func checkPassword(
  _ connection: OpaquePointer?, _ context: UnsafeMutableRawPointer?, _ user: UnsafePointer<CChar>?,
  _ password: UnsafePointer<CChar>?, _ length: CUnsignedInt, _ properties: OpaquePointer?
) -> CInt {
  guard let context, let user, let password else { return SASL_BADPARAM }
  let octets = [UInt8](UnsafeRawBufferPointer(start: password, count: Int(length)))
  let isRight = CyrusConnection.from(context).delegate.isPassword(octets, of: String(cString: user))
  return isRight ? SASL_OK : SASL_BADAUTH
}

private func decideProxy(
  _ connection: OpaquePointer?, _ context: UnsafeMutableRawPointer?, _ requested: UnsafePointer<CChar>?,
  _ requestedLength: CUnsignedInt, _ authenticated: UnsafePointer<CChar>?, _ authenticatedLength: CUnsignedInt,
  _ realm: UnsafePointer<CChar>?, _ realmLength: CUnsignedInt, _ properties: OpaquePointer?
) -> CInt {
  guard let context, let requested, let authenticated else { return SASL_BADPARAM }
  let mayAct = CyrusConnection.from(context).delegate.mayAct(
    text(authenticated, authenticatedLength), as: text(requested, requestedLength))
  return mayAct ? SASL_OK : SASL_NOAUTHZ
}
