import Bytes
import MessageFormat

/// What MAIL may ask of a server beyond taking the message: REQUIRETLS, BY, MT-PRIORITY, HOLDFOR, HOLDUNTIL, SOLICIT.
extension MailParameters {
  /// RFC 3865 §2.3: octets of all keywords together, and what may stand in them.
  private static let longestSolicitation = 1_000

  /// 0001-01-01…9999-12-31 in UTC: of a year at either end another zone may make one that RFC 3339 cannot write.
  private static let writableDates: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

  /// False for the keyword of another parameter.
  mutating func takeRequest(_ keyword: String, _ value: ArraySlice<UInt8>?) throws(SMTPSyntaxError) -> Bool {
    switch keyword {
    case "REQUIRETLS":
      guard value == nil else { throw .invalidParameter(keyword) }
      requiresTLS = true
    case "BY":
      guard let value, let request = DeliverBy(parsing: value) else { throw .invalidParameter(keyword) }
      deliverBy = request
    case "MT-PRIORITY":
      guard let value, value.count <= 2, let number = signed(value), (-9...9).contains(number) else {
        throw .invalidParameter(keyword)
      }
      priority = number
    case "HOLDFOR":
      guard holdUntil == nil, let value, value.count <= 9, let seconds = digits(value), seconds > 0 else {
        throw .invalidParameter(keyword)
      }
      holdFor = seconds
    case "HOLDUNTIL":
      guard holdFor == nil, let value, let date = DateTime(rfc3339: value),
        Self.writableDates.contains(date.timestamp.seconds)
      else { throw .invalidParameter(keyword) }
      holdUntil = date.timestamp
    case "SOLICIT":
      guard let value, let keywords = Self.solicitations(value) else { throw .invalidParameter(keyword) }
      solicitations = keywords
    default: return false
    }
    return true
  }

  /// `org.example:ADV:ADLT,net.example:ADV`.
  package static func solicitations(_ text: some Collection<UInt8>) -> [String]? {
    guard !text.isEmpty, text.count <= longestSolicitation else { return nil }
    var keywords: [String] = []
    for word in text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
      guard let first = word.first, first.isIn(.alpha),
        word.allSatisfy({ $0.isIn([.alpha, .digit]) || $0 == 0x2D || $0 == 0x2E || $0 == 0x3A || $0 == 0x5F })
      else { return nil }
      keywords.append(String(decoding: word, as: UTF8.self))
    }
    return keywords
  }
}

extension MailParameters.DeliverBy {
  /// `by-time ";" by-mode [by-trace]`.  RFC 2852 §4.
  fileprivate init?(parsing value: ArraySlice<UInt8>) {
    let parts = value.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count <= 10, let seconds = signed(parts[0]), abs(seconds) <= 999_999_999 else {
      return nil
    }
    let letters = String(decoding: parts[1].map(\.asciiUppercased), as: UTF8.self)
    guard (1...2).contains(letters.utf8.count), let mode = Mode(rawValue: String(letters.prefix(1))),
      letters.utf8.count == 1 || letters.hasSuffix("T")
    else { return nil }
    // Nothing can be in time that is too late already.
    guard mode == .notify || seconds > 0 else { return nil }
    self.init(seconds: seconds, mode: mode, isTraced: letters.utf8.count == 2)
  }
}

private func digits(_ text: ArraySlice<UInt8>) -> Int? {
  !text.isEmpty && text.allSatisfy { $0 &- 0x30 < 10 } ? decimal(text) : nil
}

private func signed(_ text: ArraySlice<UInt8>) -> Int? {
  switch text.first {
  case UInt8(ascii: "-"): digits(text.dropFirst()).map { -$0 }
  case UInt8(ascii: "+"): digits(text.dropFirst())
  default: digits(text)
  }
}
