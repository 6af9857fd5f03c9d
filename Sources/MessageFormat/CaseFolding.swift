import Bytes

/// Text as SEARCH compares it: without case, composition and width.
///
/// Close to `i;unicode-casemap` (RFC 5051): each character is title-cased and then lower-cased, so that `ß`, `ﬁ` and
/// the two sigmas meet what they are written as, and decomposed canonically. Of the compatibility mappings, which the
/// standard library does not have, there are those that matter in mail: full-width forms and the no-break space.
package enum CaseFolding {
  /// - Parameter text: UTF-8; what is not becomes U+FFFD.
  package static func fold(_ text: [UInt8]) -> [UInt8] {
    if text.withUnsafeBytes({ !$0.hasHighByte }) { return foldASCII(text) }
    var folded: [UInt8] = []
    folded.reserveCapacity(text.count + text.count / 8)
    // A run of ASCII needs no look at Unicode's tables; nor has it anything that composes with what follows a space.
    text.withUnsafeBytes { bytes in
      var position = 0
      while position < bytes.count {
        var end = position
        while end < bytes.count, bytes[end] < 0x80 { end &+= 1 }
        for index in position..<end { folded.append(bytes[index].asciiLowercased) }
        position = end
        while end < bytes.count, bytes[end] >= 0x80 { end &+= 1 }
        if end > position {
          let run = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[position..<end]), as: UTF8.self)
          folded.append(contentsOf: foldRun(run).utf8)
          position = end
        }
      }
    }
    return folded
  }

  private static func foldASCII(_ text: [UInt8]) -> [UInt8] {
    text.withUnsafeBufferPointer { source in
      [UInt8](unsafeUninitializedCapacity: source.count) { buffer, count in
        for index in 0..<source.count { buffer[index] = source[index].asciiLowercased }
        count = source.count
      }
    }
  }

  private static func foldRun(_ run: String) -> String {
    var mapped = ""
    for scalar in run.unicodeScalars {
      switch scalar.value {
      case 0xFF01...0xFF5E:
        mapped.unicodeScalars.append(Unicode.Scalar(UInt8(scalar.value - 0xFEE0).asciiLowercased))
      case 0xA0, 0x3000: mapped.unicodeScalars.append(" ")
      case 0xAD: continue  // a soft hyphen is a hint, not a character
      default:
        for titled in scalar.properties.titlecaseMapping.unicodeScalars {
          mapped += titled.properties.lowercaseMapping
        }
      }
    }
    return mapped.nfd
  }
}
