import Bytes

extension POP3Command {
  /// Replies are in English, which is also what `*` and `i-default` ask for.
  static let language = POP3Command(
    "LANG", "RFC 6856 §3",
    .anyState { session, arguments throws(POP3Failure) in
      var arguments = arguments
      guard let tag = arguments.nextWord() else {
        session.reply("language listing follows:")
        session.line("en English")
        session.line("i-default Default language")
        session.endOfLines()
        return
      }
      try arguments.expectEnd()
      let wanted = tag.map(\.asciiLowercased)
      if wanted == [0x2A] || wanted.equalsIgnoringASCIICase("i-default") {
        session.reply("i-default language changed")
      } else if wanted.equalsIgnoringASCIICase("en") || wanted.starts(with: Array("en-".utf8)) {
        session.reply("en language changed")
      } else {
        throw .unknownLanguage
      }
    })
}
