import Bytes

/// `tag=value; tag=value`, as signatures and key records are written.  RFC 6376 §3.2, RFC 8616 §5.
///
/// Names are compared with their case. A value has no white space around it, but may have some inside, folds included.
struct TagList: Sendable {
  struct Tag: Hashable, Sendable {
    var name: Range<Int>
    var value: Range<Int>
    /// The value with the white space around it: all between `=` and the next `;`.
    var wholeValue: Range<Int>
  }

  let bytes: [UInt8]
  private(set) var tags: [Tag] = []

  /// Nil where the bytes are no tag list: bad characters, a tag without `=`, a tag that comes twice, too many tags.
  init?(parsing bytes: [UInt8]) {
    self.bytes = bytes
    var position = 0
    while position < bytes.count {
      let end = bytes[position...].firstIndex(of: 0x3B) ?? bytes.count
      let range = position..<end
      position = end + 1
      // A semicolon may stand behind the last one.
      if end == bytes.count, trimmed(range).isEmpty { break }
      guard tags.count < DKIMLimits.tags, let tag = tag(in: range),
        !tags.contains(where: { isSameName($0, tag) })
      else { return nil }
      tags.append(tag)
    }
    if tags.isEmpty { return nil }
  }

  /// The value of the tag called `name`; nil where there is none.
  subscript(name: StaticString) -> ArraySlice<UInt8>? { tag(name).map { bytes[$0.value] } }

  func tag(_ name: StaticString) -> Tag? { tags.first { isName(of: $0, name) } }

  /// True if the first tag is called `name`.
  func begins(with name: StaticString) -> Bool { tags.first.map { isName(of: $0, name) } ?? false }

  private func isName(of tag: Tag, _ name: StaticString) -> Bool {
    bytes[tag.name].elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  private func isSameName(_ left: Tag, _ right: Tag) -> Bool { bytes[left.name].elementsEqual(bytes[right.name]) }

  /// `tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]`
  private func tag(in range: Range<Int>) -> Tag? {
    guard let equals = bytes[range].firstIndex(of: 0x3D) else { return nil }
    let name = trimmed(range.lowerBound..<equals)
    guard let first = bytes[name].first, first.isIn(.alpha),
      bytes[name].allSatisfy({ $0.isIn([.alpha, .digit]) || $0 == 0x5F })
    else { return nil }
    let wholeValue = equals + 1..<range.upperBound
    let value = trimmed(wholeValue)
    guard bytes[value].allSatisfy({ !$0.isIn(.ctl) || Self.isSpace($0) }) else { return nil }
    return Tag(name: name, value: value, wholeValue: wholeValue)
  }

  private func trimmed(_ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, Self.isSpace(bytes[start]) { start += 1 }
    while end > start, Self.isSpace(bytes[end - 1]) { end -= 1 }
    return start..<end
  }

  /// What `FWS` is made of.
  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }
}

extension ArraySlice<UInt8> {
  /// The parts between colons, without white space around them.  RFC 6376 §3.5 `h=`, §3.6.1.
  var colonSeparated: [ArraySlice<UInt8>] {
    split(separator: 0x3A, omittingEmptySubsequences: false).map { part in
      var part = part
      while let first = part.first, TagList.isSpace(first) { part.removeFirst() }
      while let last = part.last, TagList.isSpace(last) { part.removeLast() }
      return part
    }
  }

  /// The octets of `base64string`, which may be folded anywhere; nil where it is none. Padding may lack: it does in
  /// records that people copy.  RFC 6376 §2.10.
  var base64Decoded: [UInt8]? {
    var text = filter { !TagList.isSpace($0) }
    while text.count % 4 > 1 { text.append(0x3D) }
    return text.isEmpty ? nil : Base64.decode(text)
  }
}
