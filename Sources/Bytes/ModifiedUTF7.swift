/// Mailbox names of IMAP4rev1.  RFC 3501 §5.1.3.
package enum ModifiedUTF7 {
  private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,"

  /// The text of a mailbox name. Strict: nil for 8-bit or control characters, an unfinished or needless shift, unpaired
  /// surrogates, superfluous bits. So a name has one spelling.
  package static func decode(_ bytes: some Collection<UInt8>) -> String? {
    var text = ""
    var iterator = bytes.makeIterator()
    var endedShift = false
    while let byte = iterator.next() {
      guard byte >= 0x20, byte < 0x7F else { return nil }
      guard byte == 0x26 else {
        text.unicodeScalars.append(Unicode.Scalar(byte))
        endedShift = false
        continue
      }
      var base64: [UInt8] = []
      var ended = false
      while let next = iterator.next() {
        if next == 0x2D {
          ended = true
          break
        }
        base64.append(next)
      }
      guard ended else { return nil }
      if base64.isEmpty {
        text += "&"
        endedShift = false
        continue
      }
      // RFC 3501 §5.1.3: "&U,BTFw-&ZeVnLIqe-" is not permitted, its shifts could be one.
      guard !endedShift, let units = codeUnits(base64) else { return nil }
      var decoder = UTF16()
      var source = units.makeIterator()
      decoding: while true {
        switch decoder.decode(&source) {
        case .scalarValue(let scalar):
          guard scalar.value < 0x20 || scalar.value > 0x7E else { return nil }
          guard scalar.value >= 0x20, scalar.value != 0x7F else { return nil }
          text.unicodeScalars.append(scalar)
        case .emptyInput: break decoding
        case .error: return nil
        }
      }
      endedShift = true
    }
    return text
  }

  private static func codeUnits(_ base64: [UInt8]) -> [UInt16]? {
    var units: [UInt16] = []
    var bits: UInt32 = 0
    var count = 0
    for character in base64 {
      guard let value = value(of: character) else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 6
      if count >= 16 {
        count -= 16
        units.append(UInt16(truncatingIfNeeded: bits >> UInt32(count)))
        bits &= (1 << UInt32(count)) - 1
      }
    }
    return count < 6 && bits == 0 ? units : nil
  }

  private static func value(of character: UInt8) -> UInt8? {
    switch character {
    case 0x41...0x5A: character - 0x41
    case 0x61...0x7A: character - 0x61 + 26
    case 0x30...0x39: character - 0x30 + 52
    case 0x2B: 62
    case 0x2C: 63
    default: nil
    }
  }

  /// The name that IMAP4rev1 shows for `text`.
  package static func encode(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var shifted: [UInt16] = []
    func flush() {
      guard !shifted.isEmpty else { return }
      bytes.append(0x26)
      var bits: UInt32 = 0
      var count: UInt32 = 0
      for unit in shifted {
        bits = bits << 16 | UInt32(unit)
        count += 16
        while count >= 6 {
          count -= 6
          bytes.append(alphabet.utf8Start[Int(bits >> count & 63)])
        }
        bits &= (1 << count) - 1
      }
      if count > 0 { bytes.append(alphabet.utf8Start[Int(bits << (6 - count) & 63)]) }
      bytes.append(0x2D)
      shifted = []
    }
    for scalar in text.unicodeScalars {
      if scalar.value >= 0x20, scalar.value < 0x7F {
        flush()
        bytes.append(UInt8(scalar.value))
        if scalar == "&" { bytes.append(0x2D) }
      } else {
        shifted += UTF16.encode(scalar)!
      }
    }
    flush()
    return bytes
  }
}
