import Bytes
import MailStore
import MessageFormat

/// Finds the bytes that a section of FETCH names. Ranges are of what the client sees: the trace prefix, then the body.
/// RFC 9051 §6.4.5.1.
struct MessageSections {
  private let structure: MessageStructure
  private let content: ContentReference

  init(_ structure: MessageStructure, _ content: ContentReference) {
    self.structure = structure
    self.content = content
  }

  /// Nil where the message has no such section. Sections of the message itself, which nearly all that is fetched are,
  /// are found without making the tree.
  static func range(
    of section: ContentItem.Section, in encoded: EncodedStructure?, _ content: ContentReference
  ) -> Range<Int>? {
    switch section {
    case .whole: return 0..<content.size
    case .header([]), .headerFields([], _, _):
      guard let root = encoded?.rootRanges else { return nil }
      return 0..<content.prefix.count + min(root.header.upperBound, content.bodySize)
    case .text([]):
      guard let body = encoded?.rootRanges?.body.clamped(to: 0..<content.bodySize) else { return nil }
      return content.prefix.count + body.lowerBound..<content.prefix.count + body.upperBound
    case .header, .headerFields, .text, .mime, .part:
      guard let encoded, let structure = MessageStructure(encoded) else { return nil }
      return MessageSections(structure, content).range(of: section)
    }
  }

  /// Nil where the message has no such section.
  func range(of section: ContentItem.Section) -> Range<Int>? {
    switch section {
    case .whole: 0..<content.size
    case .header(let path), .headerFields(let path, _, _): message(at: path).map { headerRange(of: $0.root) }
    case .text(let path): message(at: path).map { shifted($0.root.bodyRange) }
    case .mime(let path): part(at: path).map { headerRange(of: $0) }
    case .part(let path): part(at: path).map { shifted($0.bodyRange) }
    }
  }

  /// The part at the path. The body of a message that is no multipart is its part 1.
  func part(at path: [UInt32]) -> MessagePart? {
    var rest = path[...]
    var node = structure.root
    // A root, of the message or of one inside, has no number of its own.
    var isRoot = true
    while let number = rest.first {
      switch node.content {
      case .multipart(let children):
        guard number <= children.count else { return nil }
        node = children[Int(number) - 1]
        rest = rest.dropFirst()
        isRoot = false
      case .message(let structure) where !isRoot:
        node = structure.root
        isRoot = true
      case .message, .leaf:
        guard isRoot, number == 1 else { return nil }
        rest = rest.dropFirst()
        isRoot = false
      }
    }
    return isRoot ? nil : node
  }

  /// The message itself for no path, else the one inside the message/rfc822 part at the path.
  private func message(at path: [UInt32]) -> MessageStructure? {
    if path.isEmpty { return structure }
    if case .message(let structure)? = part(at: path)?.content { return structure }
    return nil
  }

  /// The prefix is part of the header that it stands before.
  private func headerRange(of part: MessagePart) -> Range<Int> {
    part.headerRange.lowerBound == 0
      ? 0..<content.prefix.count + part.headerRange.upperBound : shifted(part.headerRange)
  }

  private func shifted(_ range: Range<Int>) -> Range<Int> {
    // A structure that does not belong to this body must not lead outside it.
    let clamped = range.clamped(to: 0..<content.bodySize)
    return content.prefix.count + clamped.lowerBound..<content.prefix.count + clamped.upperBound
  }
}

extension ContentItem.Section {
  /// The fields of a header that HEADER.FIELDS asks for, as they stand, and the blank line.
  static func select(_ names: [[UInt8]], isInverted: Bool, from header: [UInt8]) -> [UInt8] {
    var selected: [UInt8] = []
    header.withUnsafeBytes { bytes in
      for field in HeaderFields(bytes) {
        let name = UnsafeRawBufferPointer(rebasing: bytes[field.name])
        let isNamed =
          !name.isEmpty
          && names.contains { wanted in
            wanted.count == name.count && wanted.withUnsafeBytes { equal($0, name) }
          }
        if isNamed != isInverted { selected.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[field.range])) }
      }
    }
    if !selected.isEmpty, selected.last != 0x0A { selected.append(literal: "\r\n") }
    selected.append(literal: "\r\n")
    return selected
  }

  private static func equal(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
    for index in 0..<left.count where left[index].asciiLowercased != right[index].asciiLowercased { return false }
    return true
  }
}
