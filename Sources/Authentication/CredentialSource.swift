import MailStore
import MessageFormat

/// Where accounts come from: the store, or a table in a test. Lookups must be quick; they run on the threads of SASL.
protocol CredentialSource: Sendable {
  /// By the account's whole address, without regard to case.
  func account(login: String) -> Account?
  /// In a stable order; the first is the default.
  var domains: [Domain] { get }
  /// Makes the account, and its domain where that is missing. For `CredentialPolicy.anyPassword`.
  func makeAccount(_ address: EmailAddress) async throws(StoreError) -> AccountID
}

extension CredentialSource {
  /// The account a client means: its address, or the local part alone where exactly one domain has it.
  func account(named name: String) -> Account? {
    if name.utf8.contains(UInt8(ascii: "@")) { return account(login: name) }
    var found: Account?
    for domain in domains {
      guard let account = account(login: "\(name)@\(domain)") else { continue }
      if found != nil { return nil }
      found = account
    }
    return found
  }
}

/// The store as a source of credentials.
struct StoreCredentials: CredentialSource {
  let store: MailStore

  func account(login: String) -> Account? { store.directory.account(login: login) }
  var domains: [Domain] { store.directory.domains }

  func makeAccount(_ address: EmailAddress) async throws(StoreError) -> AccountID {
    do {
      if !store.directory.isLocal(address.domain) { try await store.addDomain(address.domain) }
    } catch StoreError.domainExists {
      // Another session was quicker.
    }
    do {
      return try await store.addAccount(address, secrets: [], quota: Quota())
    } catch {
      if case .accountExists = error, let account = account(login: address.description) { return account.id }
      throw error
    }
  }
}
