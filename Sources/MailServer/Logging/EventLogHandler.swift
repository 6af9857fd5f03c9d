package import Logging
package import MessageFormat
import Synchronization

/// Writes each event as one line.
package struct EventLogHandler: LogHandler {
  private let output: LogOutput
  private var ownLevel: Logger.Level?

  package var metadata: Logger.Metadata = [:]
  package var metadataProvider: Logger.MetadataProvider?

  /// Follows the server's level, also when that changes later, unless this logger has been given its own.
  package var logLevel: Logger.Level {
    get { ownLevel ?? output.level }
    set { ownLevel = newValue }
  }

  package init(output: LogOutput) { self.output = output }

  package func log(event: LogEvent) {
    var merged = metadata
    if let provided = metadataProvider?.get() { merged.merge(provided) { _, new in new } }
    if let own = event.metadata { merged.merge(own) { _, new in new } }
    if let error = event.error { merged["error"] = .string("\(error)") }
    output.write(level: event.level, event: event.message.description, metadata: merged)
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }
}

/// What all loggers of a process share: where lines go, in which format and from which level on.
package final class LogOutput: Sendable {
  private let writer: LogWriter
  private let format: LogFormat
  private let clock: WallClock
  private let levelIndex: Atomic<Int>

  package init(writer: LogWriter, format: LogFormat, level: Logger.Level, clock: WallClock) {
    self.writer = writer
    self.format = format
    self.clock = clock
    levelIndex = Atomic(Self.index(of: level))
  }

  package var level: Logger.Level {
    get { Logger.Level.allCases[levelIndex.load(ordering: .relaxed)] }
    set { levelIndex.store(Self.index(of: newValue), ordering: .relaxed) }
  }

  package func logger(_ label: String) -> Logger { Logger(label: label) { _ in EventLogHandler(output: self) } }

  /// Writes out what is queued. Later lines are lost.
  package func close() { writer.close() }

  fileprivate func write(level: Logger.Level, event: String, metadata: Logger.Metadata) {
    // `conn` first: it is what one reads along a connection's lines.
    let sorted = metadata.sorted { left, right in
      (left.key != "conn" ? 1 : 0, left.key) < (right.key != "conn" ? 1 : 0, right.key)
    }
    writer.write(
      format.encode(
        time: clock.now(), level: level, event: event, metadata: sorted.map { ($0.key, $0.value.description) }))
  }

  private static func index(of level: Logger.Level) -> Int { Logger.Level.allCases.firstIndex(of: level) ?? 0 }
}
