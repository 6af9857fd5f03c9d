import Cryptography
package import Networking
import Synchronization
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Fetches and hands in small documents over HTTPS, with libcurl: one GET or POST, no redirects, no proxies, no cookies.
///
/// Each has a thread of its own while it lasts; beyond `mostFetches` they wait for their turn.
package final class HTTPSClient: Sendable {
  private struct State {
    var running = 0
    var waiting: [Fetch] = []
  }

  private let settings: HTTPSSettings
  private let state = Mutex(State())

  package init(_ settings: HTTPSSettings = HTTPSSettings()) {
    prepareOpenSSL()
    self.settings = settings
  }

  /// - Parameters:
  ///   - addresses: where the host is. Nobody else is asked for it, so a name is looked up by our own resolver only.
  /// - Returns: the document of a reply with status 200.
  package func get(_ url: HTTPSURL, at addresses: [IPAddress]) async throws(HTTPSError) -> HTTPSDocument {
    let document = try await perform(url, at: addresses, posting: nil)
    guard document.status == 200 else { throw .status(document.status) }
    return document
  }

  /// Hands a document in. Returns when the server has taken it: any status of 200 to 299.
  package func post(_ document: HTTPSUpload, to url: HTTPSURL, at addresses: [IPAddress]) async throws(HTTPSError) {
    let answer = try await perform(url, at: addresses, posting: document)
    guard 200..<300 ~= answer.status else { throw .status(answer.status) }
  }

  private func perform(
    _ url: HTTPSURL, at addresses: [IPAddress], posting upload: HTTPSUpload?
  ) async throws(HTTPSError) -> HTTPSDocument {
    guard !addresses.isEmpty else { throw .unreachable("\(url.host) has no address") }
    let fetch = Fetch(url, addresses, settings, posting: upload)
    if let next = admit(fetch) { run(next) }
    return try await withTaskCancellationHandler {
      await fetch.outcome()
    } onCancel: {
      fetch.cancel()
    }.get()
  }

  private func admit(_ fetch: Fetch) -> Fetch? {
    state.withLock { state in
      guard state.running < settings.mostFetches else {
        state.waiting.append(fetch)
        return nil
      }
      state.running += 1
      return fetch
    }
  }

  private func run(_ first: Fetch) {
    startThread { [self] in
      var next: Fetch? = first
      while let fetch = next {
        fetch.run()
        next = state.withLock { state in
          guard !state.waiting.isEmpty else {
            state.running -= 1
            return nil
          }
          return state.waiting.removeFirst()
        }
      }
    }
  }
}

package struct HTTPSSettings: Sendable {
  /// Octets of a document.
  package var mostOctets = 65_536
  /// From the first packet to the last octet. RFC 8461 §3.3 asks for a minute.
  package var timeLimit = Duration.seconds(60)
  package var mostFetches = 4
  /// PEM certificates that are trusted in place of the system's.
  package var authorities: [UInt8]?

  package init() {}
}

package struct HTTPSDocument: Hashable, Sendable {
  let status: Int
  /// Type and subtype in lower case, without parameters: `text/plain`.
  package let mediaType: String
  package let bytes: [UInt8]
}

/// What is handed in.
package struct HTTPSUpload: Hashable, Sendable {
  /// A type and subtype of ours: `application/tlsrpt+gzip`.
  package let mediaType: String
  package let bytes: [UInt8]

  package init(mediaType: String, bytes: [UInt8]) {
    self.mediaType = mediaType
    self.bytes = bytes
  }
}

/// Why there is no document, or it was not taken. The texts are for the log and for reports.
package enum HTTPSError: Error, Hashable, Sendable, CustomStringConvertible {
  case unreachable(String)
  /// TLS failed, or the certificate is not good enough.
  case untrusted(String)
  /// One that does not say that it went well; redirects are not followed.
  case status(Int)
  case tooLarge
  case timedOut
  case cancelled

  package var description: String {
    switch self {
    case .unreachable(let reason): "it cannot be reached: \(reason)"
    case .untrusted(let reason): "its certificate is not good enough: \(reason)"
    case .status(let status): "it answers with status \(status)"
    case .tooLarge: "the document is too large"
    case .timedOut: "it did not answer in time"
    case .cancelled: "the fetch was cancelled"
    }
  }
}
