import CCurl
import Cryptography
package import Networking
import Synchronization
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Fetches small documents over HTTPS, with libcurl: one GET, no redirects, no proxies, no cookies.
///
/// Each fetch has a thread of its own while it lasts; beyond `mostFetches` they wait for their turn.
package final class HTTPSClient: Sendable {
  private struct State {
    var running = 0
    var waiting: [Fetch] = []
  }

  private let settings: HTTPSSettings
  private let state = Mutex(State())

  package init(_ settings: HTTPSSettings = HTTPSSettings()) {
    prepareOpenSSL()
    _ = isReady
    self.settings = settings
  }

  /// - Parameters:
  ///   - addresses: where the host is. Nobody else is asked for it, so a name is looked up by our own resolver only.
  /// - Returns: the document of a reply with status 200.
  package func get(_ url: HTTPSURL, at addresses: [IPAddress]) async throws(HTTPSError) -> HTTPSDocument {
    guard !addresses.isEmpty else { throw .unreachable("\(url.host) has no address") }
    let fetch = Fetch(url, addresses, settings)
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

/// Prepares the library once, after OpenSSL: curl would have it tear itself down in `exit`.
private let isReady: Bool = shim_curl_global_init() == CURLE_OK

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

/// `https://host:port/path`.
package struct HTTPSURL: Hashable, Sendable, CustomStringConvertible {
  /// An ASCII host name.
  package let host: String
  package let port: UInt16
  /// Begins with a slash and is sent as it is.
  package let path: String

  /// Nil unless host and path are of the characters that have no meaning of their own in a URL.
  package init?(host: String, port: UInt16 = 443, path: String) {
    guard !host.isEmpty, host.utf8.allSatisfy(isPlain), path.utf8.first == UInt8(ascii: "/"),
      path.utf8.allSatisfy({ isPlain($0) || $0 == UInt8(ascii: "/") })
    else { return nil }
    self.host = host
    self.port = port
    self.path = path
  }

  package var description: String { "https://\(host)\(port == 443 ? "" : ":\(port)")\(path)" }
}

/// Letters, digits, `-`, `.`, `_`.  RFC 3986 §2.3.
private func isPlain(_ byte: UInt8) -> Bool {
  (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2D || byte == 0x2E || byte == 0x5F
}

package struct HTTPSDocument: Hashable, Sendable {
  /// Type and subtype in lower case, without parameters: `text/plain`.
  package let mediaType: String
  package let bytes: [UInt8]
}

/// Why there is no document. The texts are for the log and for reports.
package enum HTTPSError: Error, Hashable, Sendable, CustomStringConvertible {
  case unreachable(String)
  /// TLS failed, or the certificate is not good enough.
  case untrusted(String)
  /// A status other than 200; redirects are not followed.
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
