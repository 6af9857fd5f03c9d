import Bytes

@testable import Networking

extension EntryPoint {
  static let transferEncodings = EntryPoint(name: "transferEncodings") { bytes in
    bytes.withUnsafeBytes {
      _ = QuotedPrintable.decode($0)
      _ = Base64.decodeLenient($0)
    }
    precondition(Base64.decode(Base64.encode(bytes)) == bytes)
    if let decoded = Base64.decode(bytes) {
      precondition(Base64.encode(decoded) == bytes, "two texts for the same bytes")
    }
    if let text = ModifiedUTF7.decode(bytes) {
      precondition(ModifiedUTF7.decode(ModifiedUTF7.encode(text)) == text, "a name is not read as it was written")
    }
    QuotedPrintable.encode(bytes).withUnsafeBytes { precondition(QuotedPrintable.decode($0) == bytes) }
  }

  /// The first byte cuts the rest into pieces; lines must come out the same as from one piece.
  static let receivedBytes = EntryPoint(name: "receivedBytes") { bytes in
    guard let first = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    let ending: LineEnding = first & 1 == 0 ? .crlf : .crlfOrLF
    let whole = lines(of: [content], ending)
    let size = Int(first >> 1) % 17 + 1
    let pieces = stride(from: 0, to: content.count, by: size).map { Array(content[$0..<min($0 + size, content.count)]) }
    precondition(lines(of: pieces, ending) == whole, "lines depend on how the bytes arrive")
  }

  private static func lines(of pieces: [[UInt8]], _ ending: LineEnding) -> [LineResult] {
    var received = ReceivedBytes()
    var lines: [LineResult] = []
    for piece in pieces {
      received.append(piece)
      while true {
        let line = received.takeLine(limit: 40, ending: ending)
        if line == .needsMore { break }
        lines.append(line)
      }
      precondition(received.count <= 64, "more is kept than a line may have")
    }
    return lines
  }

  static let proxyHeader = EntryPoint(name: "proxyHeader") { bytes in
    let whole = ProxyHeader.parse(bytes)
    if case .header(let header) = whole { precondition(header.count <= bytes.count && header.count > 0) }
    // While it grows it must not be taken for malformed, unless it is.
    if case .header = whole {
      for count in 0..<min(bytes.count, 64) where ProxyHeader.parse(Array(bytes.prefix(count))) == .malformed {
        preconditionFailure("malformed after \(count) octets, right as a whole")
      }
    }
  }
}
