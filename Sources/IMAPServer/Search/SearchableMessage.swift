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
  /// Folded texts of the body, one for each part that has text.
  private(set) var body: [[UInt8]]?

  init(index: Int, uid: UID) {
    self.index = index
    self.uid = uid
  }

  /// How far it has been read.
  var source: SearchSource {
    if body != nil { return .body }
    if header != nil { return .header }
    if structure != nil { return .structure }
    return entry != nil ? .entry : .columns
  }

  /// Reads header and body as far as `needed` says; entry and structure are there.
  mutating func read(_ needed: SearchSource, from store: MailStore) async throws(IMAPFailure) {
    guard let entry, let structure else { return }
    let content = entry.content
    if needed == .header, header == nil {
      let end = content.prefix.count + min(structure.root.headerRange.upperBound, content.bodySize)
      header = try await fromStore(await store.read(content, range: 0..<end))
    }
    guard needed == .body, body == nil else { return }
    let first = min(structure.root.bodyRange.lowerBound, content.bodySize)
    let bytes = try await fromStore(await store.read(content, range: content.prefix.count + first..<content.size))
    body = bytes.withUnsafeBytes { MessageText.folded(structure.root, $0, offset: first) }
  }
}
