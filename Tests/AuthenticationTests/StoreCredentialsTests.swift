import MailStore
import MessageFormat
import TestSupport
import Testing

@testable import Authentication

struct StoreCredentialsTests {
  @Test("Twenty sessions that log in as one new address make one account")
  func madeOnce() async throws {
    try await TemporaryStore.with { store in
      let authenticator = try Authenticator(
        store: store, policy: .anyPassword, hostname: "mail.example.test", clock: .system,
        logger: LogCollector().logger)
      let accounts = await withTaskGroup(of: AuthenticatedAccount?.self) { group in
        for _ in 0..<20 {
          group.addTask {
            try? await authenticator.verify(
              name: "New@Fresh.test", password: [0x78], makeContext(tls: nil, from: "127.0.0.1", allowsPlaintext: true)
            ).get()
          }
        }
        return await group.reduce(into: Set()) { $0.insert($1) }
      }
      #expect(accounts.count == 1 && accounts.first != nil)
      #expect(store.directory.accounts.map { $0.address.lookupKey } == ["new@fresh.test"])
    }
  }

  @Test("The store's secrets count, and a password set later counts from then on")
  func passwords() async throws {
    try await TemporaryStore.with { store in
      let address = try #require(EmailAddress("alice@example.test"))
      try await store.addDomain(address.domain)
      let id = try await store.addAccount(address, secrets: storedSecrets(for: "one"), quota: Quota())
      let authenticator = try Authenticator(
        store: store, policy: .verified, hostname: "mail.example.test", clock: .system, logger: LogCollector().logger
      ) { _ in }
      func works(_ password: String) async -> Bool {
        let result = await authenticator.verify(name: "alice", password: Array(password.utf8), makeContext())
        return (try? result.get())?.id == id
      }
      #expect(await works("one"))
      try await store.setSecrets(storedSecrets(for: "two"), of: id)
      #expect(await !works("one"))
      #expect(await works("two"))
    }
  }
}
