/// The header by which a trusted proxy names the client it speaks for.
/// HAProxy's PROXY protocol, versions 1 and 2 (proxy-protocol.txt §2).
struct ProxyHeader: Equatable {
  enum Source: Equatable {
    /// The client, as the proxy saw it.
    case client(PeerAddress)
    /// The proxy speaks for itself (a health check), or for a client whose address it cannot tell.
    case proxyItself
  }

  var source: Source
  /// Bytes of the header.
  var count: Int

  enum Outcome: Equatable {
    case header(ProxyHeader)
    case needsMore
    case malformed
  }

  /// §2.1: no version 1 header is longer.
  private static let longestText = 107
  /// Addresses take 216 bytes at most; the rest are extensions, which nobody needs by the kilobyte.
  private static let longestBinary = 16 + 2_048
  private static let signature: [UInt8] = [
    0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
  ]

  /// Reads the header at the front of `bytes`.
  static func parse(_ bytes: [UInt8]) -> Outcome {
    guard let first = bytes.first else { return .needsMore }
    return first == signature[0] ? parseBinary(bytes) : parseText(bytes)
  }

  /// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 25`
  private static func parseText(_ bytes: [UInt8]) -> Outcome {
    guard bytes.starts(with: "PROXY ".utf8.prefix(bytes.count)) else { return .malformed }
    guard let lineFeed = bytes.prefix(longestText).firstIndex(of: 0x0A) else {
      return bytes.count >= longestText ? .malformed : .needsMore
    }
    guard lineFeed > 0, bytes[lineFeed - 1] == 0x0D else { return .malformed }
    let count = lineFeed + 1
    let words = bytes[..<(lineFeed - 1)].split(separator: 0x20, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    if words.count >= 2, words[1] == "UNKNOWN" { return .header(ProxyHeader(source: .proxyItself, count: count)) }
    guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6",
      let source = IPAddress(words[2]), IPAddress(words[3]) != nil,
      // A mapped address in a TCP6 line has been turned into IPv4, hence no check of the family against the word.
      let port = portNumber(words[4]), portNumber(words[5]) != nil
    else { return .malformed }
    return .header(ProxyHeader(source: .client(.internet(source, port: port)), count: count))
  }

  private static func portNumber(_ word: String) -> UInt16? {
    word.utf8.allSatisfy { $0 &- 0x30 < 10 } ? UInt16(word) : nil
  }

  /// §2.2: signature, version and command, family, length, addresses.
  private static func parseBinary(_ bytes: [UInt8]) -> Outcome {
    guard bytes.starts(with: signature.prefix(bytes.count)) else { return .malformed }
    guard bytes.count >= 16 else { return .needsMore }
    let length = Int(bytes[14]) << 8 | Int(bytes[15])
    let count = 16 + length
    guard bytes[12] >> 4 == 2, count <= longestBinary else { return .malformed }
    guard bytes.count >= count else { return .needsMore }
    switch bytes[12] & 0x0F {
    case 0: return .header(ProxyHeader(source: .proxyItself, count: count))
    case 1: break
    default: return .malformed
    }
    let addressBytes: Int
    switch bytes[13] {
    case 0x11: addressBytes = 4
    case 0x21: addressBytes = 16
    // Unix sockets, datagrams and what is yet to be invented: the sender is not told, the connection is good.
    default: return .header(ProxyHeader(source: .proxyItself, count: count))
    }
    guard length >= 2 * addressBytes + 4, let address = IPAddress(bytes: Array(bytes[16..<16 + addressBytes])) else {
      return .malformed
    }
    let portIndex = 16 + 2 * addressBytes
    let port = UInt16(bytes[portIndex]) << 8 | UInt16(bytes[portIndex + 1])
    return .header(ProxyHeader(source: .client(.internet(address, port: port)), count: count))
  }
}
