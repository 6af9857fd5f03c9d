import CCyrusSASL
import Glibc

/// The library's process-wide state, set up once.
enum CyrusLibrary {
  /// The property plug-in that serves stored secrets, and the only one asked.
  static let auxiliaryPluginName = "martlet"
  /// RFC 5803: the attribute with a SCRAM secret. Cyrus marks properties of the authenticating user by `*`.
  static let secretProperty = "*authPassword"

  /// The mechanisms that could be loaded, without the -PLUS forms; or what went wrong.
  static let mechanisms: Result<Set<String>, CyrusFailure> = start()

  private static func start() -> Result<Set<String>, CyrusFailure> {
    sasl_set_mutex(newMutex, lockMutex, unlockMutex, freeMutex)
    // The library keeps the pointer, so the callbacks live as long as the process.
    let callbacks = UnsafeMutablePointer<sasl_callback_t>.allocate(capacity: 4)
    callbacks.initialize(to: martlet_sasl_getopt(answerOption, nil))
    (callbacks + 1).initialize(to: martlet_sasl_log(dropLogLine, nil))
    (callbacks + 2).initialize(to: martlet_sasl_verifyfile(chooseFile, nil))
    (callbacks + 3).initialize(to: martlet_sasl_list_end())
    var result = sasl_server_init(callbacks, "martlet")
    guard result == SASL_OK else { return .failure(CyrusFailure("sasl_server_init", result)) }
    result = sasl_auxprop_add_plugin(auxiliaryPluginName, makeAuxiliaryPlugin)
    guard result == SASL_OK else { return .failure(CyrusFailure("sasl_auxprop_add_plugin", result)) }
    var names: Set<String> = []
    var name = sasl_global_listmech()
    while let current = name?.pointee {
      names.insert(String(cString: current))
      name = name?.advanced(by: 1)
    }
    return .success(names)
  }
}

/// A call of the library that failed.
struct CyrusFailure: Error, CustomStringConvertible {
  var code: CInt
  var description: String

  init(_ call: String, _ code: CInt) {
    self.code = code
    description = "\(call): \(String(cString: sasl_errstring(code, nil, nil)))"
  }
}

/// Options that would come from a configuration file outside, held to what is meant here.
private struct Options: @unchecked Sendable {
  static let shared = Options()

  // The library keeps the pointers that it is given.
  private let values: [String: UnsafePointer<CChar>]

  private init() {
    let plugins = Set(Mechanism.all.map(\.pluginName)).sorted().joined(separator: " ")
    let texts = [
      "mech_list": plugins,
      "auxprop_plugin": CyrusLibrary.auxiliaryPluginName,
      // After a failed CHECKPASS the library goes on to ask this verifier, so it is one that does not exist.
      "pwcheck_method": "none",
    ]
    values = texts.compactMapValues { strdup($0).map { UnsafePointer($0) } }
  }

  func value(_ name: String) -> UnsafePointer<CChar>? { values[name] }
}

// MARK: Called by C, on any thread: at file scope, so that no actor's isolation is checked

private func newMutex() -> UnsafeMutableRawPointer? {
  let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  mutex.initialize(to: pthread_mutex_t())
  pthread_mutex_init(mutex, nil)
  return UnsafeMutableRawPointer(mutex)
}

private func lockMutex(_ mutex: UnsafeMutableRawPointer?) -> CInt {
  guard let mutex else { return -1 }
  return pthread_mutex_lock(mutex.assumingMemoryBound(to: pthread_mutex_t.self)) == 0 ? 0 : -1
}

private func unlockMutex(_ mutex: UnsafeMutableRawPointer?) -> CInt {
  guard let mutex else { return -1 }
  return pthread_mutex_unlock(mutex.assumingMemoryBound(to: pthread_mutex_t.self)) == 0 ? 0 : -1
}

private func freeMutex(_ mutex: UnsafeMutableRawPointer?) {
  guard let mutex = mutex?.assumingMemoryBound(to: pthread_mutex_t.self) else { return }
  pthread_mutex_destroy(mutex)
  mutex.deallocate()
}

private func answerOption(
  _ context: UnsafeMutableRawPointer?, _ plugin: UnsafePointer<CChar>?, _ option: UnsafePointer<CChar>?,
  _ result: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ length: UnsafeMutablePointer<CUnsignedInt>?
) -> CInt {
  guard let option, let result, let value = Options.shared.value(String(cString: option)) else { return SASL_FAIL }
  result.pointee = value
  length?.pointee = CUnsignedInt(strlen(value))
  return SASL_OK
}

/// Without this the library writes to syslog. What matters of an exchange is logged by us, with the connection it is
/// of.
private func dropLogLine(_ context: UnsafeMutableRawPointer?, _ level: CInt, _ message: UnsafePointer<CChar>?) -> CInt {
  SASL_OK
}

/// The library loads every plug-in it finds, each with libraries of its own (Berkeley DB for one). Only those with the
/// mechanisms that are offered are let in.
private func chooseFile(
  _ context: UnsafeMutableRawPointer?, _ path: UnsafePointer<CChar>?, _ type: sasl_verify_type_t
) -> CInt {
  guard type == SASL_VRFY_PLUGIN, let path else { return SASL_OK }
  let name = String(cString: path).split(separator: "/").last ?? ""
  return ["plain", "login", "scram"].contains { name.contains($0) } ? SASL_OK : SASL_CONTINUE
}

private func makeAuxiliaryPlugin(
  _ utils: UnsafePointer<sasl_utils_t>?, _ maximumVersion: CInt, _ version: UnsafeMutablePointer<CInt>?,
  _ plugin: UnsafeMutablePointer<UnsafeMutablePointer<sasl_auxprop_plug_t>?>?, _ name: UnsafePointer<CChar>?
) -> CInt {
  guard let version, let plugin, maximumVersion >= SASL_AUXPROP_PLUG_VERSION else { return SASL_BADVERS }
  let made = UnsafeMutablePointer<sasl_auxprop_plug_t>.allocate(capacity: 1)
  made.initialize(to: sasl_auxprop_plug_t())
  made.pointee.name = strdup(CyrusLibrary.auxiliaryPluginName)
  made.pointee.auxprop_lookup = lookUpProperties
  version.pointee = SASL_AUXPROP_PLUG_VERSION
  plugin.pointee = made
  return SASL_OK
}

/// Serves the secret of the user who authenticates. It is called a second time for the identity to act as, and must
/// find that too; whether it may be acted as is decided by the proxy policy. A user that does not exist is found like
/// others.
private func lookUpProperties(
  _ global: UnsafeMutableRawPointer?, _ parameters: UnsafeMutablePointer<sasl_server_params_t>?,
  _ flags: CUnsignedInt, _ user: UnsafePointer<CChar>?, _ length: CUnsignedInt
) -> CInt {
  guard let parameters, let user, let context = martlet_sasl_context(parameters) else { return SASL_FAIL }
  guard flags & CUnsignedInt(SASL_AUXPROP_AUTHZID) == 0 else { return SASL_OK }
  let name = text(user, length)
  let delegate = CyrusConnection.from(context).delegate
  guard let properties = parameters.pointee.propctx else { return SASL_FAIL }
  var wanted = prop_get(properties)
  while let property = wanted, let propertyName = property.pointee.name {
    if strcmp(propertyName, CyrusLibrary.secretProperty) == 0 {
      guard let secret = delegate.secret(for: name) else { return SASL_FAIL }
      if property.pointee.values != nil { prop_erase(properties, propertyName) }
      return prop_set(properties, propertyName, secret, CInt(secret.utf8.count))
    }
    wanted = property.advanced(by: 1)
  }
  return SASL_OK
}

func text(_ start: UnsafePointer<CChar>, _ length: CUnsignedInt) -> String {
  String(decoding: UnsafeRawBufferPointer(start: start, count: Int(length)), as: UTF8.self)
}
