import Bytes
import MailStore

extension MessageFlags {
  /// Flags with the keywords that IMAP can say, in order and without doubles; others are left out.
  init(_ system: SystemFlags, keywordNames: some Sequence<String>) {
    var keywords: Set<Keyword> = []
    for name in keywordNames where keywords.count < TransferLimits.keywords {
      guard 1...TransferLimits.keyword ~= name.utf8.count, name.utf8.allSatisfy({ $0.isIn(.atomChar) }) else {
        continue
      }
      keywords.insert(Keyword(name))
    }
    self.init(system, keywords: keywords.sorted())
  }

  /// From IMAP's words: system flags with their backslash, keywords without. Flags that are not kept are left out.
  init(imapWords words: some Sequence<String>) {
    var system: SystemFlags = []
    var names: [String] = []
    for word in words {
      switch word.lowercased() {
      case "\\seen": system.insert(.seen)
      case "\\answered": system.insert(.answered)
      case "\\flagged": system.insert(.flagged)
      case "\\deleted": system.insert(.deleted)
      case "\\draft": system.insert(.draft)
      default: if !word.hasPrefix("\\") { names.append(word) }
      }
    }
    self.init(system, keywordNames: names)
  }
}
