#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the disk can do at all: one thread that appends the octets of as many messages as the store made durable
/// together, in one write (16 MiB at most), and flushes. It keeps nothing else, and knows nothing of what it wrote.
///
/// The store flushes twice for a group, its pack and its log. `flushes` 2 gives the loop a log, too: 4 KiB written over
/// a file of fixed size, flushed behind the first.
struct BareLoop {
  let directory: String
  let messageSize: Int
  let flushes: Int

  private static let writeLimit = 16 << 20
  private static let logSize: off_t = 4 << 20

  /// Goes through `groups` until they end or the time is over.
  /// - Returns: messages and seconds.
  func run(_ groups: [Int], seconds: Double) -> (messages: Int, seconds: Double) {
    let (data, log) = (file("bare"), file("bare-log"))
    defer {
      for descriptor in [data, log] { close(descriptor) }
      for name in ["bare", "bare-log"] { unlink("\(directory)/\(name)") }
    }
    let largest = min((groups.max() ?? 0) * messageSize, Self.writeLimit)
    let bytes = [UInt8](repeating: 65, count: max(largest, 4_096))
    if flushes == 2 {
      for _ in 0..<Int(Self.logSize) / 4_096 { append(bytes, 4_096, to: log) }
      fdatasync(log)
    }
    let clock = ContinuousClock()
    let start = clock.now
    var messages = 0
    for (number, group) in groups.enumerated() {
      var left = group * messageSize
      while left > 0 {
        let count = min(left, Self.writeLimit)
        append(bytes, count, to: data)
        left -= count
      }
      fdatasync(data)
      if flushes == 2 {
        _ = bytes.withUnsafeBytes { pwrite(log, $0.baseAddress, 4_096, off_t(number * 4_096) % Self.logSize) }
        fdatasync(log)
      }
      messages += group
      if (clock.now - start).seconds > seconds { break }
    }
    return (messages, (clock.now - start).seconds)
  }

  private func file(_ name: String) -> Int32 {
    let descriptor = open("\(directory)/\(name)", O_CREAT | O_TRUNC | O_RDWR, 0o600)
    precondition(descriptor >= 0, "no file can be made in \(directory)")
    return descriptor
  }

  private func append(_ bytes: [UInt8], _ count: Int, to descriptor: Int32) {
    var written = 0
    while written < count {
      let result = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, count - written) }
      precondition(result > 0, "the disk is full")
      written += result
    }
  }
}
