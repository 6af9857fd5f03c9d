import MailStore
import MessageFormat

/// Messages whose text follows from their name, so that what comes back can be told from what went in.
enum TortureMessage {
  /// - Parameter name: `worker.number.size`.
  static func text(_ name: String) -> [UInt8] {
    let parts = name.split(separator: ".")
    let size = parts.last.flatMap { Int($0) } ?? 0
    var text = Array("X-Torture: \(name)\r\nMessage-ID: <\(name)@example.test>\r\n".utf8)
    // Some are answers to the one before, so that threads are kept too.
    if parts.count > 1, let number = Int(parts[1]), number % 3 == 0 {
      text += Array("References: <\(parts[0]).\(number - 1).\(size)@example.test>\r\n".utf8)
    }
    text += Array("\r\n".utf8)
    var random = SeededGenerator(seed: UInt64(size) &* 31 &+ UInt64(parts.count > 1 ? Int(parts[1]) ?? 0 : 0))
    while text.count < size {
      var word = random.next()
      for _ in 0..<8 {
        text.append(UInt8(32 + word % 64))
        word >>= 8
      }
    }
    return text
  }

  /// The name in a message as it is kept, or nil where the message is not as it was.
  static func name(of kept: [UInt8], prefix: [UInt8]) -> String? {
    let body = kept.dropFirst(prefix.count)
    let mark = Array("X-Torture: ".utf8)
    guard kept.starts(with: prefix), body.starts(with: mark), let end = body.firstIndex(of: 13) else { return nil }
    let name = String(decoding: body[(body.startIndex + mark.count)..<end], as: UTF8.self)
    return body.elementsEqual(text(name)) ? name : nil
  }

  /// The name in a Message-ID.
  static func name(ofID id: [UInt8]?) -> String? {
    let text = String(decoding: id ?? [], as: UTF8.self)
    guard text.hasPrefix("<"), let end = text.lastIndex(of: "@") else { return nil }
    return String(text[text.index(after: text.startIndex)..<end])
  }

  static let prefix = Array("Return-Path: <>\r\nReceived: from torture\r\n".utf8)
}
