import MessageFormat

/// Reads a message, or a part of it, from front to end, so that it need not be in memory as a whole.
package struct PieceReader: Sendable {
  private let store: MailStore
  private let content: ContentReference
  private let end: Int
  private let size: Int
  private var position: Int

  fileprivate init(_ store: MailStore, _ content: ContentReference, _ range: Range<Int>, size: Int) {
    self.store = store
    self.content = content
    self.size = size
    position = range.lowerBound
    end = range.upperBound
  }

  /// The next piece; nil behind the last.
  package mutating func next() async throws(StoreError) -> [UInt8]? {
    guard position < end else { return nil }
    let next = min(position + size, end)
    let piece = try await store.read(content, range: position..<next)
    position = next
    return piece
  }
}

extension MailStore {
  /// - Parameters:
  ///   - range: of what a client sees, prefix and body.
  ///   - size: octets of a piece; the last may be smaller.
  package func pieces(
    of content: ContentReference, _ range: Range<Int>, size: Int = 256 << 10
  ) -> PieceReader {
    PieceReader(self, content, range, size: size)
  }
}
