import Bytes

/// A command as its grammar gives it; whether it may be used now is the session's question.
package enum SMTPCommand: Hashable, Sendable {
  case hello(Hello, name: String)
  case startTLS
  /// The initial response is still base64; `=` stands for an empty one.  RFC 4954 §4.
  case authenticate(mechanism: String, initialResponse: [UInt8]?)
  case mail(ReversePath, MailParameters)
  case recipient(ForwardPath, RecipientParameters)
  case data
  /// BDAT.  RFC 3030 §2.
  case chunk(size: Int, isLast: Bool)
  case reset
  case noop
  case verify
  case expand
  case help
  case quit

  package enum Hello: Hashable, Sendable {
    case helo
    case ehlo
    /// RFC 2033 §4.1.
    case lhlo
  }

  /// Parses a command line without its line end.  RFC 5321 §4.1.1.
  package init(parsing line: [UInt8], paths: PathSyntax) throws(SMTPSyntaxError) {
    for byte in line where byte == 0x0D || byte == 0x0A || byte == 0 {
      // RFC 5321 §2.3.8: CR and LF occur only together. Whoever counts lines otherwise sees other commands than we do.
      throw byte == 0 ? .nullOctet : .bareLineEnd
    }
    var cursor = ByteCursor(line)
    let verb = cursor.take { $0 > 0x20 }
    guard let verb = Verb(verb) else { throw Verb.isForeign(line) ? .foreignProtocol : .unknownCommand }
    switch verb {
    case .ehlo: self = .hello(.ehlo, name: try Self.helloName(&cursor))
    case .helo: self = .hello(.helo, name: try Self.helloName(&cursor))
    case .lhlo: self = .hello(.lhlo, name: try Self.helloName(&cursor))
    case .mail:
      while cursor.skip(0x20) {}
      guard cursor.skip(caseInsensitive: "FROM:") else { throw .missingPath(.reverse) }
      let path = try PathParser(syntax: paths).reversePath(&cursor)
      self = .mail(path, try MailParameters(parsing: &cursor))
    case .rcpt:
      while cursor.skip(0x20) {}
      guard cursor.skip(caseInsensitive: "TO:") else { throw .missingPath(.forward) }
      let path = try PathParser(syntax: paths).forwardPath(&cursor)
      self = .recipient(path, try RecipientParameters(parsing: &cursor))
    case .bdat: self = try Self.chunk(&cursor)
    case .auth: self = try Self.authenticate(&cursor)
    case .data: self = try Self.bare(.data, &cursor)
    case .rset: self = try Self.bare(.reset, &cursor)
    case .quit: self = try Self.bare(.quit, &cursor)
    case .startTLS: self = try Self.bare(.startTLS, &cursor)
    // These may have an argument that nobody needs.
    case .noop: self = .noop
    case .help: self = .help
    case .vrfy: self = .verify
    case .expn: self = .expand
    }
  }

  private static func bare(_ command: Self, _ cursor: inout ByteCursor) throws(SMTPSyntaxError) -> Self {
    // Trailing white space is harmless and common.
    _ = cursor.take { $0 == 0x20 || $0 == 0x09 }
    guard cursor.isAtEnd else { throw .unexpectedArgument }
    return command
  }

  /// A domain, an address literal, or whatever a machine thinks its name is; only its bytes are checked.
  private static func helloName(_ cursor: inout ByteCursor) throws(SMTPSyntaxError) -> String {
    while cursor.skip(0x20) {}
    var name = cursor.take { $0 >= 0x20 && $0 != 0x7F }
    while name.last == 0x20 { name.removeLast() }
    guard !name.isEmpty, cursor.isAtEnd, name.count <= 255, !name.contains(0x20),
      let text = String(validating: name, as: UTF8.self)
    else { throw .invalidHelloName }
    return text
  }

  private static func chunk(_ cursor: inout ByteCursor) throws(SMTPSyntaxError) -> Self {
    while cursor.skip(0x20) {}
    let digits = cursor.take { $0 &- 0x30 < 10 }
    guard !digits.isEmpty, digits.count <= 18, let size = decimal(digits) else { throw .invalidChunkSize }
    guard cursor.skip(0x20) else {
      guard cursor.isAtEnd else { throw .invalidChunkSize }
      return .chunk(size: size, isLast: false)
    }
    while cursor.skip(0x20) {}
    let isLast = cursor.skip(caseInsensitive: "LAST")
    while cursor.skip(0x20) {}
    guard cursor.isAtEnd else { throw .invalidChunkSize }
    return .chunk(size: size, isLast: isLast)
  }

  private static func authenticate(_ cursor: inout ByteCursor) throws(SMTPSyntaxError) -> Self {
    while cursor.skip(0x20) {}
    let name = cursor.take { $0 > 0x20 }
    // RFC 4422 §3.1: 1–20 of upper-case letters, digits, hyphen, underscore.
    guard !name.isEmpty, name.count <= 20,
      name.allSatisfy({ $0.asciiUppercased &- 0x41 < 26 || $0 &- 0x30 < 10 || $0 == 0x2D || $0 == 0x5F })
    else { throw .invalidMechanism }
    let mechanism = String(decoding: name.map(\.asciiUppercased), as: UTF8.self)
    while cursor.skip(0x20) {}
    var response = cursor.take { _ in true }
    while response.last == 0x20 { response.removeLast() }
    return .authenticate(mechanism: mechanism, initialResponse: response.isEmpty ? nil : Array(response))
  }
}

/// The first word of a command line.
private enum Verb: CaseIterable {
  case mail, rcpt, data, bdat, rset, ehlo, helo, lhlo, quit, noop, auth, startTLS, vrfy, expn, help

  private var name: StaticString {
    switch self {
    case .mail: "MAIL"
    case .rcpt: "RCPT"
    case .data: "DATA"
    case .bdat: "BDAT"
    case .rset: "RSET"
    case .ehlo: "EHLO"
    case .helo: "HELO"
    case .lhlo: "LHLO"
    case .quit: "QUIT"
    case .noop: "NOOP"
    case .auth: "AUTH"
    case .startTLS: "STARTTLS"
    case .vrfy: "VRFY"
    case .expn: "EXPN"
    case .help: "HELP"
    }
  }

  init?(_ word: ArraySlice<UInt8>) {
    for verb in Self.allCases where verb.name.utf8CodeUnitCount == word.count {
      let name = verb.name.utf8Start
      var index = 0
      while index < word.count, word[word.startIndex + index].asciiUppercased == name[index] { index += 1 }
      if index == word.count {
        self = verb
        return
      }
    }
    return nil
  }

  /// A browser that was tricked into talking to us, or a message that somebody tries to smuggle past another server.
  static func isForeign(_ line: [UInt8]) -> Bool {
    let starts: [StaticString] = ["GET ", "POST ", "PUT ", "HEAD ", "CONNECT ", "OPTIONS ", "PRI * HTTP"]
    for start in starts {
      var cursor = ByteCursor(line)
      if cursor.skip(caseInsensitive: start) { return true }
    }
    return false
  }
}
