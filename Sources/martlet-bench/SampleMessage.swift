/// A plain letter of a given size, cut as a connection hands it over. Its text is made once, so that making a message
/// costs next to nothing.
struct SampleMessage: Sendable {
  private let text: [[UInt8]]

  private static let piece = 64 << 10

  init(size: Int) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size + Self.line.count)
    let length = max(size - Self.header("00000000").count, 0)
    while bytes.count < length { bytes += Self.line }
    text = stride(from: 0, to: bytes.count, by: Self.piece).map {
      Array(bytes[$0..<min($0 + Self.piece, bytes.count)])
    }
  }

  /// What tells one message from the others is its header.
  func pieces(id: String) -> [[UInt8]] {
    var pieces = text
    let header = Self.header(id)
    if pieces.isEmpty { return [header] }
    pieces[0] = header + pieces[0]
    return pieces
  }

  func bytes(id: String) -> [UInt8] { pieces(id: id).flatMap { $0 } }

  private static let line = Array("The quick brown fox jumps over the lazy dog, and then does it once more.\r\n".utf8)

  private static func header(_ id: String) -> [UInt8] {
    Array(
      """
      From: Somebody <somebody@example.test>\r
      To: Somebody Else <else@example.test>\r
      Subject: A letter of some length, number \(id)\r
      Message-ID: <\(id)@example.test>\r
      Date: Wed, 17 Jul 1996 02:44:25 -0700\r
      MIME-Version: 1.0\r
      Content-Type: text/plain; charset=utf-8\r
      \r

      """.utf8)
  }
}
