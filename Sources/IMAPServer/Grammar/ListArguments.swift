import Bytes

/// What LIST was asked.  RFC 9051 §6.3.9, RFC 5258 §3, RFC 5819, RFC 6154 §2.
struct ListArguments: Sendable {
  // list-select-opts
  var onlySubscribed = false
  var onlySpecialUse = false
  var matchesRecursively = false
  // list-return-opts
  var returnsSubscribed = false
  var returnsStatus: [StatusItem]?

  var reference: String
  var patterns: [String]

  init(parsing cursor: inout ByteCursor, _ names: MailboxNameCoding) throws(IMAPSyntaxError) {
    var onlySubscribed = false
    var onlySpecialUse = false
    var matchesRecursively = false
    try cursor.expectSpace()
    if cursor.peek == 0x28 {
      try cursor.list { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
        switch try cursor.keyword() {
        case "SUBSCRIBED": onlySubscribed = true
        case "SPECIAL-USE": onlySpecialUse = true
        case "RECURSIVEMATCH": matchesRecursively = true
        // RFC 5258 §3.1: there are none.
        case "REMOTE": break
        default: throw cursor.expected("a selection option")
        }
      }
      // RFC 5258 §3.1: it modifies another option.
      if matchesRecursively, !onlySubscribed { throw cursor.expected("SUBSCRIBED with RECURSIVEMATCH") }
      try cursor.expectSpace()
    }
    self.onlySubscribed = onlySubscribed
    self.onlySpecialUse = onlySpecialUse
    self.matchesRecursively = matchesRecursively

    let referenceBytes = try cursor.astring()
    reference = names.decode(referenceBytes) ?? String(decoding: referenceBytes, as: UTF8.self)
    try cursor.expectSpace()
    var patterns: [String] = []
    if cursor.peek == 0x28 {
      try cursor.list(minimum: 1) { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
        patterns.append(try cursor.listMailbox(names))
        guard patterns.count <= 100 else { throw cursor.expected("at most 100 patterns") }
      }
    } else {
      patterns = [try cursor.listMailbox(names)]
    }
    self.patterns = patterns

    if cursor.peek == 0x20, cursor.peek(ahead: 1)?.asciiUppercased == 0x52 {
      try cursor.expectSpace()
      guard cursor.skip(atom: "RETURN") else { throw cursor.expected("RETURN") }
      try cursor.expectSpace()
      var returnsSubscribed = false
      var returnsStatus: [StatusItem]?
      try cursor.list { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
        switch try cursor.keyword() {
        case "SUBSCRIBED": returnsSubscribed = true
        // Always returned.
        case "CHILDREN", "SPECIAL-USE": break
        case "STATUS":
          try cursor.expectSpace()
          returnsStatus = try cursor.statusItems()
        default: throw cursor.expected("a return option")
        }
      }
      self.returnsSubscribed = returnsSubscribed
      self.returnsStatus = returnsStatus
    }
    try cursor.expectEnd()
  }
}
