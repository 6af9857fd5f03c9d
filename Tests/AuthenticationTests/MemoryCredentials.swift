import Cryptography
import Logging
import MailStore
import MessageFormat
import Synchronization
import TestSupport

@testable import Authentication

/// Accounts in a table.
final class MemoryCredentials: CredentialSource {
  private let accounts: Mutex<[Account]>
  private let domainNames: Mutex<[Domain]>

  init(_ accounts: [Account] = [], domains: [String] = ["example.test"]) {
    self.accounts = Mutex(accounts)
    domainNames = Mutex(domains.map { Domain($0)! })
  }

  func account(login: String) -> Account? {
    let key = login.lowercased()
    return accounts.withLock { $0.first { $0.address.lookupKey == key } }
  }

  var domains: [Domain] { domainNames.withLock { $0 } }

  func makeAccount(_ address: EmailAddress) async throws(StoreError) -> AccountID {
    domainNames.withLock { if !$0.contains(address.domain) { $0.append(address.domain) } }
    return accounts.withLock { accounts in
      let id = AccountID(rawValue: Int64(accounts.count + 1))
      accounts.append(Account(id: id, address: address, secrets: [], appPasswords: [], quota: Quota()))
      return id
    }
  }

  func replace(_ account: Account) {
    accounts.withLock { $0 = $0.filter { $0.id != account.id } + [account] }
  }
}

func makeAccount(_ id: Int64, _ address: String, password: String?, appPasswords: [String] = []) -> Account {
  let created = Timestamp(seconds: 0)
  return Account(
    id: AccountID(rawValue: id), address: EmailAddress(address)!,
    secrets: password.map { storedSecrets(for: $0) } ?? [],
    appPasswords: appPasswords.map { AppPassword(label: "phone", secrets: storedSecrets(for: $0), created: created) },
    quota: Quota())
}

/// An authenticator over a table, whose refusals take no time: what they would have waited is written down.
struct World {
  let source: MemoryCredentials
  let clock = FakeClock()
  let log = LogCollector()
  let held = Held()
  let authenticator: Authenticator

  final class Held: Sendable {
    let delays = Mutex<[Duration]>([])
    var seconds: [Int] { delays.withLock { $0.map { Int(($0 / .seconds(1)).rounded()) } } }
  }

  init(_ source: MemoryCredentials, policy: CredentialPolicy = .verified) throws {
    self.source = source
    authenticator = try Authenticator(
      source: source, policy: policy, hostname: "mail.example.test", clock: clock.wallClock, logger: log.logger
    ) { [held] delay in held.delays.withLock { $0.append(delay) } }
  }
}

func makeContext(
  tls: TLSInfo? = makeTLS(), from address: String = "192.0.2.7", allowsPlaintext: Bool = false,
  service: AuthenticationContext.Service = .imap
) -> AuthenticationContext {
  AuthenticationContext(
    service: service, connectionID: "c1", remoteAddress: address, limitKey: address, tls: tls,
    allowsPlaintext: allowsPlaintext)
}

func makeTLS(certificateOf emails: [String] = []) -> TLSInfo {
  var tls = TLSInfo(version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384")
  tls.exporterBinding = Array("exporter exporter exporter expor".utf8)
  tls.endPointBinding = Array("end point end point end point en".utf8)
  tls.peerEmailAddresses = emails
  tls.peerCertificateIsTrusted = !emails.isEmpty
  return tls
}
