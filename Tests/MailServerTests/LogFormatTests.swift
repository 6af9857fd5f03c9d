import Foundation
import Logging
import MessageFormat
import Synchronization
import Testing

@testable import MailServer

@Suite struct LogFormatTests {
  static let lines: [(format: LogFormat, event: String, metadata: [(key: String, value: String)], line: String)] = [
    (.logfmt, "ready", [], "event=ready"),
    (
      .logfmt, "auth_failed", [("user", "a@example.org"), ("rip", "192.0.2.1")],
      "event=auth_failed user=a@example.org rip=192.0.2.1"
    ),
    (.logfmt, "two words", [("empty", ""), ("a b=", "x=y")], "event=\"two words\" empty=\"\" a_b_=\"x=y\""),
    (.logfmt, "e", [("user", "x\r\nlevel=error event=forged")], "event=e user=\"x\\r\\nlevel=error event=forged\""),
    (.logfmt, "e", [("v", "\u{7}\u{1B}\u{7F}é\"\\")], "event=e v=\"\\u0007\\u001b\\u007fé\\\"\\\\\""),
    (.json, "e", [("user", "a\"b\n"), ("n", "1")], "\"event\":\"e\",\"user\":\"a\\\"b\\n\",\"n\":\"1\"}"),
  ]

  @Test(arguments: lines) func aHostileValueStaysInItsField(
    format: LogFormat, event: String, metadata: [(key: String, value: String)], line: String
  ) {
    let time = Timestamp(microseconds: 1_700_000_000_123_456)
    let encoded = String(
      decoding: format.encode(time: time, level: .info, event: event, metadata: metadata), as: UTF8.self)
    let head =
      format == .logfmt
      ? "time=2023-11-14T22:13:20.123456Z level=info " : "{\"time\":\"2023-11-14T22:13:20.123456Z\",\"level\":\"info\","
    #expect(encoded == head + line + "\n")
  }

  static let times: [(Int64, String)] = [
    (0, "1970-01-01T00:00:00.000000Z"), (-1, "1969-12-31T23:59:59.999999Z"),
    (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"), (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
  ]
  @Test(arguments: times) func timesAreUTCWithMicroseconds(microseconds: Int64, text: String) {
    #expect(iso8601(Timestamp(microseconds: microseconds)) == text)
  }

  @Test func linesGoOutInOrderAndLevelsChangeLive() throws {
    let pipe = Pipe()
    let writer = LogWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    let output = LogOutput(
      writer: writer, format: .logfmt, level: .warning, clock: WallClock { Timestamp(seconds: 0) })
    var logger = output.logger("test")
    logger[metadataKey: "user"] = "a"
    logger[metadataKey: "conn"] = "c1"
    logger.info("hidden")
    output.level = .info
    logger.info("shown", metadata: ["user": "b"])
    var own = logger
    own.logLevel = .error
    own.warning("hidden")
    logger.error("last")
    output.close()
    logger.error("after_the_end")
    try pipe.fileHandleForWriting.close()
    let text = String(decoding: try #require(try pipe.fileHandleForReading.readToEnd()), as: UTF8.self)
    #expect(
      text == """
        time=1970-01-01T00:00:00.000000Z level=info event=shown conn=c1 user=b
        time=1970-01-01T00:00:00.000000Z level=error event=last conn=c1 user=a

        """)
  }

  @Test func aStuckReaderCostsLinesAndNotTime() throws {
    let pipe = Pipe()
    let writer = LogWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor, limit: 10_000)
    let line = Array((String(repeating: "x", count: 999) + "\n").utf8)
    // A pipe takes 64 KiB, the queue 10 lines; nobody reads yet, and still every call returns.
    for _ in 0..<1_000 { writer.write(line) }
    let reader = Mutex<[UInt8]>([])
    let group = DispatchGroup()
    group.enter()
    DispatchQueue.global().async {
      let data = (try? pipe.fileHandleForReading.readToEnd()) ?? nil
      reader.withLock { $0 = Array(data ?? Data()) }
      group.leave()
    }
    writer.close()
    try pipe.fileHandleForWriting.close()
    group.wait()
    let text = String(decoding: reader.withLock { $0 }, as: UTF8.self)
    #expect(text.contains("event=log_lines_dropped count="))
    #expect(text.split(separator: "\n").allSatisfy { $0.count == 999 || $0.hasPrefix("level=warning") })
  }
}
