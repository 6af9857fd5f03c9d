import Bytes

/// Encoded words in header fields.  RFC 2047, RFC 2231 §5.
package enum EncodedWords {
  /// The field body as UTF-8: encoded words decoded, white space between two of them dropped, raw 8-bit text repaired.
  /// A word that is broken, or whose charset is not known, stays as it is written.
  package static func decode(_ body: [UInt8]) -> [UInt8] {
    guard body.contains(bytes: Array("=?".utf8)) else { return CharsetDecoder.decode(body, charset: []).text }
    var text: [UInt8] = []
    /// Bytes of neighbouring words in one charset, which may have a character split between them.
    var pending: [UInt8] = []
    var charset: [UInt8] = []
    var hasPending = false
    var plainStart = 0
    var position = 0

    func flush() {
      if hasPending { text += CharsetDecoder.decode(pending, charset: charset).text }
      pending = []
      hasPending = false
    }
    func appendPlain(_ range: Range<Int>) {
      // RFC 2047 §6.2: white space between adjacent encoded words is not shown.
      if hasPending, body[range].allSatisfy({ isSpace($0) }) { return }
      flush()
      text += CharsetDecoder.decode(Array(body[range]), charset: []).text
    }
    while position < body.count {
      guard body[position] == 0x3D, let word = Word(body, at: position) else {
        position += 1
        continue
      }
      appendPlain(plainStart..<position)
      if hasPending, !charset.equalsIgnoringASCIICase(word.charset) { flush() }
      charset = word.charset
      pending += word.content
      hasPending = true
      position = word.end
      plainStart = position
    }
    flush()
    if plainStart < body.count { text += CharsetDecoder.decode(Array(body[plainStart...]), charset: []).text }
    return text
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A }

  /// `=?charset*language?encoding?text?=`
  private struct Word {
    var charset: [UInt8]
    var content: [UInt8]
    var end: Int

    init?(_ body: [UInt8], at start: Int) {
      func token(from start: Int, limit: Int) -> Int? {
        var index = start
        while index < body.count, body[index] != 0x3F {
          guard body[index] > 0x20, index - start < limit else { return nil }
          index += 1
        }
        return index < body.count && index > start ? index : nil
      }
      guard start + 8 < body.count, body[start + 1] == 0x3F, let charsetEnd = token(from: start + 2, limit: 64),
        let encodingEnd = token(from: charsetEnd + 1, limit: 1)
      else { return nil }
      // Longer words than the 75 of RFC 2047 §2 are met, and so are raw spaces in `Q` words.
      var textEnd = encodingEnd + 1
      while textEnd + 1 < body.count, !(body[textEnd] == 0x3F && body[textEnd + 1] == 0x3D) {
        guard body[textEnd] != 0x0A, textEnd - encodingEnd < 8192 else { return nil }
        textEnd += 1
      }
      // `?=` at once after `?Q?` may be the text's own first character: `?Q?=41?=`.
      guard textEnd + 1 < body.count else { return nil }
      let name = body[(start + 2)..<charsetEnd]
      charset = Array(name.prefix { $0 != 0x2A })
      guard CharsetDecoder.knows(charset) else { return nil }
      let text = body[(encodingEnd + 1)..<textEnd]
      switch body[charsetEnd + 1].asciiLowercased {
      case 0x62: content = Array(text).withUnsafeBytes { Base64.decodeLenient($0) }
      case 0x71: content = Self.decodeQ(text)
      default: return nil
      }
      end = textEnd + 2
    }

    /// RFC 2047 §4.2.
    private static func decodeQ(_ text: ArraySlice<UInt8>) -> [UInt8] {
      var bytes: [UInt8] = []
      bytes.reserveCapacity(text.count)
      var index = text.startIndex
      while index < text.endIndex {
        let byte = text[index]
        if byte == 0x3D, index + 2 < text.endIndex, let high = text[index + 1].hexValue,
          let low = text[index + 2].hexValue
        {
          bytes.append(high << 4 | low)
          index += 3
        } else {
          bytes.append(byte == 0x5F ? 0x20 : byte)
          index += 1
        }
      }
      return bytes
    }
  }
}
