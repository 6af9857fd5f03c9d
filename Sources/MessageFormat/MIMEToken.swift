import Bytes

/// The words that nearly all mail is described with. They are shared, so that parsing and decoding allocate nothing for
/// them, and the store's encoding writes one byte for each. The order is part of that encoding: add at the end only.
enum MIMEToken {
  static let words: [[UInt8]] = [
    "text", "plain", "7bit", "html", "multipart", "mixed", "alternative", "8bit", "quoted-printable", "base64",
    "charset", "utf-8", "us-ascii", "iso-8859-1", "boundary", "attachment", "inline", "filename", "name", "format",
    "flowed", "image", "png", "jpeg", "gif", "application", "octet-stream", "pdf", "related", "signed", "report",
    "message", "rfc822", "delivery-status", "digest", "calendar", "binary", "UTF-8", "US-ASCII", "ISO-8859-1",
    "Windows-1252", "windows-1252", "type", "delsp", "yes", "protocol", "micalg", "pgp-signature", "method", "zip",
    "audio", "video", "size", "filename*", "creation-date", "modification-date", "iso-8859-15", "ISO-8859-15",
  ].map { Array($0.utf8) }

  /// The words once more, in memory that stays.
  private nonisolated(unsafe) static let memory: [UnsafeRawBufferPointer] = words.map { word in
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: word.count, alignment: 1)
    copy.copyBytes(from: word)
    return UnsafeRawBufferPointer(copy)
  }

  /// The word at `index`, in memory that stays; nil where there is none.
  static func memory(at index: Int) -> UnsafeRawBufferPointer? { index < memory.count ? memory[index] : nil }

  /// Open addressing over the words, by length, first and last byte; 0 is empty.
  private static let slots: [UInt8] = {
    var slots = [UInt8](repeating: 0, count: 256)
    for (index, word) in words.enumerated() {
      var slot = word.withUnsafeBytes { hash($0) }
      while slots[slot] != 0 { slot = (slot + 1) & 255 }
      slots[slot] = UInt8(index + 1)
    }
    return slots
  }()

  private static func hash(_ text: UnsafeRawBufferPointer) -> Int {
    (text.count &* 37 &+ Int(text[0]) &* 11 &+ Int(text[text.count &- 1]) &* 5) & 255
  }

  /// The index of `text` in `words`.
  static func index(of text: UnsafeRawBufferPointer) -> Int? {
    guard 1...20 ~= text.count else { return nil }
    var slot = hash(text)
    while slots[slot] != 0 {
      let index = Int(slots[slot]) - 1
      if words[index].count == text.count, words[index].withUnsafeBytes({ $0.elementsEqual(text) }) { return index }
      slot = (slot + 1) & 255
    }
    return nil
  }

  /// `text` as an array of its own or a shared one.
  static func exact(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    index(of: text).map { words[$0] } ?? Array(text)
  }

  /// As `exact`, with ASCII letters made lower-case.
  static func lowercased(_ text: UnsafeRawBufferPointer) -> [UInt8] {
    if let index = index(of: text), !words[index].contains(where: { $0 &- 0x41 < 26 }) { return words[index] }
    let lower = text.asciiLowercased
    return lower.withUnsafeBytes { index(of: $0) }.map { words[$0] } ?? lower
  }
}
