import Authentication
import Delivery
import Dispatch
import Logging
import MailStore
import MessageFormat
import Networking
import SMTPServer

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The SMTP server with the real store behind it, or with one that takes every message and keeps none: what the sessions
/// alone can do.
enum SMTPCeiling {
  enum Behind {
    case store
    case nothing
  }

  /// Writes `port N` and serves until standard input ends. Mail is for `alice@bench.test`.
  static func serve(at directory: String, _ behind: Behind) async throws {
    let store = try await MailStore.open(at: directory)
    let hostname = Domain("bench.test")!
    if !store.directory.isLocal(hostname) {
      try await store.addDomain(hostname)
      _ = try await store.addAccount(
        EmailAddress(localPart: "alice", domain: hostname), secrets: [], quota: Quota())
    }
    var logger = Logger(label: "smtp")
    logger.logLevel = .warning
    var services = SMTPServices(
      store: store,
      authenticator: try Authenticator(
        store: store, policy: .verified, hostname: hostname.text, clock: .system, logger: logger),
      router: Router(store: store, hostname: hostname, unknown: .refuse), tls: nil, hostname: hostname.text,
      clock: .system, logger: logger)
    if behind == .nothing {
      services.deliver = { _, recipients, _, _, _ in
        recipients.map { _ in
          .success(AppendResult(mailbox: MailboxID(rawValue: 1), uidValidity: UIDValidity(rawValue: 1), uids: []))
        }
      }
    }
    let configuration = ListenerConfiguration(
      endpoint: .internet(host: "127.0.0.1", port: 0), security: .plaintext)
    let listener = try await Listener.start(configuration, logger: logger) { [services] connection in
      var session = SMTPSession(connection: connection, role: .exchange, services: services)
      await session.run()
    }
    print("port \(listener.port)")
    fflush(nil)
    await withCheckedContinuation { continuation in
      // Waiting for standard input blocks, so it has a thread of its own.
      DispatchQueue(label: "input").async {
        while readLine() != nil {}
        continuation.resume()
      }
    }
    await listener.stopAccepting()
    await listener.drain(within: .seconds(5))
    await store.close()
  }
}
