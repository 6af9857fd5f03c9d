import Testing

@testable import Networking

@Suite struct ProxyHeaderTests {
  static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
  static let ipv4: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 0x04, 0, 25]

  static func client(_ text: String, _ port: UInt16) -> ProxyHeader.Source {
    .client(.internet(IPAddress(text)!, port: port))
  }

  struct Row: Sendable, CustomTestStringConvertible {
    var bytes: [UInt8]
    var source: ProxyHeader.Source?
    var testDescription: String { String(decoding: bytes, as: UTF8.self).debugDescription }
    init(_ bytes: [UInt8], _ source: ProxyHeader.Source?) {
      self.bytes = bytes
      self.source = source
    }
    init(_ text: String, _ source: ProxyHeader.Source?) { self.init(Array(text.utf8), source) }
  }

  static let rows: [Row] = [
    Row("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n", client("192.0.2.1", 56_324)),
    Row("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", client("2001:db8::1", 1)),
    Row("PROXY UNKNOWN\r\n", .proxyItself),
    Row("PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n", .proxyItself),
    Row("PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536\r\n", nil),
    Row("PROXY TCP4 192.0.2.1 198.51.100.1 +1 25\r\n", nil),
    Row("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", nil),
    Row("PROXY TCP4  192.0.2.1 198.51.100.1 56324 25\r\n", nil),
    Row("PROXY UDP4 192.0.2.1 198.51.100.1 56324 25\r\n", nil),
    Row("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\n", nil),
    Row("EHLO client.example\r\n", nil),
    Row("PROXY " + String(repeating: "x", count: 200), nil),
    Row(signature + [0x21, 0x11, 0, 12] + ipv4, client("192.0.2.1", 56_324)),
    Row(signature + [0x21, 0x11, 0, 19] + ipv4 + [4, 0, 4, 1, 2, 3, 4], client("192.0.2.1", 56_324)),
    Row(
      signature + [0x21, 0x21, 0, 36] + [0x20, 1, 0xD, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]
        + [UInt8](repeating: 0, count: 16) + [0, 1, 0, 25], client("2001:db8::1", 1)),
    Row(signature + [0x20, 0x00, 0, 0], .proxyItself),
    Row(signature + [0x21, 0x31, 0, 2, 1, 2], .proxyItself),
    Row(signature + [0x21, 0x00, 0, 0], .proxyItself),
    Row(signature + [0x11, 0x11, 0, 12] + ipv4, nil),
    Row(signature + [0x22, 0x11, 0, 12] + ipv4, nil),
    Row(signature + [0x21, 0x11, 0, 11] + ipv4.dropLast(), nil),
    Row(signature + [0x21, 0x11, 0xFF, 0xFF], nil),
    Row([0x0D, 0x0A, 0x0D, 0x0B], nil),
  ]

  @Test(arguments: rows) func headers(row: Row) {
    guard let source = row.source else {
      #expect(ProxyHeader.parse(row.bytes) == .malformed)
      return
    }
    let expected = ProxyHeader.Outcome.header(ProxyHeader(source: source, count: row.bytes.count))
    #expect(ProxyHeader.parse(row.bytes + Array("QUIT".utf8)) == expected)
    for count in 0..<row.bytes.count {
      #expect(ProxyHeader.parse(Array(row.bytes.prefix(count))) == .needsMore)
    }
  }
}
