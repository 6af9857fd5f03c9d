import Bytes

/// What a server says it can do.  RFC 5321 §4.1.1.1, `ehlo-ok-rsp`.
package struct EHLOResponse: Hashable, Sendable {
  /// The name that the server gives itself.
  package let domain: String
  /// Those that are known here, each keyword once.
  package let extensions: [SMTPExtension]

  /// Lines looked at; nobody has that many extensions.
  static let mostExtensions = 100

  /// - Parameter reply: the 250 after EHLO or LHLO; after HELO it has one line, and so no extension.
  package init(_ reply: SMTPReply) {
    domain = reply.lines.first.flatMap { $0.split(separator: " ").first.map(String.init) } ?? ""
    var seen: Set<String> = []
    var extensions: [SMTPExtension] = []
    for line in reply.lines.dropFirst().prefix(Self.mostExtensions) {
      guard let (keyword, parameters) = Self.keyword(of: line) else { continue }
      // `AUTH=LOGIN` is how servers announced it before RFC 2554 was one; they say `AUTH LOGIN` too, or mean it.
      guard let known = SMTPExtension(keyword: keyword, parameters: parameters), seen.insert(keyword).inserted else {
        continue
      }
      extensions.append(known)
    }
    self.extensions = extensions
  }

  /// Of a server that has not been asked, and of one that knows only HELO.
  package static let none = EHLOResponse(SMTPReply(250, nil, []))

  package func contains(_ extension: SMTPExtension) -> Bool { extensions.contains(`extension`) }

  /// The greatest message in octets, where the server says one.
  package var sizeLimit: Int? {
    for case .size(let octets) in extensions where octets > 0 { return octets }
    return nil
  }

  package var offersSize: Bool {
    for case .size in extensions { return true }
    return false
  }

  /// Names of SASL mechanisms, in upper case.
  package var mechanisms: [String] {
    for case .auth(let names) in extensions { return names }
    return []
  }

  /// Recipients in one transaction; at least 1.
  package var recipientLimit: Int? {
    for case .limits(let recipients, _) in extensions { return recipients.map { max(1, $0) } }
    return nil
  }

  /// Transactions in one session; at least 1.
  package var transactionLimit: Int? {
    for case .limits(_, let transactions) in extensions { return transactions.map { max(1, $0) } }
    return nil
  }

  /// The least time in seconds that the server promises to deliver in; nil where it does not offer DELIVERBY.
  package var shortestDeliverBy: Int? {
    for case .deliverBy(let minimum) in extensions { return minimum ?? 0 }
    return nil
  }

  package var offersPriority: Bool {
    for case .priority in extensions { return true }
    return false
  }

  package var offersFutureRelease: Bool {
    for case .futureRelease in extensions { return true }
    return false
  }

  private static func keyword(of line: String) -> (String, [Substring])? {
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
    guard let first = words.first else { return nil }
    let keyword = first.uppercased()
    if keyword.hasPrefix("AUTH=") {
      return ("AUTH", [first.dropFirst(5)] + words.dropFirst())
    }
    return (keyword, Array(words.dropFirst()))
  }
}

extension SMTPExtension {
  /// Nil for what is not known here.
  init?(keyword: String, parameters: [Substring]) {
    func number(_ text: Substring?) -> Int? {
      guard let text, (1...18).contains(text.utf8.count) else { return nil }
      return decimalNumber(text)
    }
    switch keyword {
    case "PIPELINING": self = .pipelining
    case "SIZE": self = .size(number(parameters.first) ?? 0)
    case "8BITMIME": self = .eightBitMIME
    case "SMTPUTF8": self = .smtpUTF8
    case "ENHANCEDSTATUSCODES": self = .enhancedStatusCodes
    case "CHUNKING": self = .chunking
    case "BINARYMIME": self = .binaryMIME
    case "STARTTLS": self = .startTLS
    case "AUTH": self = .auth(parameters.prefix(50).map { $0.uppercased() })
    case "LIMITS":
      var recipients: Int?
      var transactions: Int?
      for parameter in parameters {
        let parts = parameter.split(separator: "=", maxSplits: 1)
        switch parts.first?.uppercased() {
        case "RCPTMAX": recipients = number(parts.dropFirst().first)
        case "MAILMAX": transactions = number(parts.dropFirst().first)
        default: continue
        }
      }
      self = .limits(recipients: recipients, transactions: transactions)
    case "DSN": self = .dsn
    case "REQUIRETLS": self = .requireTLS
    case "DELIVERBY": self = .deliverBy(minimum: number(parameters.first))
    case "MT-PRIORITY": self = .priority(policy: parameters.first.map { $0.uppercased() })
    case "FUTURERELEASE":
      self = .futureRelease(longest: number(parameters.first), latest: parameters.dropFirst().first.map(String.init))
    case "NO-SOLICITING": self = .noSoliciting
    default: return nil
    }
  }
}

private func decimalNumber(_ text: Substring) -> Int? {
  text.utf8.allSatisfy { $0 &- 0x30 < 10 } ? Int(text) : nil
}
