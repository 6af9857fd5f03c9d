/// `dovecot-keywords`: what the letters `a`…`z` of a folder's file names stand for. A line for each: `0 $Forwarded`.
struct DovecotKeywords: Equatable {
  private var names: [UInt8: String] = [:]
  private var letters: [String: UInt8] = [:]

  init() {}

  mutating func read(line: ArraySlice<UInt8>) {
    let parts = line.split(separator: 0x20, maxSplits: 1)
    guard parts.count == 2, let number = UInt8(String(decoding: parts[0], as: UTF8.self)), number < 26,
      parts[1].count <= TransferLimits.keyword
    else { return }
    set(String(decoding: parts[1], as: UTF8.self), at: number)
  }

  func name(of letter: UInt8) -> String? { names[letter] }

  /// The keyword's letter, a new one where it has none; nil where all 26 are taken.
  mutating func letter(for name: String) -> UInt8? {
    if let known = letters[name.lowercased()] { return known }
    guard names.count < 26 else { return nil }
    set(name, at: UInt8(names.count))
    return letters[name.lowercased()]
  }

  private mutating func set(_ name: String, at number: UInt8) {
    names[0x61 + number] = name
    letters[name.lowercased()] = 0x61 + number
  }

  /// The file's lines.
  var text: String {
    names.sorted { $0.key < $1.key }.map { "\($0.key - 0x61) \($0.value)\n" }.joined()
  }
}
