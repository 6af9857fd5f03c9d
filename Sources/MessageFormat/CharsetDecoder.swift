import Bytes

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Turns text of any charset into UTF-8. What cannot be read becomes U+FFFD; nothing fails.  RFC 2978 registry names.
///
/// UTF-8, ASCII and Latin-1 are done here; the rest by the C library's iconv. A decoder keeps its conversion open, so
/// one for a whole search is cheap; it belongs to one task.
package struct CharsetDecoder: ~Copyable {
  private let kind: Kind

  private enum Kind {
    case utf8
    /// Windows-1252, which is what mail that says ISO-8859-1 or nothing means.
    case latin1
    case iconv(iconv_t)
  }

  /// Returns nil for a charset that is not known.
  package init?(_ charset: [UInt8]) {
    if charset.isEmpty || charset.equalsIgnoringASCIICase("utf-8") || charset.equalsIgnoringASCIICase("us-ascii")
      || charset.equalsIgnoringASCIICase("utf8") || charset.equalsIgnoringASCIICase("ascii")
    {
      kind = .utf8
    } else if charset.equalsIgnoringASCIICase("iso-8859-1") || charset.equalsIgnoringASCIICase("latin1")
      || charset.equalsIgnoringASCIICase("windows-1252") || charset.equalsIgnoringASCIICase("cp1252")
    {
      kind = .latin1
    } else {
      // A name goes to a function that reads options and paths out of it: only what a charset's name may be.
      guard charset.count <= 40, charset.allSatisfy({ $0.isIn([.alpha, .digit]) || "-_.:+()".utf8.contains($0) }) else {
        return nil
      }
      let handle = iconv_open("UTF-8", String(decoding: charset, as: UTF8.self))
      guard Int(bitPattern: handle) != -1, let handle else { return nil }
      kind = .iconv(handle)
    }
  }

  deinit {
    if case .iconv(let handle) = kind { iconv_close(handle) }
  }

  /// The text as valid UTF-8.
  package func decode(_ bytes: [UInt8]) -> [UInt8] {
    switch kind {
    case .utf8: Self.repaired(bytes)
    case .latin1: Self.fromWindows1252(bytes)
    case .iconv(let handle): Self.convert(bytes, with: handle)
    }
  }

  /// Decodes with the charset called `name`. Text of an unknown charset is taken for UTF-8; `isKnown` says so.
  package static func decode(_ bytes: [UInt8], charset name: [UInt8]) -> (text: [UInt8], isKnown: Bool) {
    if let decoder = CharsetDecoder(name) { (decoder.decode(bytes), true) } else { (repaired(bytes), false) }
  }

  /// True if text in `charset` can be decoded.
  package static func knows(_ charset: [UInt8]) -> Bool { CharsetDecoder(charset) != nil }

  /// Valid UTF-8 stays as it is. Text that is not is most often Windows-1252 without saying so, when it has no valid
  /// multi-byte sequence at all; else only the broken bytes are replaced.
  private static func repaired(_ bytes: [UInt8]) -> [UInt8] {
    let isASCII = bytes.withUnsafeBytes { !$0.hasHighByte }
    if isASCII || String(validating: bytes, as: UTF8.self) != nil { return bytes }
    let text = String(decoding: bytes, as: UTF8.self)
    let hasOther = text.unicodeScalars.contains { !$0.isASCII && $0 != "\u{FFFD}" }
    return hasOther ? Array(text.utf8) : fromWindows1252(bytes)
  }

  private static func fromWindows1252(_ bytes: [UInt8]) -> [UInt8] {
    if bytes.withUnsafeBytes({ !$0.hasHighByte }) { return bytes }
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count + bytes.count / 4)
    for byte in bytes {
      if byte < 0x80 {
        text.append(byte)
      } else {
        let value = byte < 0xA0 ? windows1252[Int(byte - 0x80)] : UInt16(byte)
        if value >= 0x800 {
          text.append(0xE0 | UInt8(value >> 12))
          text.append(0x80 | UInt8(value >> 6 & 0x3F))
        } else {
          text.append(0xC0 | UInt8(value >> 6))
        }
        text.append(0x80 | UInt8(value & 0x3F))
      }
    }
    return text
  }

  private static let windows1252: [UInt16] = [
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0xFFFD,
    0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A,
    0x0153, 0xFFFD, 0x017E, 0x0178,
  ]

  private static func convert(_ bytes: [UInt8], with handle: iconv_t) -> [UInt8] {
    var source = bytes
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    iconv(handle, nil, nil, nil, nil)
    source.withUnsafeMutableBytes { source in
      withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
        var input = source.baseAddress?.assumingMemoryBound(to: CChar.self)
        var inputLeft = source.count
        while true {
          var output = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
          var outputLeft = buffer.count
          // At the end, what the conversion still holds back is asked for: some charsets compose characters.
          let isAtEnd = inputLeft == 0
          let result =
            isAtEnd
            ? iconv(handle, nil, nil, &output, &outputLeft) : iconv(handle, &input, &inputLeft, &output, &outputLeft)
          let failure = errno
          text.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<(buffer.count - outputLeft)]))
          guard result == -1 else {
            if isAtEnd { return }
            continue
          }
          if failure == E2BIG { continue }
          // EILSEQ, or EINVAL for a sequence cut off at the end.
          text += [0xEF, 0xBF, 0xBD]
          guard inputLeft > 0 else { return }
          input = input?.advanced(by: 1)
          inputLeft -= 1
        }
      }
    }
    return text
  }
}

extension UnsafeRawBufferPointer {
  /// True if there is a byte that is not ASCII.
  var hasHighByte: Bool {
    guard let base = baseAddress else { return false }
    var index = 0
    while index &+ 8 <= count {
      if base.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return true }
      index &+= 8
    }
    while index < count {
      if self[index] >= 0x80 { return true }
      index &+= 1
    }
    return false
  }
}
