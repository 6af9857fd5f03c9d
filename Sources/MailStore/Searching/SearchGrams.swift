/// What the index knows of a text: the grams of its words.
///
/// A word is a run of letters, digits, `.`, `_`, `-`, `@` and everything beyond ASCII. At each of its characters begins
/// a gram: four characters, or fewer where the word ends. `Hello you.` has `hell ello llo lo o you. ou. u. .`
///
/// So whatever text contains another has its grams too: those of four characters that lie inside it, and where a word
/// ends inside it, the short ones. Four characters tell a word from others much better than three do (a fifteenth of
/// the messages that three would leave are false), and grams that end with the word are fewer than those that run on into
/// the next.
struct SearchGrams {
  private static let length = 4

  /// All grams, each once, with a space behind each.
  private(set) var bytes: [UInt8] = []
  private(set) var count = 0
  private var known = GramSet()

  /// - Parameter text: folded, UTF-8.
  mutating func add(_ text: [UInt8]) {
    text.withUnsafeBufferPointer { text in
      Self.forEachWord(in: text) { word in
        // Where the last three characters began, the nearest one first.
        var (first, second, third) = (-1, -1, -1)
        var index = word.lowerBound
        while index < word.upperBound {
          if third >= 0 {
            // The gram ends behind the character that begins here.
            let next = Self.next(after: index, in: text, word.upperBound)
            insert(text, third..<next)
          }
          (third, second, first) = (second, first, index)
          index = Self.next(after: index, in: text, word.upperBound)
        }
        for start in [third, second, first] where start >= 0 { insert(text, start..<word.upperBound) }
      }
    }
  }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    known.removeAll()
    count = 0
  }

  private mutating func insert(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
    // Four characters of UTF-8 are sixteen bytes at most.
    var key: UInt128 = 0
    for index in range { key = key << 8 | UInt128(text[index]) }
    guard range.count > 16 || known.insert(key) else { return }
    count += 1
    bytes.append(contentsOf: text[range])
    bytes.append(0x20)
  }

  // MARK: Asking

  /// A gram that every text has which contains the one asked for.
  struct Required: Hashable {
    var bytes: [UInt8]
    /// Any gram that begins so will do.
    var isBeginning = false
  }

  /// At most `limit` of them; none where nothing can be told of the text.
  static func required(by text: [UInt8], limit: Int) -> [Required] {
    var found: [Required] = []
    var seen: Set<Required> = []
    func add(_ gram: Required) { if seen.insert(gram).inserted { found.append(gram) } }
    text.withUnsafeBufferPointer { text in
      forEachWord(in: text) { word in
        var starts: [Int] = []
        var index = word.lowerBound
        while index < word.upperBound {
          starts.append(index)
          index = next(after: index, in: text, word.upperBound)
        }
        let ends = starts.dropFirst() + [word.upperBound]
        for first in 0..<max(0, starts.count - length + 1) {
          add(Required(bytes: Array(text[starts[first]..<ends[first + length]])))
        }
        if word.upperBound < text.count {
          // The word ends here: so do its short grams, of which the longest is enough.
          let first = max(starts.count - length + 1, 0)
          add(Required(bytes: Array(text[starts[first]..<word.upperBound])))
        } else if starts.count < length {
          // One letter begins a gram in every message.
          guard starts.count > 1 || text[word.lowerBound] >= 0x80 else { return }
          add(Required(bytes: Array(text[word]), isBeginning: true))
        }
      }
    }
    if found.count <= limit { return found }
    return (0..<limit).map { found[$0 * found.count / limit] }
  }

  // MARK: Words and characters

  private static func forEachWord(in text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
    let isPart = wordBytes
    var index = 0
    while index < text.count {
      while index < text.count, !isPart[Int(text[index])] { index &+= 1 }
      let start = index
      while index < text.count, isPart[Int(text[index])] { index &+= 1 }
      if index > start { body(start..<index) }
    }
  }

  /// Where the next character begins.
  private static func next(after index: Int, in text: UnsafeBufferPointer<UInt8>, _ end: Int) -> Int {
    var next = index &+ 1
    while next < end, text[next] & 0xC0 == 0x80 { next &+= 1 }
    return next
  }

  /// Characters of words that are neither letters nor digits; the index's tokenizer is told of them.
  static let wordPunctuation: StaticString = "._@-"
}

private nonisolated(unsafe) let wordBytes: UnsafePointer<Bool> = {
  let table = UnsafeMutablePointer<Bool>.allocate(capacity: 256)
  for index in 0..<256 {
    let byte = UInt8(index)
    let isLetter = byte & 0xDF &- 0x41 < 26
    let isDigit = byte &- 0x30 < 10
    table[index] = isLetter || isDigit || byte >= 0x80 || SearchGrams.wordPunctuation.contains(byte)
  }
  return UnsafePointer(table)
}()

extension StaticString {
  fileprivate func contains(_ byte: UInt8) -> Bool {
    UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount).contains(byte)
  }
}

/// A set of keys other than zero, kept from message to message. Where a key goes depends on a number that nobody
/// outside knows, so that nobody can send a message whose keys all go to one place.
private struct GramSet {
  private static let smallest = 8_192
  private var slots = [UInt128](repeating: 0, count: smallest)
  private var count = 0
  private let secret = (UInt64.random(in: .min ... .max) | 1, UInt64.random(in: .min ... .max) | 1)

  /// False where it is there already.
  mutating func insert(_ key: UInt128) -> Bool {
    if count &* 2 >= slots.count { grow() }
    let mask = slots.count &- 1
    var place = self.place(of: key) & mask
    while slots[place] != 0 {
      if slots[place] == key { return false }
      place = (place &+ 1) & mask
    }
    slots[place] = key
    count &+= 1
    return true
  }

  mutating func removeAll() {
    count = 0
    if slots.count > Self.smallest {
      slots = [UInt128](repeating: 0, count: Self.smallest)
    } else {
      slots.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
    }
  }

  private func place(of key: UInt128) -> Int {
    let low = UInt64(truncatingIfNeeded: key)
    let high = UInt64(truncatingIfNeeded: key >> 64)
    let mixed = (low ^ secret.1).multipliedFullWidth(by: secret.0)
    let more = (high ^ secret.0).multipliedFullWidth(by: secret.1)
    return Int(truncatingIfNeeded: (mixed.high ^ mixed.low ^ more.high &+ more.low) >> 16)
  }

  private mutating func grow() {
    let old = slots
    slots = [UInt128](repeating: 0, count: old.count * 2)
    count = 0
    for key in old where key != 0 { _ = insert(key) }
  }
}
