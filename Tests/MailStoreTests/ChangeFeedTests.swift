import Testing

@testable import MailStore

@Suite struct ChangeFeedTests {
  @Test("whoever watches the queue can be woken any number of times")
  func wakesWithoutEnd() {
    let feed = ChangeFeed()
    let wakes = Counter()
    feed.watchQueue { wakes.increment() }
    for _ in 0..<300_000 { feed.publishQueueChange() }
    #expect(wakes.value == 300_000)
  }
}
