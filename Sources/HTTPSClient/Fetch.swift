import CCurl
import Networking
import Synchronization

/// Opens the library once, when something is fetched. After OpenSSL, which the client has prepared: curl would have it
/// tear itself down in `exit`.
private let isReady = ccurl_open() != 0

/// One document on its way. `run` is for a thread of its own; everything else may be called anywhere.
final class Fetch: @unchecked Sendable {
  typealias Outcome = Result<HTTPSDocument, HTTPSError>

  private struct State {
    var isCancelled = false
    var outcome: Outcome?
    var waiter: CheckedContinuation<Outcome, Never>?
  }

  private let url: HTTPSURL
  private let addresses: [IPAddress]
  private let settings: HTTPSSettings
  /// Nil: a document is fetched.
  private let upload: HTTPSUpload?
  private let state = Mutex(State())
  /// Only `run` and what it calls touch these.
  private var bytes: [UInt8] = []
  private var isTooLarge = false

  init(_ url: HTTPSURL, _ addresses: [IPAddress], _ settings: HTTPSSettings, posting upload: HTTPSUpload?) {
    self.upload = upload
    self.url = url
    self.addresses = addresses
    self.settings = settings
  }

  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  /// The wait ends at once, the transfer within a second.
  func cancel() {
    state.withLock { $0.isCancelled = true }
    settle(.failure(.cancelled))
  }

  /// To be called once.
  func outcome() async -> Outcome {
    await withCheckedContinuation { continuation in
      let outcome: Outcome? = state.withLock { state in
        if state.outcome == nil { state.waiter = continuation }
        return state.outcome
      }
      if let outcome { continuation.resume(returning: outcome) }
    }
  }

  private func settle(_ outcome: Outcome) {
    let waiter: CheckedContinuation<Outcome, Never>? = state.withLock { state in
      guard state.outcome == nil else { return nil }
      state.outcome = outcome
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: outcome)
  }

  func run() {
    if !isCancelled { settle(transfer()) }
  }

  private func transfer() -> Outcome {
    guard isReady else { return .failure(.unreachable("libcurl is not installed here")) }
    guard let handle = shim_curl_init() else { return .failure(.unreachable("there is no memory")) }
    defer { shim_curl_cleanup(handle) }
    // `host:port:address,address`, in place of a look-up.
    let places = addresses.map { $0.isIPv6 ? "[\($0)]" : $0.description }.joined(separator: ",")
    let list = shim_curl_append(nil, "\(url.host):\(url.port):\(places)")
    defer { shim_curl_free(list) }
    // Whether the server would take it is found out by sending it: these are small.
    var fields = upload.flatMap { shim_curl_append(nil, "Content-Type: \($0.mediaType)") }
    if upload != nil { fields = shim_curl_append(fields, "Expect:") }
    defer { shim_curl_free(fields) }
    var words = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
    let result = words.withUnsafeMutableBufferPointer { words in
      prepare(handle, list, fields, words.baseAddress) ? shim_curl_perform(handle) : CURLE_FAILED_INIT
    }
    let text = words[0] == 0 ? String(cString: shim_curl_words(result)) : words.withUnsafeBufferPointer {
      $0.baseAddress.map { String(cString: $0) } ?? ""
    }
    if let error = error(result, text) { return .failure(error) }
    let status = Int(shim_curl_status(handle))
    let type = shim_curl_content_type(handle).map { String(cString: $0) } ?? ""
    let essence = type.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
    return .success(HTTPSDocument(status: status, mediaType: essence, bytes: bytes))
  }

  private func prepare(
    _ handle: UnsafeMutableRawPointer, _ places: UnsafeMutablePointer<curl_slist>?,
    _ fields: UnsafeMutablePointer<curl_slist>?, _ words: UnsafeMutablePointer<CChar>?
  ) -> Bool {
    let (seconds, attoseconds) = settings.timeLimit.components
    let milliseconds = Int(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
    let own = Unmanaged.passUnretained(self).toOpaque()
    var results = [
      shim_curl_set_error_buffer(handle, words),
      shim_curl_set_text(handle, CURLOPT_URL, url.description),
      shim_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "https"),
      shim_curl_set_text(handle, CURLOPT_PROXY, ""),
      shim_curl_set_text(handle, CURLOPT_USERAGENT, "martlet"),
      shim_curl_set_list(handle, CURLOPT_RESOLVE, places),
      shim_curl_set_number(handle, CURLOPT_FOLLOWLOCATION, 0),
      shim_curl_set_number(handle, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1),
      shim_curl_set_number(handle, CURLOPT_SSL_VERIFYPEER, 1),
      shim_curl_set_number(handle, CURLOPT_SSL_VERIFYHOST, 2),
      shim_curl_set_number(handle, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2),
      shim_curl_set_number(handle, CURLOPT_TIMEOUT_MS, max(milliseconds, 1)),
      shim_curl_set_number(handle, CURLOPT_FORBID_REUSE, 1),
      // Signals are of the whole process.
      shim_curl_set_number(handle, CURLOPT_NOSIGNAL, 1),
      shim_curl_set_writer(handle, fetchReceived, own),
      shim_curl_set_progress(handle, fetchGoesOn, own),
    ]
    if let authorities = settings.authorities {
      results.append(shim_curl_set_authorities(handle, authorities, authorities.count))
    }
    if let upload {
      results.append(shim_curl_set_list(handle, CURLOPT_HTTPHEADER, fields))
      results.append(shim_curl_set_post(handle, upload.bytes, upload.bytes.count))
    }
    return results.allSatisfy { $0 == CURLE_OK }
  }

  private func error(_ result: CURLcode, _ text: String) -> HTTPSError? {
    switch result {
    case CURLE_OK: nil
    case CURLE_WRITE_ERROR where isTooLarge: .tooLarge
    case CURLE_OPERATION_TIMEDOUT: .timedOut
    case CURLE_ABORTED_BY_CALLBACK: .cancelled
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR:
      .untrusted(text)
    default: .unreachable(text)
    }
  }

  /// What has arrived; false ends the transfer.
  fileprivate func received(_ piece: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count + piece.count <= settings.mostOctets else {
      isTooLarge = true
      return false
    }
    bytes.append(contentsOf: piece)
    return true
  }
}

// libcurl calls these on the fetch's thread.

private func fetchReceived(
  _ start: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ argument: UnsafeMutableRawPointer?
) -> Int {
  guard let argument else { return 0 }
  let piece = UnsafeRawBufferPointer(start: start, count: size * count)
  return Unmanaged<Fetch>.fromOpaque(argument).takeUnretainedValue().received(piece) ? piece.count : 0
}

private func fetchGoesOn(
  _ argument: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> Int32 {
  guard let argument else { return 1 }
  return Unmanaged<Fetch>.fromOpaque(argument).takeUnretainedValue().isCancelled ? 1 : 0
}
