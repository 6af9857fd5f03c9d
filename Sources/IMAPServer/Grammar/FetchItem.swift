import Bytes

/// `fetch-att`: one thing that FETCH is asked for.  RFC 9051 §6.4.5, RFC 3501 §6.4.5.
enum FetchItem: Hashable, Sendable {
  case uid
  case flags
  case internalDate
  /// RFC822.SIZE.
  case size
  case envelope
  /// BODYSTRUCTURE without its extension data.
  case body
  case bodyStructure
  /// `BODY[…]` and its older names RFC822, RFC822.HEADER, RFC822.TEXT.
  case content(ContentItem)
  /// `BINARY[…]`: the part without its transfer encoding.  RFC 3516 §4.2.
  case binary(ContentItem)
  /// `BINARY.SIZE[…]`.
  case binarySize(ContentItem)

  /// True if fetching it makes a message seen.
  var setsSeen: Bool {
    switch self {
    case .content(let item), .binary(let item): item.setsSeen
    default: false
    }
  }

  /// What has to be read for it.
  var source: FetchSource {
    switch self {
    case .uid, .flags: .columns
    case .internalDate, .size: .entry
    case .content(let item): item.section == .whole ? .entry : .structure
    case .envelope, .body, .bodyStructure, .binary, .binarySize: .structure
    }
  }
}

/// Where what is fetched comes from, cheapest first; each includes those before it.
enum FetchSource: Int, Comparable, Sendable {
  case columns
  case entry
  case structure
  static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Bytes of a message that FETCH is asked for.
struct ContentItem: Hashable, Sendable {
  /// As the reply names it, with the origin octet of a partial fetch: `BODY[1.2]<0>`.
  var label: [UInt8]
  var section: Section
  var partial: Partial?
  var setsSeen: Bool

  /// `section-spec`.
  enum Section: Hashable, Sendable {
    case whole
    /// HEADER, of the message or of the message/rfc822 part at the path.
    case header([UInt32])
    case headerFields([UInt32], names: [[UInt8]], isInverted: Bool)
    case text([UInt32])
    /// The MIME header of a part.
    case mime([UInt32])
    /// A part's body; the path is never empty.
    case part([UInt32])
  }

  /// `partial`: `<0.2048>`.
  struct Partial: Hashable, Sendable {
    var origin: Int
    var count: Int
  }
}

/// Bounds on what one FETCH may ask for; a client needs some ten items.
private enum FetchLimits {
  static let items = 200
  static let headerNames = 500
  static let pathLength = 100
}

extension ByteCursor {
  /// A macro, one item, or items in parentheses; in the order they were asked for, without doubles.
  mutating func fetchItems() throws(IMAPSyntaxError) -> [FetchItem] {
    if skip(atom: "ALL") { return [.flags, .internalDate, .size, .envelope] }
    if skip(atom: "FAST") { return [.flags, .internalDate, .size] }
    if skip(atom: "FULL") { return [.flags, .internalDate, .size, .envelope, .body] }
    guard peek == 0x28 else { return [try fetchItem()] }
    var items: [FetchItem] = []
    try list(minimum: 1) { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
      let item = try cursor.fetchItem()
      guard items.count < FetchLimits.items else { throw cursor.expected("fewer items") }
      if !items.contains(item) { items.append(item) }
    }
    return items
  }

  private mutating func fetchItem() throws(IMAPSyntaxError) -> FetchItem {
    let start = position
    let name = take { $0.isIn([.alpha, .digit]) || $0 == 0x2E }
    switch String(decoding: name.asciiUppercased, as: UTF8.self) {
    case "UID": return .uid
    case "FLAGS": return .flags
    case "INTERNALDATE": return .internalDate
    case "RFC822.SIZE": return .size
    case "ENVELOPE": return .envelope
    case "BODYSTRUCTURE": return .bodyStructure
    case "BODY": return peek == 0x5B ? .content(try contentItem("BODY", setsSeen: true)) : .body
    case "BODY.PEEK": return .content(try contentItem("BODY", setsSeen: false))
    case "BINARY": return .binary(try contentItem("BINARY", setsSeen: true, isBinary: true))
    case "BINARY.PEEK": return .binary(try contentItem("BINARY", setsSeen: false, isBinary: true))
    case "BINARY.SIZE": return .binarySize(try contentItem("BINARY.SIZE", setsSeen: false, isBinary: true))
    // RFC 3501 §6.4.5: these are BODY[], BODY.PEEK[HEADER] and BODY[TEXT] with replies of other names.
    case "RFC822": return .content(ContentItem(label: Array("RFC822".utf8), section: .whole, setsSeen: true))
    case "RFC822.HEADER":
      return .content(ContentItem(label: Array("RFC822.HEADER".utf8), section: .header([]), setsSeen: false))
    case "RFC822.TEXT":
      return .content(ContentItem(label: Array("RFC822.TEXT".utf8), section: .text([]), setsSeen: true))
    default:
      position = start
      throw expected("something that can be fetched")
    }
  }

  /// `section` and `partial`, from the opening bracket on.
  private mutating func contentItem(
    _ name: StaticString, setsSeen: Bool, isBinary: Bool = false
  ) throws(IMAPSyntaxError) -> ContentItem {
    try expect(0x5B, "\"[\"")
    let section = try section(isBinary: isBinary)
    try expect(0x5D, "\"]\"")
    var item = ContentItem(label: [], section: section, setsSeen: setsSeen)
    var label = ResponseBuffer()
    label.append(name)
    label.append(section)
    if skip(0x3C) {
      let origin = try number()
      try expect(0x2E, "\".\"")
      let count = try number()
      try expect(0x3E, "\">\"")
      item.partial = ContentItem.Partial(origin: Int(origin), count: Int(count))
      label.append(0x3C)
      label.append(number: origin)
      label.append(0x3E)
    }
    item.label = label.bytes
    return item
  }

  private mutating func section(isBinary: Bool) throws(IMAPSyntaxError) -> ContentItem.Section {
    var path: [UInt32] = []
    while let digit = peek, digit.isIn(.digit) {
      path.append(try nonZeroNumber())
      guard path.count <= FetchLimits.pathLength else { throw expected("a shorter part number") }
      guard skip(0x2E) else { return .part(path) }
    }
    if path.isEmpty, peek == 0x5D { return .whole }
    let start = position
    let name = String(decoding: take { $0.isIn(.alpha) || $0 == 0x2E }.asciiUppercased, as: UTF8.self)
    switch name {
    case "HEADER" where !isBinary: return .header(path)
    case "TEXT" where !isBinary: return .text(path)
    case "MIME" where !isBinary && !path.isEmpty: return .mime(path)
    case "HEADER.FIELDS" where !isBinary, "HEADER.FIELDS.NOT" where !isBinary:
      try expectSpace()
      var names: [[UInt8]] = []
      try list(minimum: 1) { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
        names.append(try cursor.astring())
        guard names.count <= FetchLimits.headerNames else { throw cursor.expected("fewer field names") }
      }
      return .headerFields(path, names: names, isInverted: name == "HEADER.FIELDS.NOT")
    default:
      position = start
      throw expected("a section of a message")
    }
  }
}

extension ResponseBuffer {
  /// `section` in its brackets, as it was asked for.
  fileprivate mutating func append(_ section: ContentItem.Section) {
    append(0x5B)
    switch section {
    case .whole: break
    case .part(let path): append(path: path)
    case .header(let path):
      append(path: path, dot: true)
      append("HEADER")
    case .text(let path):
      append(path: path, dot: true)
      append("TEXT")
    case .mime(let path):
      append(path: path, dot: true)
      append("MIME")
    case .headerFields(let path, let names, let isInverted):
      append(path: path, dot: true)
      append(isInverted ? "HEADER.FIELDS.NOT (" : "HEADER.FIELDS (")
      for (index, name) in names.enumerated() {
        if index > 0 { append(0x20) }
        append(astring: name)
      }
      append(0x29)
    }
    append(0x5D)
  }

  private mutating func append(path: [UInt32], dot: Bool = false) {
    for (index, number) in path.enumerated() {
      if index > 0 { append(0x2E) }
      append(number: number)
    }
    if dot, !path.isEmpty { append(0x2E) }
  }
}
