import MailStore
import MessageFormat
import Testing

@Suite(.everyEngine) struct DirectoryTests {
  private func address(_ text: String) -> EmailAddress { EmailAddress(text)! }

  @Test func `accounts, aliases and catch-alls answer in order`() async throws {
    try await StoreFixture.with { fixture in
      let store = fixture.store
      let alice = try await fixture.addAccount("Alice")
      let bob = try await fixture.addAccount("bob")
      try await store.setAlias(
        Alias(pattern: .address(address("team@example.test")), targets: [address("sub@example.test")]))
      try await store.setAlias(
        Alias(
          pattern: .address(address("sub@example.test")),
          targets: [address("alice@example.test"), address("x@other.test")]))
      try await store.setAlias(
        Alias(pattern: .address(address("loop@example.test")), targets: [address("loop@example.test")]))
      await #expect(throws: StoreError.addressExists) {
        try await store.setAlias(Alias(pattern: .address(address("BOB@example.test")), targets: []))
      }
      await #expect(throws: StoreError.addressExists) { try await fixture.addAccount("team") }
      await #expect(throws: StoreError.accountExists) { try await fixture.addAccount("ALICE") }
      await #expect(throws: StoreError.domainNotFound) {
        try await store.addAccount(address("a@else.test"), secrets: [], quota: Quota())
      }
      let before = store.directory
      #expect(before.answer(for: address("aLiCe@example.test")) == .account(alice))
      #expect(before.answer(for: address("alice+news@example.test")) == .account(alice))
      let team = Alias(pattern: .address(address("team@example.test")), targets: [address("sub@example.test")])
      #expect(before.answer(for: address("team+x@example.test")) == .alias(team))
      #expect(before.answer(for: address("nobody@example.test")) == .unknown)
      #expect(before.answer(for: address("a@other.test")) == .notLocal)
      #expect(before.account(login: "ALICE@example.test")?.id == alice)
      let all = Alias(pattern: .catchAll(StoreFixture.domain), targets: [address("bob@example.test")])
      try await store.setAlias(all)
      #expect(store.directory.answer(for: address("nobody@example.test")) == .alias(all))
      #expect(before.answer(for: address("nobody@example.test")) == .unknown)

      try await store.setSecrets([StoredSecret("one"), StoredSecret("two")], of: bob)
      let password = AppPassword(label: "phone", secrets: [StoredSecret("three")], created: Timestamp(seconds: 5))
      try await store.setAppPasswords([password], of: bob)
      try await store.setQuota(Quota(bytes: 7), of: bob)
      await #expect(throws: StoreError.addressNotFound) {
        try await store.removeAlias(.address(address("none@example.test")))
      }
      let now = store.directory
      await store.close()
      let reopened = try await StoreFixture.make(path: fixture.path)
      #expect(reopened.store.directory.accounts == now.accounts)
      #expect(reopened.store.directory.aliases == now.aliases)
      #expect(reopened.store.directory.account(bob)?.appPasswords == [password])
      #expect(reopened.store.directory.account(bob)?.quota == Quota(bytes: 7))
      await #expect(throws: StoreError.accountExists) { try await reopened.store.removeDomain(StoreFixture.domain) }
      await reopened.store.close()
    }
  }

  @Test("signing keys are kept with their domain, and go with it")
  func signingKeys() async throws {
    try await StoreFixture.with { fixture in
      func key(_ selector: String, _ stage: String) -> KeptSigningKey {
        KeptSigningKey(
          domain: StoreFixture.domain, selector: selector, algorithm: "rsa", privateKey: [1, 2, 0, 3],
          made: Timestamp(seconds: 1_700_000_000), stage: stage, nextCheck: Timestamp(seconds: 1_700_000_600))
      }
      try await fixture.store.setSigningKey(key("one", "made"))
      try await fixture.store.setSigningKey(key("two", "made"))
      try await fixture.store.setSigningKey(key("one", "signing"))
      #expect(try await fixture.store.signingKeys() == [key("one", "signing"), key("two", "made")])
      try await fixture.store.removeSigningKey("two", of: StoreFixture.domain)
      #expect(try await fixture.store.signingKeys() == [key("one", "signing")])
      var foreign = key("x", "made")
      foreign.domain = Domain("elsewhere.test")!
      await #expect(throws: StoreError.domainNotFound) { try await fixture.store.setSigningKey(foreign) }
      let other = Domain("second.test")!
      try await fixture.store.addDomain(other)
      var gone = key("x", "made")
      gone.domain = other
      try await fixture.store.setSigningKey(gone)
      try await fixture.store.removeDomain(other)
      #expect(try await fixture.store.signingKeys() == [key("one", "signing")])
    }
  }

  @Test func `an account that is removed is gone, and its id with it`() async throws {
    try await StoreFixture.with { fixture in
      let alice = try await fixture.addAccount()
      try await fixture.append(mail("1"), of: alice)
      let inbox = try await fixture.inbox(of: alice)
      let feed = fixture.store.subscribe(to: alice) {}
      try await fixture.store.removeAccount(alice)
      #expect(!feed.isEmpty)
      await #expect(throws: StoreError.mailboxNotFound) { try await fixture.store.index(of: inbox.id) }
      await #expect(throws: StoreError.accountNotFound) { try await fixture.append(mail("2"), of: alice) }
      await #expect(throws: StoreError.accountNotFound) { try await fixture.store.quotaUsage(of: alice) }
      let again = try await fixture.addAccount()
      #expect(again > alice)
      #expect(try await fixture.store.quotaUsage(of: again) == QuotaUsage(bytes: 0, messages: 0))
      try await fixture.store.removeAccount(again)
      try await fixture.store.removeDomain(StoreFixture.domain)
      #expect(fixture.store.directory.domains.isEmpty)
    }
  }
}
