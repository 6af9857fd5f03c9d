package import Authentication
package import Cryptography
package import MailStore
package import MessageFormat
import Synchronization

/// What the sessions of one transcript share: a store, a clock, accounts.
package final class TranscriptWorld: Sendable {
  package static let hostname = "mail.example.test"
  /// The password of accounts that were given none.
  package static let defaultPassword = "secret"

  package let clock: FakeClock
  package let log: LogCollector
  package let activity: Activity
  private let temporary: TemporaryStore
  private let state = Mutex(State())

  private struct State {
    var connections = ConnectionRequest()
    var allowsPlaintext = true
    var offersSTARTTLS = true
    var shared: [ObjectIdentifier: any Sendable] = [:]
    var settings: [String: String] = [:]
  }

  package init() async throws {
    clock = FakeClock()
    log = LogCollector()
    activity = Activity()
    temporary = try await TemporaryStore(clock: clock.wallClock, logger: log.logger)
    try await temporary.store.addDomain(Domain("example.test")!)
  }

  func remove() async { await temporary.remove() }
  func removeFolder() { temporary.removeFolder() }

  package var store: MailStore { temporary.store }

  // MARK: What a session is given

  /// With the policy `verified`. Refusals are not held back: that would be real time.
  package func authenticator() throws -> Authenticator {
    try shared {
      try Authenticator(
        store: store, policy: .verified, hostname: Self.hostname, clock: clock.wallClock, logger: log.logger,
        sleep: { _ in })
    }
  }

  /// Nil where the transcript says that STARTTLS is not offered.
  package func tls() throws -> TLSServerContext? {
    guard state.withLock({ $0.offersSTARTTLS }) else { return nil }
    return try shared { try TLSServerContext(certificates: [TestCertificate.certificate]) }
  }

  package var allowsPlaintextAuthentication: Bool { state.withLock { $0.allowsPlaintext } }

  /// The one value of its type in this transcript; `make` is called the first time.
  package func shared<Value: Sendable>(_ make: () throws -> Value) rethrows -> Value {
    try state.withLock { state in
      if let value = state.shared[ObjectIdentifier(Value.self)] as? Value { return value }
      let value = try make()
      state.shared[ObjectIdentifier(Value.self)] = value
      return value
    }
  }

  /// Notes of a test target's `given` for its session closure.
  package subscript(setting name: String) -> String? {
    get { state.withLock { $0.settings[name] } }
    set { state.withLock { $0.settings[name] = newValue } }
  }

  // MARK: What `given` sets

  /// What connections are unless `connect` says otherwise.
  package var connectionDefaults: ConnectionRequest {
    get { state.withLock { $0.connections } }
    set { state.withLock { $0.connections = newValue } }
  }
  func setPlaintextAllowed(_ allowed: Bool) { state.withLock { $0.allowsPlaintext = allowed } }
  func setSTARTTLSOffered(_ offered: Bool) { state.withLock { $0.offersSTARTTLS = offered } }

  // MARK: Accounts and mail

  /// `alice` is `alice@example.test`.
  package func address(_ name: String) throws -> EmailAddress {
    let text = name.contains("@") ? name : "\(name)@example.test"
    guard let address = EmailAddress(text) else { throw GivenError("\"\(name)\" is not an address") }
    return address
  }

  /// The account, made now if it is not there.
  @discardableResult
  package func account(_ name: String, password: String? = nil, quota: Quota? = nil) async throws -> AccountID {
    let address = try address(name)
    if let known = store.directory.account(login: address.description) {
      if let password { try await store.setSecrets(TestSecrets.of(password), of: known.id) }
      if let quota { try await store.setQuota(quota, of: known.id) }
      return known.id
    }
    if !store.directory.isLocal(address.domain) { try await store.addDomain(address.domain) }
    return try await store.addAccount(
      address, secrets: TestSecrets.of(password ?? Self.defaultPassword), quota: quota ?? Quota())
  }

  package func mailbox(_ name: String, of account: AccountID) async throws -> MailboxName {
    guard let name = MailboxName(name) else { throw GivenError("\"\(name)\" is not a mailbox name") }
    if try await store.mailbox(named: name, of: account) == nil {
      _ = try await store.createMailbox(name, specialUse: nil, of: account)
    }
    return name
  }

  package func append(
    _ message: [UInt8], to mailbox: MailboxName, of account: AccountID, flags: MessageFlags = MessageFlags()
  ) async throws {
    let stage = store.stageBody(expectedSize: message.count)
    try await stage.append(message)
    let body = try await stage.finish()
    let new = NewMessage(
      body: body, flags: flags, internalDate: DateTime(timestamp: clock.now, offsetMinutes: 0))
    _ = try await store.append([new], to: mailbox, of: account)
  }

  /// The `number`th of the messages that `given … with n messages` makes.
  package static func message(_ number: Int, for address: EmailAddress) -> [UInt8] {
    let lines = [
      "From: sender@example.test", "To: \(address)", "Subject: Message \(number)",
      "Date: Thu, 15 Jan 2026 12:00:00 +0000", "Message-ID: <\(number)@example.test>", "", "Body of message \(number).", "",
    ]
    return Array(lines.joined(separator: "\r\n").utf8)
  }
}

package struct GivenError: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// Deriving secrets is slow on purpose, so tests derive them once for a password.
private enum TestSecrets {
  private static let known = Mutex<[String: [StoredSecret]]>([:])

  static func of(_ password: String) -> [StoredSecret] {
    known.withLock { known in
      if let secrets = known[password] { return secrets }
      let secrets = storedSecrets(for: password, iterations: 4_096)
      known[password] = secrets
      return secrets
    }
  }
}
