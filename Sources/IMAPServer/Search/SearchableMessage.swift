import MailStore
import MessageFormat

/// A message as far as a search has read it. Texts are decoded and folded once, when a key first asks for them.
struct SearchableMessage {
  let index: Int
  let uid: UID
  var entry: MessageEntry?
  var structure: MessageStructure?
  /// The header's bytes, trace prefix included.
  private(set) var header: [UInt8]?
  /// All of the header folded, for TEXT.
  private(set) var headerText: [UInt8]?
  /// Folded texts of the body, one for each part that has text.
  private(set) var body: [[UInt8]]?

  init(index: Int, uid: UID) {
    self.index = index
    self.uid = uid
  }

  /// Where the bytes are that `source`, header or body, is made from; entry and structure have been read.
  func pieces(for source: SearchSource) -> [(content: ContentReference, range: Range<Int>)]? {
    guard let content = entry?.content, let root = structure?.root else { return nil }
    let start = content.prefix.count
    if source == .header { return [(content, 0..<start + min(root.bodyRange.lowerBound, content.bodySize))] }
    return MessageText.ranges(of: root).map { (content, start + $0.lowerBound..<start + $0.upperBound) }
  }

  /// Takes the bytes of `pieces(for: source)`, one after the other.
  /// - Parameter foldsHeader: TEXT is among the keys.
  mutating func take(_ bytes: [UInt8], as source: SearchSource, foldsHeader: Bool) {
    guard let root = structure?.root else { return }
    if source == .header {
      header = bytes
      if foldsHeader { headerText = bytes.withUnsafeBytes { MessageText.foldedHeader($0) } }
    } else {
      body = bytes.withUnsafeBytes { MessageText.folded(root, $0, at: MessageText.ranges(of: root)) }
    }
  }
}
