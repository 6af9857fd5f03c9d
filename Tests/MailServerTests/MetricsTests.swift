import Metrics
import Testing

@testable import MailServer

@Suite struct MetricsTests {
  @Test("a quantile of a distribution is the true one, or above it by no more than an eighth")
  func quantiles() {
    for values in [[0], [1, 2, 3], Array(0..<1_000), (0..<1_000).map { $0 * $0 * 977 }, [Int64.max]] as [[Int64]] {
      var distribution = Distribution()
      for value in values.shuffled() { distribution.add(value) }
      for share in [0.001, 0.5, 0.99, 1] {
        let exact = values[max(0, Int((Double(values.count) * share).rounded(.up)) - 1)]
        let found = distribution.quantile(share)
        #expect(found >= exact && Double(found) <= Double(exact) * 1.125, "\(share) of \(values.count)")
      }
      #expect(distribution.largest == values.last)
    }
    #expect(Distribution().quantile(0.5) == 0)
  }

  @Test("metrics of one name are one metric; summaries come in the order of the names, in seconds and octets")
  func registry() {
    let registry = MetricsRegistry()
    Counter(label: "b_total", factory: registry).increment(by: 2)
    Counter(label: "b_total", factory: registry).increment()
    Timer(label: "c_seconds", factory: registry).recordMilliseconds(250)
    Gauge(label: "a", factory: registry).record(7)
    Counter(label: "d_total", dimensions: [("protocol", "imap")], factory: registry).increment()
    _ = Recorder(label: "never_recorded", factory: registry)
    let summaries = registry.summaries()
    #expect(summaries.map(\.name) == ["a", "b_total", "c_seconds", "d_total{protocol=\"imap\"}"])
    #expect(summaries[0].value == .level(current: 7))
    #expect(summaries[1].value == .count(total: 3))
    #expect(summaries[2].value == .distribution(count: 1, sum: 0.25, median: 0.25, ninetyNinth: 0.25, largest: 0.25))
  }

  @Test("a name that is taken by another kind of metric changes nothing of the first")
  func kinds() {
    let registry = MetricsRegistry()
    Counter(label: "x", factory: registry).increment()
    Timer(label: "x", factory: registry).recordSeconds(1)
    #expect(registry.summaries() == [MetricSummary(name: "x", value: .count(total: 1))])
  }
}
