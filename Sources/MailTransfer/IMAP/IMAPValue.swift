import Bytes

/// What responses are made of.  RFC 9051 §4.
///
/// Read as leniently as real servers need it: any number of spaces, any octets in strings, atoms with whatever they
/// hold.
indirect enum IMAPValue: Equatable {
  case atom(ArraySlice<UInt8>)
  case string(ArraySlice<UInt8>)
  case list([IMAPValue])

  private static let depthLimit = 20

  /// All values up to the end; nil where it ends within one.
  static func values(_ bytes: ArraySlice<UInt8>) -> [IMAPValue]? {
    var position = bytes.startIndex
    return values(bytes, &position, depth: 0)
  }

  private static func values(
    _ bytes: ArraySlice<UInt8>, _ position: inout Int, depth: Int
  ) -> [IMAPValue]? {
    guard depth <= depthLimit else { return nil }
    var result: [IMAPValue] = []
    while position < bytes.endIndex {
      switch bytes[position] {
      case 0x20, 0x0D, 0x0A: position += 1
      case 0x28:
        position += 1
        guard let elements = values(bytes, &position, depth: depth + 1) else { return nil }
        result.append(.list(elements))
      case 0x29:
        position += 1
        return depth > 0 ? result : nil
      case 0x22:
        guard let text = quoted(bytes, &position) else { return nil }
        result.append(.string(text))
      case 0x7B, 0x7E:
        guard let value = literal(bytes, &position) ?? atom(bytes, &position) else { return nil }
        result.append(value)
      default:
        guard let value = atom(bytes, &position) else { return nil }
        result.append(value)
      }
    }
    return depth == 0 ? result : nil
  }

  private static func quoted(_ bytes: ArraySlice<UInt8>, _ position: inout Int) -> ArraySlice<UInt8>? {
    let start = position + 1
    var index = start
    var hasEscapes = false
    while index < bytes.endIndex {
      if bytes[index] == 0x22 {
        position = index + 1
        let text = bytes[start..<index]
        return hasEscapes ? unescaped(text)[...] : text
      }
      if bytes[index] == 0x5C {
        hasEscapes = true
        index += 1
      }
      index += 1
    }
    return nil
  }

  private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var isEscaped = false
    for byte in text {
      if byte == 0x5C, !isEscaped {
        isEscaped = true
      } else {
        result.append(byte)
        isEscaped = false
      }
    }
    return result
  }

  /// `{5}` or `~{5}`, a line end, and the octets.
  private static func literal(_ bytes: ArraySlice<UInt8>, _ position: inout Int) -> IMAPValue? {
    var index = position
    if bytes[index] == 0x7E { index += 1 }
    guard index < bytes.endIndex, bytes[index] == 0x7B, let close = bytes[index...].firstIndex(of: 0x7D) else {
      return nil
    }
    let digits = bytes[(index + 1)..<close].filter { $0 != 0x2B }
    guard 1...15 ~= digits.count, digits.allSatisfy({ $0.isIn(.digit) }),
      let count = Int(String(decoding: digits, as: UTF8.self)), bytes[(close + 1)...].starts(with: "\r\n".utf8),
      bytes.endIndex - (close + 3) >= count
    else { return nil }
    position = close + 3 + count
    return .string(bytes[(close + 3)..<position])
  }

  /// Up to a space or parenthesis that is not within square brackets: `BODY[HEADER.FIELDS (DATE)]` is one.
  private static func atom(_ bytes: ArraySlice<UInt8>, _ position: inout Int) -> IMAPValue? {
    let start = position
    var brackets = 0
    while position < bytes.endIndex {
      let byte = bytes[position]
      if byte == 0x5B { brackets += 1 }
      if byte == 0x5D { brackets -= 1 }
      if brackets <= 0, [0x20, 0x28, 0x29, 0x0D, 0x0A].contains(byte) { break }
      position += 1
    }
    return position > start ? .atom(bytes[start..<position]) : nil
  }

  // MARK: As something else

  /// The octets of an atom or string; nil for NIL and for a list.
  var octets: ArraySlice<UInt8>? {
    switch self {
    case .atom(let text): text.equalsIgnoringASCIICase("NIL") ? nil : text
    case .string(let text): text
    case .list: nil
    }
  }

  var text: String? { octets.map { String(decoding: $0, as: UTF8.self) } }

  var number: UInt64? {
    guard case .atom(let digits) = self, 1...19 ~= digits.count, digits.allSatisfy({ $0.isIn(.digit) }) else {
      return nil
    }
    return UInt64(String(decoding: digits, as: UTF8.self))
  }

  /// NIL is an empty list.
  var elements: [IMAPValue]? {
    switch self {
    case .list(let elements): elements
    case .atom(let text): text.equalsIgnoringASCIICase("NIL") ? [] : nil
    case .string: nil
    }
  }
}
