import Bytes

/// Reads the structured MIME fields: `value *(";" parameter)`, with comments and white space anywhere.
/// RFC 2045 §5.1, RFC 2183 §2, RFC 2231.
struct MIMEFieldParser {
  private let bytes: UnsafeRawBufferPointer
  private var position: Int
  private let end: Int

  /// - Parameter range: a field body, still folded.
  init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// `type "/" subtype`, lower-case; nil if it is not that.
  mutating func mediaType() -> (type: [UInt8], subtype: [UInt8])? {
    guard let type = token() else { return nil }
    skipSpace()
    guard position < end, bytes[position] == 0x2F else { return nil }
    position &+= 1
    guard let subtype = token() else { return nil }
    return (type, subtype)
  }

  /// A token in lower-case, `MIMEToken`s without an allocation.
  mutating func token() -> [UInt8]? {
    skipSpace()
    let start = position
    while position < end, bytes[position].isIn(.token) { position &+= 1 }
    return start == position ? nil : MIMEToken.lowercased(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
  }

  /// A comma-separated list of tokens, as in Content-Language.
  mutating func tokenList() -> [[UInt8]] {
    var list: [[UInt8]] = []
    while position < end, list.count < MessageLimits.languages {
      skipSpace()
      let start = position
      while position < end, bytes[position].isIn(.token) { position &+= 1 }
      if position > start {
        list.append(Array(UnsafeRawBufferPointer(rebasing: bytes[start..<position])))
      } else if position < end {
        position &+= 1
      }
    }
    return list
  }

  /// The parameters that follow, RFC 2231 continuations joined. A value in RFC 2231's encoding keeps the asterisk in
  /// its name and the charset in its value, as clients expect to find it in BODYSTRUCTURE.
  mutating func parameters() -> [MIMEParameter] {
    var found: [MIMEParameter] = []
    var hasContinuations = false
    while found.count < MessageLimits.parameters {
      // To the next semicolon, whatever stands before it.
      skipSpace()
      while position < end, bytes[position] != 0x3B {
        if bytes[position] == 0x22 { _ = quotedString() } else { position &+= 1 }
      }
      while position < end, bytes[position] == 0x3B {
        position &+= 1
        skipSpace()
      }
      guard position < end else { break }
      guard let name = token() else {
        position &+= 1
        continue
      }
      skipSpace()
      guard position < end, bytes[position] == 0x3D else { continue }
      position &+= 1
      skipSpace()
      if let star = name.firstIndex(of: 0x2A), star < name.count - 1 { hasContinuations = true }
      found.append(MIMEParameter(name: name, value: value()))
    }
    return hasContinuations ? Self.joined(found) : found
  }

  private mutating func value() -> [UInt8] {
    if position < end, bytes[position] == 0x22 { return quotedString() }
    // More than `token`: unquoted values with spaces of their own kind are common (`name=a/b`, `charset=x;`).
    let start = position
    while position < end, bytes[position] != 0x3B, bytes[position] > 0x20 { position &+= 1 }
    return MIMEToken.exact(UnsafeRawBufferPointer(rebasing: bytes[start..<position]))
  }

  /// A quoted string without its quotes and backslashes; one that is never closed ends with the field.
  private mutating func quotedString() -> [UInt8] {
    position &+= 1
    var text: [UInt8] = []
    while position < end {
      let start = position
      while position < end, bytes[position] != 0x22, bytes[position] != 0x5C, bytes[position] > 0x0D { position &+= 1 }
      if position > start { text.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<position])) }
      guard position < end else { break }
      let byte = bytes[position]
      position &+= 1
      switch byte {
      case 0x22: return text
      case 0x5C where position < end:
        // Windows paths come without doubled backslashes: a quoted-pair escapes only what needs it.
        if bytes[position] != 0x22, bytes[position] != 0x5C { text.append(0x5C) }
        text.append(bytes[position])
        position &+= 1
      case 0x00, 0x0A, 0x0D: continue
      default: text.append(byte)
      }
    }
    return text
  }

  private mutating func skipSpace() {
    while position < end {
      let byte = bytes[position]
      if byte <= 0x20 {
        position &+= 1
      } else if byte == 0x28 {
        skipComment()
      } else {
        return
      }
    }
  }

  private mutating func skipComment() {
    var depth = 0
    while position < end {
      switch bytes[position] {
      case 0x5C: position &+= 1
      case 0x28: depth &+= 1
      case 0x29: depth &-= 1
      default: break
      }
      position &+= 1
      if depth == 0 { return }
    }
    position = end
  }

  // MARK: RFC 2231 §3 and §4.1

  private struct Segment {
    var number: Int
    var isEncoded: Bool
    var value: [UInt8]
  }

  private static func joined(_ parameters: [MIMEParameter]) -> [MIMEParameter] {
    var result: [MIMEParameter] = []
    var segments: [[UInt8]: [Segment]] = [:]
    for parameter in parameters {
      guard let star = parameter.name.firstIndex(of: 0x2A), star > 0, star < parameter.name.count - 1 else {
        result.append(parameter)
        continue
      }
      var number = parameter.name[(star + 1)...]
      let isEncoded = number.last == 0x2A
      if isEncoded { number = number.dropLast() }
      guard let number = decimal(number) else {
        result.append(parameter)
        continue
      }
      let name = Array(parameter.name[..<star])
      // The first segment marks the place; the joined value is filled in below.
      if segments[name] == nil { result.append(MIMEParameter(name: name, value: [])) }
      segments[name, default: []].append(Segment(number: number, isEncoded: isEncoded, value: parameter.value))
    }
    for index in result.indices {
      guard let parts = segments.removeValue(forKey: result[index].name) else { continue }
      let ordered = parts.sorted { $0.number < $1.number }
      let isEncoded = ordered.contains { $0.isEncoded }
      var value: [UInt8] = []
      if isEncoded, ordered.first?.isEncoded == false { value = Array("''".utf8) }
      for part in ordered where value.count < MessageLimits.fieldBody {
        value += isEncoded && !part.isEncoded ? percentEncoded(part.value) : part.value
      }
      result[index].value = value
      if isEncoded { result[index].name.append(0x2A) }
    }
    return result
  }

  private static func percentEncoded(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    for byte in bytes {
      if byte.isIn(.token), byte != 0x25, byte != 0x27, byte != 0x2A {
        text.append(byte)
      } else {
        let (high, low) = hexDigits(of: byte)
        text += [0x25, high, low]
      }
    }
    return text
  }
}
