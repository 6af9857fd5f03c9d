import CUnbound

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Owns a `ub_ctx`. Only the resolver's thread calls it.
struct UnboundContext: ~Copyable {
  private let pointer: OpaquePointer

  private init(owning pointer: OpaquePointer) { self.pointer = pointer }

  static func make(_ settings: ResolverSettings) throws(ResolverSetupError) -> UnboundContext {
    guard let pointer = ub_ctx_create() else {
      throw ResolverSetupError(description: "DNS: there is no memory for a resolver")
    }
    let context = UnboundContext(owning: pointer)
    try context.apply(settings)
    return context
  }

  private func apply(_ settings: ResolverSettings) throws(ResolverSetupError) {
    // It would write to standard error.
    ub_ctx_debugout(pointer, nil)
    try check(ub_ctx_async(pointer, 1), "starting a thread")
    try set("num-queries-per-thread:", "512")
    let asksLocally = settings.upstream != .recursion || !settings.stubs.isEmpty
    if asksLocally {
      // A resolver on this machine, and names of the local network that only it knows.
      try set("do-not-query-localhost:", "no")
      try set("unblock-lan-zones:", "yes")
      try set("insecure-lan-zones:", "yes")
    }
    switch settings.upstream {
    case .system: try check(ub_ctx_resolvconf(pointer, nil), "reading /etc/resolv.conf")
    case .forwarders(let servers):
      guard !servers.isEmpty else { throw ResolverSetupError(description: "DNS: no name server is given") }
      for server in servers { try check(ub_ctx_set_fwd(pointer, server), "the name server “\(server)”") }
    case .recursion: break
    }
    for stub in settings.stubs {
      try check(ub_ctx_set_stub(pointer, stub.zone.text, stub.server, 0), "the name server “\(stub.server)”")
    }
    if let file = settings.trustAnchorFile {
      guard access(file, R_OK) == 0 else {
        throw ResolverSetupError(
          description: "DNS: the trust anchor \(file) cannot be read; on Debian the package dns-root-data has it")
      }
      try check(ub_ctx_add_ta_file(pointer, file), "the trust anchor \(file)")
    }
    for anchor in settings.trustAnchors { try check(ub_ctx_add_ta(pointer, anchor), "the trust anchor “\(anchor)”") }
    // The settings are looked at with the first question only: this one, which leaves no machine.
    var number: Int32 = 0
    try check(
      ub_resolve_async(pointer, "localhost.", 1, 1, nil, { _, _, result in ub_resolve_free(result) }, &number),
      "starting")
  }

  /// Waits for libunbound's own thread to end. No callback comes any more.
  deinit { ub_ctx_delete(pointer) }

  /// Readable when there are answers for `process`.
  var descriptor: Int32 { ub_fd(pointer) }

  /// Calls `callback` from within a later `process`, with `argument`, unless `cancel` comes first.
  /// - Returns: what `cancel` needs.
  func ask(
    _ name: DomainName, _ type: RecordType, argument: UnsafeMutableRawPointer, callback: @escaping ub_callback_type
  ) -> Result<Int32, ResolutionError> {
    var number: Int32 = 0
    let code = ub_resolve_async(pointer, name.text, Int32(type.rawValue), 1, argument, callback, &number)
    return code == 0 ? .success(number) : .failure(.failed(words(code)))
  }

  func cancel(_ number: Int32) { _ = ub_cancel(pointer, number) }

  /// Calls back for all answers that have come.
  func process() { _ = ub_process(pointer) }

  private func set(_ option: String, _ value: String) throws(ResolverSetupError) {
    try check(ub_ctx_set_option(pointer, option, value), "the option \(option)")
  }

  private func check(_ code: Int32, _ action: String) throws(ResolverSetupError) {
    if code != 0 { throw ResolverSetupError(description: "DNS: \(action): \(words(code))") }
  }
}

private func words(_ code: Int32) -> String { ub_strerror(code).map { String(cString: $0) } ?? "error \(code)" }

extension RawAnswer {
  /// Reads what libunbound hands to a callback, and frees it.
  static func taking(
    _ result: UnsafeMutablePointer<ub_result>?, _ code: Int32, for question: DomainName
  ) -> Result<RawAnswer, ResolutionError> {
    defer { ub_resolve_free(result) }
    guard code == 0, let result = result?.pointee else { return .failure(.failed(words(code))) }
    if result.bogus != 0 {
      return .failure(.bogus(result.why_bogus.map { String(cString: $0) } ?? "the signatures are wrong"))
    }
    let isThere = result.rcode == 0
    // NXDOMAIN is 3.  RFC 1035 §4.1.1.
    guard isThere || result.rcode == 3 else { return .failure(.failed(responseCodeName(result.rcode))) }
    let name = result.canonname.flatMap { DomainName(String(cString: $0)) } ?? question
    return .success(
      RawAnswer(
        name: name,
        content: result.nxdomain != 0 || !isThere ? .noSuchName : content(of: result),
        security: result.secure != 0 ? .secure : .insecure, timeToLive: UInt32(clamping: result.ttl)))
  }

  private static func content(of result: ub_result) -> Content {
    guard result.havedata != 0, let data = result.data, let lengths = result.len else { return .noData }
    var records: [[UInt8]] = []
    while let start = data[records.count] {
      records.append(Array(UnsafeRawBufferPointer(start: start, count: Int(lengths[records.count]))))
    }
    return records.isEmpty ? .noData : .records(records)
  }
}

private func responseCodeName(_ code: Int32) -> String {
  switch code {
  case 1: "FORMERR"
  case 2: "SERVFAIL"
  case 4: "NOTIMP"
  case 5: "REFUSED"
  default: "response code \(code)"
  }
}
