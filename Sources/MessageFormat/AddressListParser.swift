import Bytes

/// Reads `address-list` as mail really has it: groups, routes, comments as names, quoted and raw 8-bit names, missing
/// brackets and domains.  RFC 5322 §3.4 and §4.4.
package struct AddressListParser {
  private let bytes: UnsafeRawBufferPointer
  private var position: Int
  private let end: Int
  /// Words read so far that are either a name or a local part.
  private var words: [UInt8] = []
  private var hasWords = false
  private var comment: Range<Int>?
  private var inGroup = false
  private var addresses: [EnvelopeAddress] = []
  private let limit: Int

  /// - Parameter range: a field body, still folded.
  package static func parse(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, limit: Int = MessageLimits.addresses
  ) -> [EnvelopeAddress] {
    var parser = AddressListParser(bytes, range, limit: limit)
    parser.parseList()
    return parser.addresses
  }

  package static func parse(_ text: [UInt8]) -> [EnvelopeAddress] {
    text.withUnsafeBytes { parse($0, 0..<$0.count) }
  }

  private init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, limit: Int) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
    self.limit = limit
  }

  private mutating func parseList() {
    while position < end, addresses.count < limit {
      let spaced = skipSpaceAndComments()
      guard position < end else { break }
      switch bytes[position] {
      case 0x2C:  // ","
        position &+= 1
        finishWords()
      case 0x3B:  // ";"
        position &+= 1
        finishWords()
        endGroup()
      case 0x3A where !inGroup && hasWords:  // ":"
        position &+= 1
        addresses.append(EnvelopeAddress(mailbox: takeWords()))
        inGroup = true
      case 0x3C:  // "<"
        position &+= 1
        parseAngleAddress()
      case 0x40:  // "@"
        position &+= 1
        let local = takeWords()
        let host = parseDomain()
        skipSpaceAndComments()
        if position < end, bytes[position] == 0x3C {
          // `joe@example.com <joe@example.com>`, the address as an unquoted name.
          words = local + [0x40] + host
          hasWords = true
        } else {
          add(mailbox: local, host: host)
        }
      case 0x22:  // DQUOTE
        separate(spaced)
        position &+= 1
        appendQuoted()
      default:
        separate(spaced)
        appendAtom()
      }
    }
    if addresses.count < limit { finishWords() }
    endGroup()
  }

  // MARK: Addresses

  private mutating func add(name: [UInt8]? = nil, route: [UInt8]? = nil, mailbox: [UInt8], host: [UInt8]) {
    // `"" <joe@example.com>` has no name.
    var name = name?.isEmpty == true ? nil : name
    if name == nil, let comment { name = unescaped(comment) }
    addresses.append(EnvelopeAddress(name: name, route: route, mailbox: mailbox, host: host))
    comment = nil
    hasWords = false
    words.removeAll(keepingCapacity: true)
  }

  /// Words without `@` or brackets: a local part whose domain is missing.
  private mutating func finishWords() {
    if hasWords { add(mailbox: takeWords(), host: []) }
    comment = nil
  }

  private mutating func takeWords() -> [UInt8] {
    defer {
      words.removeAll(keepingCapacity: true)
      hasWords = false
    }
    return Array(words)
  }

  private mutating func endGroup() {
    guard inGroup else { return }
    inGroup = false
    addresses.append(EnvelopeAddress())
  }

  /// What follows `<`.  RFC 5322 §4.4 `obs-angle-addr` for the route.
  private mutating func parseAngleAddress() {
    let name = hasWords ? takeWords() : nil
    var route: [UInt8]?
    skipSpaceAndComments()
    if position < end, bytes[position] == 0x40 {
      let start = position
      let limit = bytes.firstIndex(of: 0x3E, in: position..<end) ?? end
      if let colon = bytes.firstIndex(of: 0x3A, in: position..<limit) {
        route = HeaderFields.unfolded(bytes, start..<colon)
        position = colon &+ 1
      }
    }
    var mailbox: [UInt8] = []
    var host: [UInt8] = []
    words.removeAll(keepingCapacity: true)
    scanning: while position < end {
      skipSpaceAndComments()
      guard position < end else { break }
      switch bytes[position] {
      case 0x3E:  // ">"
        position &+= 1
        break scanning
      case 0x2C, 0x3B: break scanning  // a bracket that is never closed
      case 0x40:
        position &+= 1
        host = parseDomain()
      case 0x22:
        position &+= 1
        appendQuoted()
      case 0x3A, 0x3C:
        position &+= 1
      default: appendAtom()
      }
    }
    mailbox = takeWords()
    comment = name == nil ? comment : nil
    add(name: name, route: route, mailbox: mailbox, host: host)
    // Anything between the bracket and the next comma belongs to nothing.
    while position < end, bytes[position] != 0x2C, bytes[position] != 0x3B {
      if bytes[position] == 0x28 { skipSpaceAndComments() } else { position &+= 1 }
    }
    comment = nil
  }

  /// A domain or domain literal; white space and comments inside it are dropped.
  private mutating func parseDomain() -> [UInt8] {
    var domain: [UInt8] = []
    while position < end {
      skipSpaceAndComments()
      guard position < end else { break }
      let byte = bytes[position]
      if byte == 0x5B {  // "["
        let close = bytes.firstIndex(of: 0x5D, in: position..<end) ?? end &- 1
        domain += HeaderFields.unfolded(bytes, position..<close &+ 1)
        position = close &+ 1
        break
      }
      let start = position
      while position < end, isDomainByte(bytes[position]) { position &+= 1 }
      if start == position { break }
      // A word that is not joined by a dot is not of the domain: `joe@example.com Joe`.
      if !domain.isEmpty, domain.last != 0x2E, bytes[start] != 0x2E {
        position = start
        break
      }
      domain.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
    }
    return domain
  }

  private func isDomainByte(_ byte: UInt8) -> Bool { byte.isIn(.atext) || byte == 0x2E }

  // MARK: Words

  private mutating func separate(_ spaced: Bool) {
    if hasWords, spaced, words.last != 0x20 { words.append(0x20) }
    hasWords = true
  }

  private mutating func appendAtom() {
    let start = position
    while position < end, !isDelimiter(bytes[position]) { position &+= 1 }
    // A stray `)` or `>` is passed over.
    if position == start {
      position &+= 1
    } else {
      words.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
    }
  }

  private func isDelimiter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x00, 0x09, 0x0A, 0x0D, 0x20, 0x22, 0x28, 0x29, 0x2C, 0x3A, 0x3B, 0x3C, 0x3E, 0x40: true
    default: false
    }
  }

  /// The rest of a quoted string. One that is never closed ends with the field.
  private mutating func appendQuoted() {
    while position < end {
      let byte = bytes[position]
      position &+= 1
      switch byte {
      case 0x22: return
      case 0x5C where position < end:
        words.append(bytes[position])
        position &+= 1
      case 0x00, 0x0A, 0x0D: continue
      case 0x09: words.append(0x20)
      default: words.append(byte)
      }
    }
  }

  /// Returns true if there was anything. Remembers the last comment: old mail has its name there.
  @discardableResult
  private mutating func skipSpaceAndComments() -> Bool {
    let start = position
    while position < end {
      switch bytes[position] {
      case 0x00, 0x09, 0x0A, 0x0D, 0x20: position &+= 1
      case 0x28: comment = skipComment()
      default: return position > start
      }
    }
    return position > start
  }

  /// Passes over a comment, nested ones included, and returns its content. An unclosed one ends with the field.
  private mutating func skipComment() -> Range<Int> {
    let start = position &+ 1
    var depth = 0
    while position < end {
      switch bytes[position] {
      case 0x5C: position &+= 1
      case 0x28: depth &+= 1
      case 0x29: depth &-= 1
      default: break
      }
      position &+= 1
      if depth == 0 { return start..<position &- 1 }
    }
    position = end
    return min(start, end)..<end
  }

  private func unescaped(_ range: Range<Int>) -> [UInt8]? {
    let text = HeaderFields.unfolded(bytes, range)
    guard text.contains(0x5C) else { return text.isEmpty ? nil : text }
    var result: [UInt8] = []
    var escaped = false
    for byte in text {
      if byte == 0x5C, !escaped {
        escaped = true
      } else {
        result.append(byte)
        escaped = false
      }
    }
    return result
  }
}
