import MailStore
import MessageFormat
import Testing

/// What an engine owes, beyond what a single call does: see ``StorageEngine``.
@Suite(.everyEngine) struct StoreContractTests {
  @Test("many writers at once: every UID is given once, every message is there, the counters are exact")
  func concurrentWriters() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      try await withThrowingTaskGroup(of: [UID].self) { group in
        for writer in 0..<20 {
          group.addTask {
            var uids: [UID] = []
            for number in 0..<10 { uids.append(try await fixture.append(mail("\(writer).\(number)"), of: account)) }
            return uids
          }
        }
        var all: [UID] = []
        for try await uids in group {
          #expect(uids == uids.sorted())
          all += uids
        }
        #expect(all.sorted() == (1...200).map { UID(rawValue: $0) })
      }
      let inbox = try await fixture.inbox(of: account)
      let entries = try await fixture.store.entries(in: inbox.id, uids: (1...200).map { UID(rawValue: $0) })
      #expect(inbox.messageCount == 200 && entries.count == 200)
      #expect(inbox.size == entries.reduce(0) { $0 + Int64($1.size) })
      let usage = try await fixture.store.quotaUsage(of: account)
      #expect(usage.messages == 200 && usage.bytes == inbox.size)
    }
  }

  @Test("who has the answer finds it in every read, in the shared index, and others have been told")
  func publishedBeforeTheAnswer() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      let inbox = try await fixture.inbox(of: account)
      _ = try await fixture.store.index(of: inbox.id)
      let subscription = fixture.store.subscribe(to: account) {}
      for number in 1...20 {
        let uid = try await fixture.append(mail("\(number)"), of: account)
        #expect(try await fixture.store.index(of: inbox.id).position(of: uid) == number - 1)
        #expect(try await fixture.inbox(of: account).messageCount == number)
        #expect(!subscription.drain().isEmpty)
      }
    }
  }

  @Test("a change that fails has done nothing, and its neighbours in the group are not harmed")
  func failuresStayAlone() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount(quota: Quota(messages: 10))
      let results = await withTaskGroup(of: Bool.self) { group in
        for number in 0..<30 {
          group.addTask { (try? await fixture.append(mail("\(number)"), of: account)) != nil }
        }
        return await group.reduce(into: [Bool]()) { $0.append($1) }
      }
      #expect(results.filter { $0 }.count == 10)
      #expect(try await fixture.inbox(of: account).messageCount == 10)
      #expect(try await fixture.store.quotaUsage(of: account).messages == 10)
      #expect(try await fixture.inbox(of: account).uidNext == UID(rawValue: 11))
    }
  }

  @Test("what was acknowledged is there after a restart, and IDs go on where they ended")
  func restart() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      let first = try await fixture.append(mail("kept"), of: account)
      let gone = try await fixture.append(mail("gone"), of: account)
      let inbox = try await fixture.inbox(of: account)
      _ = try await fixture.store.expunge(in: inbox.id, uids: [gone], onlyDeleted: false)
      await fixture.store.close()
      let again = try await StoreFixture.make(path: fixture.path)
      #expect(try await again.text(first, in: inbox.id) == mail("kept"))
      #expect(try await again.append(mail("new"), of: account) > gone)
      #expect(try await again.inbox(of: account).highestModSequence > inbox.highestModSequence)
      let other = try await again.addAccount("bob")
      #expect(other > account)
      await again.store.close()
    }
  }

  @Test("a search finds what came a moment ago, and never leaves out what matches")
  func searching() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      let inbox = try await fixture.inbox(of: account)
      for number in 1...30 {
        let uid = try await fixture.append(mail(number % 3 == 0 ? "pelican" : "heron"), of: account)
        if number == 15 { await fixture.store.searchIndexHasCaughtUp() }
        guard number % 3 == 0 else { continue }
        let filter = SearchFilter.contains(Array("pelican".utf8))
        let found = try await fixture.store.candidates(for: filter, in: inbox.id)
        #expect(found?.contains(uid) ?? true)
      }
    }
  }

  @Test("a closed store refuses, and does not hang")
  func closed() async throws {
    try await StoreFixture.with { fixture in
      let account = try await fixture.addAccount()
      await fixture.store.close()
      await #expect(throws: StoreError.closed) { try await fixture.store.setQuota(Quota(), of: account) }
      await #expect(throws: StoreError.closed) { _ = try await fixture.store.mailboxes(of: account) }
    }
  }
}
