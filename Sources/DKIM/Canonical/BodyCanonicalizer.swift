#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Brings a body that comes in pieces into a form of RFC 6376 §3.4.3 or §3.4.4. What comes out does not depend on
/// where the pieces were cut, and nothing but a few counters is kept between them.
///
/// Lines end with CRLF and nothing else; a bare CR or LF is an octet as any other.
struct BodyCanonicalizer {
  typealias Sink = (UnsafeRawBufferPointer) -> Void

  let form: Canonicalization
  /// Line ends that count only if something follows: empty lines at the end are left out.
  private var pendingLines = 0
  /// The last octet was a CR, of which the next one says what it is.
  private var pendingCR = false
  /// White space that counts only if something follows on its line.
  private var pendingSpace = false
  private var hasContent = false

  init(_ form: Canonicalization) { self.form = form }

  /// - Parameter sink: gets the canonical octets, in pieces of any size.
  mutating func update(_ bytes: UnsafeRawBufferPointer, into sink: Sink) {
    if bytes.isEmpty { return }
    switch form {
    case .simple: updateSimple(bytes, into: sink)
    case .relaxed: updateRelaxed(bytes, into: sink)
    }
  }

  mutating func finish(into sink: Sink) {
    if pendingCR {
      writePending(into: sink)
      Self.write(0x0D, into: sink)
    }
    // An empty body is one CRLF in the simple form and nothing in the relaxed one; any other ends with one CRLF.
    if hasContent || form == .simple { Self.lineEnds.withUnsafeBytes { sink(.init(rebasing: $0[..<2])) } }
  }

  // MARK: Simple

  /// Only line ends at the end are changed, so all before them goes out as it is.
  private mutating func updateSimple(_ bytes: UnsafeRawBufferPointer, into sink: Sink) {
    var start = 0
    if pendingCR {
      pendingCR = false
      if bytes[0] == 0x0A {
        pendingLines += 1
        start = 1
      } else {
        writePending(into: sink)
        Self.write(0x0D, into: sink)
      }
    }
    var end = bytes.count
    let endsWithCR = end > start && bytes[end &- 1] == 0x0D
    if endsWithCR { end &-= 1 }
    var lines = 0
    while end &- start >= 2, bytes[end &- 2] == 0x0D, bytes[end &- 1] == 0x0A {
      lines &+= 1
      end &-= 2
    }
    if end > start {
      writePending(into: sink)
      sink(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }
    pendingLines += lines
    pendingCR = endsWithCR
  }

  // MARK: Relaxed

  private mutating func updateRelaxed(_ bytes: UnsafeRawBufferPointer, into sink: Sink) {
    withUnsafeTemporaryAllocation(byteCount: 8_192, alignment: 16) { buffer in
      var filled = 0
      func flush() {
        if filled > 0 { sink(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) }
        filled = 0
      }
      var lines = pendingLines
      var isAfterCR = pendingCR
      var isAfterSpace = pendingSpace
      var position = 0
      while position < bytes.count {
        let byte = bytes[position]
        // Where the octets from here to `end` are content; a CR of its own is.
        var end = position
        var hasCR = false
        if isAfterCR {
          isAfterCR = false
          if byte == 0x0A {
            isAfterSpace = false
            lines &+= 1
            position &+= 1
            continue
          }
          hasCR = true
        }
        while end < bytes.count, Self.isContent(bytes[end]) { end &+= 1 }
        if end > position || hasCR {
          if lines > 0 {
            // Nearly always one; a flood of them goes out in blocks.
            if lines == 1, filled <= buffer.count &- 2 {
              buffer[filled] = 0x0D
              buffer[filled &+ 1] = 0x0A
              filled &+= 2
            } else {
              flush()
              Self.writeLineEnds(lines, into: sink)
            }
            lines = 0
          }
          if filled > buffer.count &- 2 { flush() }
          if isAfterSpace {
            buffer[filled] = 0x20
            filled &+= 1
            isAfterSpace = false
          }
          if hasCR {
            buffer[filled] = 0x0D
            filled &+= 1
          }
          hasContent = true
          let count = end &- position
          if count > buffer.count &- filled { flush() }
          if count > buffer.count {
            sink(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
          } else if count > 0 {
            memcpy(buffer.baseAddress! + filled, bytes.baseAddress! + position, count)
            filled &+= count
          }
          position = end
          continue
        }
        if byte == 0x0D { isAfterCR = true } else { isAfterSpace = true }
        position &+= 1
      }
      flush()
      pendingLines = lines
      pendingCR = isAfterCR
      pendingSpace = isAfterSpace
    }
  }

  @inline(__always)
  private static func isContent(_ byte: UInt8) -> Bool {
    byte > 0x20 || byte != 0x20 && byte != 0x09 && byte != 0x0D
  }

  // MARK: Line ends

  /// Writes what was held back, because something follows.
  private mutating func writePending(into sink: Sink) {
    hasContent = true
    Self.writeLineEnds(pendingLines, into: sink)
    pendingLines = 0
    if pendingSpace { Self.write(0x20, into: sink) }
    pendingSpace = false
  }

  private static func writeLineEnds(_ count: Int, into sink: Sink) {
    var rest = count
    while rest > 0 {
      let lines = min(rest, lineEnds.count / 2)
      lineEnds.withUnsafeBytes { sink(UnsafeRawBufferPointer(rebasing: $0[..<(lines * 2)])) }
      rest -= lines
    }
  }

  private static func write(_ byte: UInt8, into sink: Sink) {
    withUnsafeBytes(of: byte) { sink($0) }
  }

  private static let lineEnds: [UInt8] = (0..<512).flatMap { _ in [0x0D, 0x0A] as [UInt8] }
}
