import Bytes
import MessageFormat

/// The text of a message as a person sees it, folded for comparing.
enum MessageText {
  /// The texts of the parts of `root`, decoded by transfer encoding and charset. Headers of parts and of messages
  /// inside are text too; what is not text (images, archives) is not.
  /// - Parameter bytes: the message from `offset` on, where offsets are those of the structure.
  static func folded(_ root: MessagePart, _ bytes: UnsafeRawBufferPointer, offset: Int) -> [[UInt8]] {
    var texts: [[UInt8]] = []
    collect(root, isRoot: true, bytes, offset, into: &texts)
    return texts
  }

  private static func collect(
    _ part: MessagePart, isRoot: Bool, _ bytes: UnsafeRawBufferPointer, _ offset: Int, into texts: inout [[UInt8]]
  ) {
    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
      let inside = (max(0, range.lowerBound - offset)..<max(0, range.upperBound - offset)).clamped(to: 0..<bytes.count)
      return UnsafeRawBufferPointer(rebasing: bytes[inside])
    }
    if !isRoot { texts.append(foldedHeader(slice(part.headerRange))) }
    switch part.content {
    case .multipart(let children):
      for child in children { collect(child, isRoot: false, bytes, offset, into: &texts) }
    case .message(let structure): collect(structure.root, isRoot: false, bytes, offset, into: &texts)
    case .leaf:
      guard part.isText || part.type.equalsIgnoringASCIICase("message") else { return }
      let body = slice(part.bodyRange)
      let content = part.decodedContent(body) ?? Array(body)
      let text = CharsetDecoder.decode(content, charset: part.parameter("charset") ?? []).text
      texts.append(CaseFolding.fold(text))
    }
  }

  /// All fields of a header, unfolded and decoded, a line each.
  static func foldedHeader(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    if let plain = foldedPlainHeader(bytes) { return plain }
    var text: [UInt8] = []
    for field in HeaderFields(bytes) {
      text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[field.name]))
      text.append(literal: ": ")
      text += EncodedWords.decode(HeaderFields.unfolded(bytes, field.body, limit: bytes.count))
      text.append(0x0A)
    }
    return CaseFolding.fold(text)
  }

  /// The same in one pass for a header that has nothing to decode, as most have; nil for others.
  private static func foldedPlainHeader(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    var position = 0
    while position < bytes.count {
      let newline = bytes.firstIndex(of: 0x0A, from: position) ?? bytes.count
      var end = newline
      while end > position, bytes[end &- 1] == 0x0D || bytes[end &- 1].isIn(.wsp) { end &-= 1 }
      if bytes[position].isIn(.wsp), text.last == 0x0A {
        // A line that goes on: one space for the fold.
        text[text.count &- 1] = 0x20
        while position < end, bytes[position].isIn(.wsp) { position &+= 1 }
      }
      for index in position..<max(end, position) {
        let byte = bytes[index]
        if byte >= 0x80 || byte == 0x3F && index > position && bytes[index &- 1] == 0x3D { return nil }
        text.append(byte.asciiLowercased)
      }
      text.append(0x0A)
      position = newline &+ 1
    }
    return text
  }

  /// Addresses as they are shown: `Name <mailbox@host>`, a line each, decoded and folded.
  static func folded(_ addresses: [EnvelopeAddress]) -> [UInt8] {
    var text: [UInt8] = []
    for address in addresses {
      if let name = address.name {
        text += EncodedWords.decode(name)
        text.append(0x20)
      }
      // A group has its name here, and no host.
      if let mailbox = address.mailbox {
        text.append(0x3C)
        text += CharsetDecoder.decode(mailbox, charset: []).text
        if let host = address.host, !host.isEmpty {
          text.append(0x40)
          text += CharsetDecoder.decode(host, charset: []).text
        }
        text.append(0x3E)
      }
      text.append(0x0A)
    }
    return CaseFolding.fold(text)
  }
}
