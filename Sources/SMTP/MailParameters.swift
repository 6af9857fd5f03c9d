import Bytes
package import MessageFormat

/// What the body may hold.  RFC 6152, RFC 3030 §3.
package enum BodyType: String, Hashable, Sendable {
  case sevenBit = "7BIT"
  case eightBit = "8BITMIME"
  /// Anything, line ends as they come; only by BDAT.
  case binary = "BINARYMIME"
}

/// How much of the message a delivery report returns.  RFC 3461 §4.3.
package enum ReturnedContent: String, Hashable, Sendable {
  case full = "FULL"
  case headers = "HDRS"
}

/// The parameters of MAIL.
package struct MailParameters: Hashable, Sendable {
  /// SIZE: octets the client thinks the message has.  RFC 1870 §6.
  package var size: Int?
  package var body: BodyType?
  /// SMTPUTF8: addresses and header may be UTF-8.  RFC 6531 §3.4.
  package var usesUTF8 = false
  /// AUTH: who submitted the message first; `[]` is `<>`.  RFC 4954 §5.
  package var submitter: [UInt8]?
  package var returnedContent: ReturnedContent?
  /// ENVID, decoded.  RFC 3461 §4.4.
  package var envelopeID: [UInt8]?
  /// REQUIRETLS: rather not at all than where somebody could read it.  RFC 8689.
  package var requiresTLS = false
  package var deliverBy: DeliverBy?
  /// MT-PRIORITY, -9…9.  RFC 6710 §3.
  package var priority: Int?
  /// HOLDFOR, seconds, 1…999999999.  RFC 4865 §4.
  package var holdFor: Int?
  /// HOLDUNTIL. Never together with `holdFor`.
  package var holdUntil: Timestamp?
  /// SOLICIT: what kinds of advertising the sender says this is.  RFC 3865 §2.3.
  package var solicitations: [String]?

  /// BY.  RFC 2852 §4.
  package struct DeliverBy: Hashable, Sendable {
    /// From now on; negative where the time is over already.
    package var seconds: Int
    package var mode: Mode
    /// A report of each relaying is wanted.
    package var isTraced: Bool

    package enum Mode: String, Hashable, Sendable {
      /// Too late is a failure.
      case `return` = "R"
      /// Too late is told, and delivery goes on.
      case notify = "N"
    }

    package init(seconds: Int, mode: Mode, isTraced: Bool = false) {
      self.seconds = seconds
      self.mode = mode
      self.isTraced = isTraced
    }
  }

  package init() {}

  /// Reads back what `append(to:)` wrote.
  package init(written text: some Sequence<UInt8>) throws(SMTPSyntaxError) {
    var cursor = ByteCursor(Array(text))
    try self.init(parsing: &cursor)
  }

  init(parsing cursor: inout ByteCursor) throws(SMTPSyntaxError) {
    var seen: Set<String> = []
    while let (keyword, value) = try parameter(&cursor, &seen) {
      if try takeRequest(keyword, value) { continue }
      switch keyword {
      case "SIZE":
        // 20 digits are allowed (RFC 1870 §3): what no integer holds is surely too big.
        guard let value, !value.isEmpty, value.count <= 20, value.allSatisfy({ $0 &- 0x30 < 10 }) else {
          throw .invalidParameter(keyword)
        }
        size = decimal(value) ?? .max
      case "BODY":
        guard let value, let type = BodyType(rawValue: uppercased(value)) else { throw .invalidParameter(keyword) }
        body = type
      case "SMTPUTF8":
        guard value == nil else { throw .invalidParameter(keyword) }
        usesUTF8 = true
      case "AUTH":
        guard let value, let decoded = XText.decode(value), !decoded.isEmpty else { throw .invalidParameter(keyword) }
        submitter = decoded == Array("<>".utf8) ? [] : decoded
      case "RET":
        guard let value, let content = ReturnedContent(rawValue: uppercased(value)) else {
          throw .invalidParameter(keyword)
        }
        returnedContent = content
      case "ENVID":
        guard let value, value.count <= 100, let decoded = XText.decode(value) else { throw .invalidParameter(keyword) }
        envelopeID = decoded
      default: throw .unknownParameter(keyword)
      }
    }
  }
}

/// When a report about a recipient is wanted.  RFC 3461 §4.1.
package struct NotifyConditions: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }
  package static let success = NotifyConditions(rawValue: 1)
  package static let failure = NotifyConditions(rawValue: 2)
  package static let delay = NotifyConditions(rawValue: 4)
  /// NEVER.
  package static let never: NotifyConditions = []
}

/// The parameters of RCPT.
package struct RecipientParameters: Hashable, Sendable {
  /// Nil: the client has not said.
  package var notify: NotifyConditions?
  /// ORCPT: address type and decoded address as the first sender knew them.  RFC 3461 §4.2.
  package var originalRecipient: OriginalRecipient?

  package struct OriginalRecipient: Hashable, Sendable {
    package var type: String
    package var address: [UInt8]
    package init(type: String, address: [UInt8]) {
      self.type = type
      self.address = address
    }
  }

  package init() {}

  /// RFC 3461 §4.2: octets of ORCPT.
  private static let longestOriginalRecipient = 500

  /// Reads back what `append(to:isUTF8:)` wrote: of an address that was short enough, another form may be longer.
  package init(written text: some Sequence<UInt8>) throws(SMTPSyntaxError) {
    var cursor = ByteCursor(Array(text))
    try self.init(parsing: &cursor, longestOriginalRecipient: .max)
  }

  init(
    parsing cursor: inout ByteCursor, longestOriginalRecipient: Int = Self.longestOriginalRecipient
  ) throws(SMTPSyntaxError) {
    var seen: Set<String> = []
    while let (keyword, value) = try parameter(&cursor, &seen) {
      switch keyword {
      case "NOTIFY":
        guard let value, let conditions = Self.conditions(value) else { throw .invalidParameter(keyword) }
        notify = conditions
      case "ORCPT":
        guard let value, value.count <= longestOriginalRecipient,
          let separator = value.firstIndex(of: UInt8(ascii: ";")), separator > value.startIndex,
          value[..<separator].allSatisfy({ $0 < 0x80 && $0.isIn(.atext) })
        else { throw .invalidParameter(keyword) }
        let type = String(decoding: value[..<separator], as: UTF8.self)
        guard let address = Self.originalAddress(value[(separator + 1)...], type: type) else {
          throw .invalidParameter(keyword)
        }
        originalRecipient = OriginalRecipient(type: type, address: address)
      default: throw .unknownParameter(keyword)
      }
    }
  }

  /// xtext; for the type `utf-8` also its own encodings, and raw UTF-8.  RFC 6533 §3.
  private static func originalAddress(_ value: ArraySlice<UInt8>, type: String) -> [UInt8]? {
    guard type.lowercased() == "utf-8" else { return XText.decode(value) }
    return UTF8AddressText.decode(XText.decode(value) ?? Array(value))
  }

  private static func conditions(_ value: ArraySlice<UInt8>) -> NotifyConditions? {
    var conditions: NotifyConditions = []
    let words = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    for word in words {
      switch uppercased(word) {
      case "SUCCESS": conditions.insert(.success)
      case "FAILURE": conditions.insert(.failure)
      case "DELAY": conditions.insert(.delay)
      case "NEVER" where words.count == 1: return .never
      default: return nil
      }
    }
    return conditions.isEmpty ? nil : conditions
  }
}

/// The next ` keyword[=value]`, keyword in upper case; nil at the end.  RFC 5321 §4.1.2 `esmtp-param`.
private func parameter(_ cursor: inout ByteCursor, _ seen: inout Set<String>) throws(SMTPSyntaxError)
  -> (keyword: String, value: ArraySlice<UInt8>?)?
{
  while cursor.skip(0x20) {}
  if cursor.isAtEnd { return nil }
  let name = cursor.take { $0 != UInt8(ascii: "=") && $0 > 0x20 }
  guard !name.isEmpty, name.count <= 64, name.allSatisfy({ $0.isKeywordByte }) else { throw .invalidParameter("") }
  let keyword = uppercased(name)
  guard seen.insert(keyword).inserted else { throw .repeatedParameter(keyword) }
  guard cursor.skip(UInt8(ascii: "=")) else { return (keyword, nil) }
  // RFC 5321 `esmtp-value`, and UTF-8 as RFC 6531 §3.3 extends it.
  return (keyword, cursor.take { $0 > 0x20 && $0 != 0x7F })
}

private func uppercased(_ bytes: ArraySlice<UInt8>) -> String {
  String(decoding: bytes.map(\.asciiUppercased), as: UTF8.self)
}

/// Nil where the number does not fit.
func decimal(_ digits: ArraySlice<UInt8>) -> Int? {
  var value = 0
  for digit in digits {
    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
    let (sum, carry) = product.addingReportingOverflow(Int(digit) - 0x30)
    if overflow || carry { return nil }
    value = sum
  }
  return value
}

extension UInt8 {
  /// RFC 5321 `esmtp-keyword`.
  fileprivate var isKeywordByte: Bool {
    isIn([.alpha, .digit]) || self == UInt8(ascii: "-")
  }
}
