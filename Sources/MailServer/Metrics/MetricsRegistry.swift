package import Metrics
import Synchronization

/// Keeps what the parts of the server measure, in this process. A metric is known by its name; whoever makes one of a
/// name that is there shares it.
package final class MetricsRegistry: MetricsFactory, Sendable {
  private let instruments = Mutex<[String: any Instrument]>([:])

  package init() {}

  /// All metrics that have a value, in the order of their names.
  package func summaries() -> [MetricSummary] {
    let instruments = instruments.withLock { $0 }
    return instruments.sorted { $0.key < $1.key }.compactMap { name, instrument in
      instrument.value.map { MetricSummary(name: name, value: $0) }
    }
  }

  package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    instrument(label, dimensions, Count())
  }

  package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    instrument(label, dimensions, Level())
  }

  package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    aggregate ? instrument(label, dimensions, Values()) : instrument(label, dimensions, Level())
  }

  package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    instrument(label, dimensions, Times())
  }

  // A metric lives as long as the process: its numbers go on when its owner is made anew.
  package func destroyCounter(_ handler: any CounterHandler) {}
  package func destroyMeter(_ handler: any MeterHandler) {}
  package func destroyRecorder(_ handler: any RecorderHandler) {}
  package func destroyTimer(_ handler: any TimerHandler) {}

  /// One of a name that is there as another kind is counted and never shown.
  private func instrument<Made: Instrument>(_ label: String, _ dimensions: [(String, String)], _ made: Made) -> Made {
    let labels = dimensions.map { "\($0)=\"\($1)\"" }.joined(separator: ",")
    let name = labels.isEmpty ? label : "\(label){\(labels)}"
    return instruments.withLock { instruments in
      if let known = instruments[name] { return known as? Made ?? made }
      instruments[name] = made
      return made
    }
  }
}

/// A metric as it stands. Times are in seconds.
package struct MetricSummary: Codable, Hashable, Sendable {
  package enum Value: Codable, Hashable, Sendable {
    case count(total: Int64)
    case level(current: Double)
    /// Of the values since the start; the quantiles are exact to an eighth.
    case distribution(count: UInt64, sum: Double, median: Double, ninetyNinth: Double, largest: Double)
  }

  package var name: String
  package var value: Value
}

/// Keeps a metric's value.
private protocol Instrument: Sendable {
  /// Nil while it has none.
  var value: MetricSummary.Value? { get }
}

private final class Count: CounterHandler, Instrument {
  private let total = Atomic<Int64>(0)
  func increment(by amount: Int64) { total.wrappingAdd(amount, ordering: .relaxed) }
  func reset() { total.store(0, ordering: .relaxed) }
  var value: MetricSummary.Value? { .count(total: total.load(ordering: .relaxed)) }
}

private final class Level: MeterHandler, RecorderHandler, Instrument {
  private let level = Mutex<Double?>(nil)
  func set(_ value: Int64) { level.withLock { $0 = Double(value) } }
  func set(_ value: Double) { level.withLock { $0 = value } }
  func increment(by amount: Double) { level.withLock { $0 = ($0 ?? 0) + amount } }
  func decrement(by amount: Double) { level.withLock { $0 = ($0 ?? 0) - amount } }
  func record(_ value: Int64) { set(value) }
  func record(_ value: Double) { set(value) }
  var value: MetricSummary.Value? { level.withLock { $0 }.map { .level(current: $0) } }
}

private final class Values: RecorderHandler, Instrument {
  private let values = Mutex(Distribution())
  func record(_ value: Int64) { values.withLock { $0.add(value) } }
  func record(_ value: Double) { record(Int64(exactly: value.rounded()) ?? (value > 0 ? .max : 0)) }
  var value: MetricSummary.Value? { values.withLock { $0 }.summary(unit: 1) }
}

private final class Times: TimerHandler, Instrument {
  private let nanoseconds = Mutex(Distribution())
  func recordNanoseconds(_ duration: Int64) { nanoseconds.withLock { $0.add(duration) } }
  var value: MetricSummary.Value? { nanoseconds.withLock { $0 }.summary(unit: 1e-9) }
}

extension Distribution {
  fileprivate func summary(unit: Double) -> MetricSummary.Value? {
    guard count > 0 else { return nil }
    return .distribution(
      count: count, sum: sum * unit, median: Double(quantile(0.5)) * unit, ninetyNinth: Double(quantile(0.99)) * unit,
      largest: Double(largest) * unit)
  }
}
