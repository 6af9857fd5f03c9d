import Bytes

/// The text of a message as a person sees it: decoded by transfer encoding, charset and encoded words, and folded for
/// comparing. SEARCH looks into these texts, and the search index is made of them: there is no other place where they
/// are made.
package enum MessageText {
  /// Raised with every change after which a message gives another text than before: an index of the texts of old is of
  /// no use then.
  package static let version = 1

  // MARK: Headers

  /// All fields of a header as `name: body`, decoded and folded, a line each.
  package static func foldedHeader(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    for field in HeaderFields(bytes) {
      if !field.name.isEmpty {
        for index in field.name { text.append(bytes[index].asciiLowercased) }
        text.append(literal: ": ")
      }
      text += folded(field, of: bytes)
      text.append(0x0A)
    }
    return text
  }

  /// The body of a field.
  package static func folded(_ field: HeaderField, of bytes: UnsafeRawBufferPointer) -> [UInt8] {
    folded(field: HeaderFields.unfolded(bytes, field.body, limit: bytes.count))
  }

  /// The body of a field that is unfolded already, as an envelope has it.
  package static func folded(field: [UInt8]) -> [UInt8] { CaseFolding.fold(EncodedWords.decode(field)) }

  /// Addresses as they are shown: `Name <mailbox@host>`, a line each.
  package static func folded(_ addresses: [EnvelopeAddress]) -> [UInt8] {
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

  /// Every text that a search may look for in an envelope. The header has most of it too, but not always in the same
  /// words: an address loses its comments, and an overlong field its end.
  package static func folded(_ envelope: Envelope) -> [[UInt8]] {
    let fields = [envelope.subject, envelope.date, envelope.messageID, envelope.inReplyTo, envelope.references]
    let lists = [envelope.from, envelope.sender, envelope.replyTo, envelope.to, envelope.cc, envelope.bcc]
    return fields.compactMap { $0.map { folded(field: $0) } } + lists.filter { !$0.isEmpty }.map { folded($0) }
  }

  // MARK: Bodies

  /// Where the text of a body is, in ascending order and as the structure counts: headers of parts and of messages
  /// inside, and the parts that are text. What is not text (images, archives) is left out, unless it is so short that
  /// reading over it is cheaper.
  package static func ranges(of root: MessagePart) -> [Range<Int>] {
    var found: [Range<Int>] = []
    visit(root, isRoot: true, header: { found.append($0) }, text: { found.append($0.bodyRange) })
    found.sort { $0.lowerBound < $1.lowerBound }
    var joined: [Range<Int>] = []
    for range in found where !range.isEmpty {
      if let last = joined.last, range.lowerBound <= last.upperBound + readOver {
        joined[joined.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        joined.append(range)
      }
    }
    return joined
  }

  private static let readOver = 4_096

  /// The texts of a body, one for each part and header in it.
  /// - Parameter bytes: what is at `ranges`, one after the other.
  package static func folded(_ root: MessagePart, _ bytes: UnsafeRawBufferPointer, at ranges: [Range<Int>])
    -> [[UInt8]]
  {
    let excerpt = Excerpt(bytes, at: ranges)
    var texts: [[UInt8]] = []
    visit(root, isRoot: true) {
      texts.append(foldedHeader(excerpt[$0]))
    } text: { part in
      let body = excerpt[part.bodyRange]
      let content = part.decodedContent(body) ?? Array(body)
      let text = CharsetDecoder.decode(content, charset: part.parameter("charset") ?? []).text
      texts.append(CaseFolding.fold(text))
    }
    return texts
  }

  /// Every place in a body that has text.
  private static func visit(
    _ part: MessagePart, isRoot: Bool, header: (Range<Int>) -> Void, text: (MessagePart) -> Void
  ) {
    if !isRoot { header(part.headerRange) }
    switch part.content {
    case .multipart(let children):
      for child in children { visit(child, isRoot: false, header: header, text: text) }
    case .message(let structure): visit(structure.root, isRoot: false, header: header, text: text)
    case .leaf: if part.isText || part.type.equalsIgnoringASCIICase("message") { text(part) }
    }
  }
}

/// Pieces of a message, found by where they are in the whole.
private struct Excerpt {
  private let bytes: UnsafeRawBufferPointer
  private let ranges: [Range<Int>]
  /// Where each range begins in `bytes`.
  private var starts: [Int] = []

  init(_ bytes: UnsafeRawBufferPointer, at ranges: [Range<Int>]) {
    self.bytes = bytes
    self.ranges = ranges
    var position = 0
    for range in ranges {
      starts.append(position)
      position += range.count
    }
  }

  /// As much of `range` as is there.
  subscript(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].lowerBound <= range.lowerBound { low = middle + 1 } else { high = middle }
    }
    guard low > 0 else { return UnsafeRawBufferPointer(rebasing: bytes[0..<0]) }
    let shift = starts[low - 1] - ranges[low - 1].lowerBound
    let inside = range.clamped(to: ranges[low - 1])
    let place = (inside.lowerBound + shift..<inside.upperBound + shift).clamped(to: 0..<bytes.count)
    return UnsafeRawBufferPointer(rebasing: bytes[place])
  }
}
