package import Logging
import Synchronization

/// Keeps log lines as `message key=value …`, keys in order, values with spaces in quotes.
package final class LogCollector: Sendable {
  private let collected = Mutex<[String]>([])

  package init() {}

  package var lines: [String] { collected.withLock { $0 } }

  package var logger: Logger {
    var logger = Logger(label: "test") { _ in Handler(collector: self) }
    logger.logLevel = .trace
    return logger
  }

  private struct Handler: LogHandler {
    let collector: LogCollector
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      var line = "\(event.message)"
      let all = metadata.merging(event.metadata ?? [:]) { $1 }
      for (key, value) in all.sorted(by: { $0.key < $1.key }) {
        let text = "\(value)"
        line += text.contains(" ") ? " \(key)=\"\(text)\"" : " \(key)=\(text)"
      }
      collector.collected.withLock { $0.append(line) }
    }
  }
}
