import Authentication
import Cryptography
import Delivery
package import MailStore
package import MessageFormat

/// Which ports `martlet dev` takes.
package enum DevelopmentPorts: String, CaseIterable, Sendable {
  /// The registered ones + 1000: the numbers Mailpit and MailHog users have.
  case standard = "default"
  case greenmail
  /// Free ones.
  case auto

  func port(of service: ListenerService) -> UInt16 {
    switch self {
    case .standard: service.port + 1_000
    case .greenmail: service.port + 3_000
    case .auto: 0
    }
  }
}

/// A login for `martlet dev`: `alice@example.test:secret`.
package struct DevelopmentUser: Sendable {
  package var address: EmailAddress
  package var password: String

  package init?(_ text: String) {
    guard let at = text.lastIndex(of: "@"), let colon = text[at...].firstIndex(of: ":"),
      let address = EmailAddress(String(text[..<colon]))
    else { return nil }
    self.address = address
    password = String(text[text.index(after: colon)...])
    if password.isEmpty { return nil }
  }
}

/// What `martlet dev` makes before the server starts: a plan on loopback, and an authority that signs its certificate.
package struct DevelopmentServer: Sendable {
  package let plan: ServerPlan
  /// The PEM file of the authority, for clients to trust.
  package let authorityPath: String
  private let authorityCertificate: [UInt8]
  private let users: [DevelopmentUser]
  /// The least that RFC 7677 §4 allows: these passwords guard nothing, and dozens of users should be there at once.
  private static let iterations = 4_096

  private let seed: String?

  /// - Parameters:
  ///   - configuration: limits and log settings; its listeners are replaced unless `keepsListeners`.
  ///   - users: empty: any address logs in with any password.
  package init(
    configuration: Configuration, ports: DevelopmentPorts, keepsListeners: Bool, users: [DevelopmentUser],
    seed: String?
  ) throws(StartupError) {
    var configuration = configuration
    if !keepsListeners {
      configuration.listeners = ListenerService.standard.map { service in
        ListenerSetting(service: service, place: .internet(host: "127.0.0.1", port: ports.port(of: service)))
      }
    }
    let hostname = configuration.hostname?.text ?? "localhost"
    var plan = ServerPlan(configuration: configuration, hostname: hostname)
    plan.credentials = users.isEmpty ? .anyPassword : .verified
    plan.unknownRecipients = .createAccount
    plan.allowsPlaintextAuthentication = true
    plan.acceptsAnySender = true
    plan.mirrorsLoopback = !keepsListeners

    let directory = configuration.dataDirectory
    authorityPath = "\(directory)/ca.pem"
    do {
      try makePrivateDirectory(directory)
      let authority = try CertificateAuthority(name: "Martlet development CA")
      var names = ["localhost", "127.0.0.1", "::1"]
      if hostname != "localhost" { names.insert(hostname, at: 0) }
      plan.certificates = [try authority.issue(names: names)]
      authorityCertificate = authority.certificate
    } catch {
      throw StartupError("\(error)")
    }
    self.plan = plan
    self.users = users
    self.seed = seed
  }

  /// Users and seeds, before anything listens.
  package func prepare(_ store: MailStore, clock: WallClock) async throws(StartupError) {
    // Only once the store is ours: another server that holds it has its authority in this place.
    do throws(FileProblem) {
      try writeFileBytes(authorityCertificate, to: authorityPath, mode: 0o644)
    } catch {
      throw StartupError("\(error)")
    }
    for user in users {
      do throws(StoreError) {
        try await makeAccount(
          user.address, secrets: storedSecrets(for: user.password, iterations: Self.iterations), in: store)
      } catch {
        throw StartupError("user \(user.address): \(error.inWords)")
      }
    }
    if let seed { try await loadSeed(seed, into: store, clock: clock) }
  }
}

/// Makes the account with its domain, or gives an existing one these secrets.
func makeAccount(_ address: EmailAddress, secrets: [StoredSecret], in store: MailStore) async throws(StoreError) {
  if let account = store.directory.account(login: address.description) {
    if !secrets.isEmpty { try await store.setSecrets(secrets, of: account.id) }
    return
  }
  if !store.directory.isLocal(address.domain) { try await store.addDomain(address.domain) }
  _ = try await store.addAccount(address, secrets: secrets, quota: Quota())
}
