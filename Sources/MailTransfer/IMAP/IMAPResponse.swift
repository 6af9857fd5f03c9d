import Bytes
import MailStore
import MessageFormat

/// A response of a server, as far as an import wants to know.  RFC 9051 §7, RFC 3501 §7.
enum IMAPResponse {
  enum Outcome: String {
    case ok = "OK"
    case no = "NO"
    case bad = "BAD"
  }

  struct Status {
    /// Without its brackets, `UIDVALIDITY 7`; empty where there is none.
    var code: [IMAPValue]
    var text: String

    /// `[NAME number]`.
    func number(_ name: StaticString) -> UInt32? {
      guard code.count >= 2, code[0].octets?.equalsIgnoringASCIICase(name) == true else { return nil }
      return code[1].number.flatMap { UInt32(exactly: $0) }
    }

    func has(_ name: StaticString) -> Bool { code.first?.octets?.equalsIgnoringASCIICase(name) == true }
  }

  case tagged(String, Outcome, Status)
  case status(Outcome, Status)
  case preauthenticated(Status)
  case goodbye(String)
  case continuation(String)
  case capabilities([String])
  case list(ListedMailbox, isSubscription: Bool)
  case namespaces(IMAPNamespaces)
  case mailboxStatus([IMAPValue])
  case found([UInt32])
  case exists(UInt32)
  case fetched(FetchedMessage)
  /// Whatever else servers say.
  case other

  init(_ bytes: [UInt8]) {
    let space = bytes.firstIndex(of: 0x20) ?? bytes.count
    let first = bytes[..<space]
    let rest = bytes[min(space + 1, bytes.count)...]
    if first.first == 0x2B {
      self = .continuation(String(decoding: rest, as: UTF8.self))
    } else if first.elementsEqual([0x2A]) {
      self = Self.untagged(rest)
    } else if let (outcome, status) = Self.status(rest), let outcome = Outcome(rawValue: outcome) {
      self = .tagged(String(decoding: first, as: UTF8.self), outcome, status)
    } else {
      self = .other
    }
  }

  private static func untagged(_ bytes: ArraySlice<UInt8>) -> IMAPResponse {
    if let (word, status) = status(bytes) {
      if let outcome = Outcome(rawValue: word) { return .status(outcome, status) }
      return word == "BYE" ? .goodbye(status.text) : .preauthenticated(status)
    }
    let name = bytes.prefix { $0 != 0x20 }
    // One number after the other, too many to be made values of.
    if name.equalsIgnoringASCIICase("SEARCH") { return .found(numbers(bytes[name.endIndex...])) }
    guard let values = IMAPValue.values(bytes), let word = values.first?.text?.uppercased() else { return .other }
    switch word {
    case "CAPABILITY": return .capabilities(values.dropFirst().compactMap { $0.text?.uppercased() })
    case "LIST", "LSUB", "XLIST":
      guard let mailbox = ListedMailbox(values.dropFirst()) else { return .other }
      return .list(mailbox, isSubscription: word == "LSUB")
    case "NAMESPACE": return .namespaces(IMAPNamespaces(values.dropFirst()))
    case "STATUS": return .mailboxStatus(Array(values.dropFirst()))
    case "ESEARCH": return .found(extendedResult(values))
    default:
      guard let number = values[0].number.flatMap({ UInt32(exactly: $0) }), values.count >= 2 else { return .other }
      if values[1].octets?.equalsIgnoringASCIICase("EXISTS") == true { return .exists(number) }
      guard values.count >= 3, values[1].octets?.equalsIgnoringASCIICase("FETCH") == true,
        let items = values[2].elements
      else { return .other }
      return .fetched(FetchedMessage(items))
    }
  }

  /// `OK [CODE …] text` and its like; nil for anything else.
  private static func status(_ bytes: ArraySlice<UInt8>) -> (word: String, Status)? {
    let word = String(decoding: bytes.prefix(8).prefix { $0 != 0x20 }, as: UTF8.self).uppercased()
    guard ["OK", "NO", "BAD", "BYE", "PREAUTH"].contains(word) else { return nil }
    var text = bytes.dropFirst(word.utf8.count + 1)
    var code: [IMAPValue] = []
    if text.first == 0x5B, let close = text.firstIndex(of: 0x5D) {
      code = IMAPValue.values(text[(text.startIndex + 1)..<close]) ?? []
      text = text[(close + 1)...].drop { $0 == 0x20 }
    }
    // Servers' words are shown to a person.
    let shown = text.prefix(500).map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }
    return (word, Status(code: code, text: String(decoding: shown, as: UTF8.self)))
  }

  private static func numbers(_ bytes: ArraySlice<UInt8>) -> [UInt32] {
    var numbers: [UInt32] = []
    var value: UInt64 = 0
    var hasDigits = false
    func end() {
      if hasDigits, value > 0, let number = UInt32(exactly: value) { numbers.append(number) }
      value = 0
      hasDigits = false
    }
    for byte in bytes {
      if byte.isIn(.digit) {
        value = min(value * 10 + UInt64(byte - 0x30), 1 << 40)
        hasDigits = true
      } else if byte == 0x28 {
        // `(MODSEQ 7)`
        break
      } else {
        end()
      }
    }
    end()
    return numbers
  }

  /// `(TAG "A1") UID ALL 1:5,7`.
  private static func extendedResult(_ values: [IMAPValue]) -> [UInt32] {
    guard let all = values.firstIndex(where: { $0.octets?.equalsIgnoringASCIICase("ALL") == true }),
      all + 1 < values.count, let text = values[all + 1].text
    else { return [] }
    var numbers: [UInt32] = []
    for part in text.split(separator: ",") {
      let ends = part.split(separator: ":").compactMap { UInt32($0) }
      guard let first = ends.first, let last = ends.last, first > 0 else { continue }
      // No mailbox has more, whatever a server says.
      guard UInt64(max(first, last) - min(first, last)) + UInt64(numbers.count) < 20_000_000 else { break }
      numbers += min(first, last)...max(first, last)
    }
    return numbers
  }
}

/// A line of LIST or LSUB.
struct ListedMailbox: Equatable {
  /// In lower case.
  var attributes: Set<String>
  var separator: UInt8?
  /// As the server writes it.
  var name: [UInt8]

  init?(_ values: ArraySlice<IMAPValue>) {
    guard values.count >= 3, let attributes = values[values.startIndex].elements,
      let name = values[values.startIndex + 2].nameOctets
    else { return nil }
    self.attributes = Set(attributes.compactMap { $0.text?.lowercased() })
    separator = values[values.startIndex + 1].octets?.first
    self.name = Array(name)
  }
}

extension IMAPValue {
  /// A mailbox called `NIL` is a mailbox.
  fileprivate var nameOctets: ArraySlice<UInt8>? {
    switch self {
    case .atom(let text), .string(let text): text
    case .list: nil
    }
  }
}

/// RFC 2342.
struct IMAPNamespaces: Equatable {
  /// What stands before the user's own mailboxes.
  var personal: [UInt8] = []
  /// What mailboxes of others begin with.
  var foreign: [[UInt8]] = []

  init(_ values: ArraySlice<IMAPValue>) {
    for (index, kind) in values.prefix(3).enumerated() {
      for namespace in kind.elements ?? [] {
        guard let prefix = namespace.elements?.first?.octets else { continue }
        if index > 0 {
          if !prefix.isEmpty { foreign.append(Array(prefix)) }
        } else if personal.isEmpty {
          personal = Array(prefix)
        }
      }
    }
  }
}

/// What a FETCH response says of a message.
struct FetchedMessage {
  var uid: UInt32?
  /// Nil where it says nothing of them.
  var flags: [String]?
  var date: DateTime?
  var size: Int64?
  var hasBody = false
  /// A body that did not come as a literal.
  var body: [UInt8] = []
  /// Gmail's names of the other mailboxes it is in.
  var labels: [String] = []

  init(_ items: [IMAPValue]) {
    var index = 0
    while index + 1 < items.count {
      let value = items[index + 1]
      switch items[index].text?.uppercased() {
      case "UID": uid = value.number.flatMap { UInt32(exactly: $0) }
      case "FLAGS": flags = value.elements?.compactMap(\.text) ?? []
      case "INTERNALDATE": date = value.octets.flatMap { DateTime(imap: $0) ?? DateTime(rfc5322: $0) }
      case "RFC822.SIZE": size = value.number.flatMap { Int64(exactly: $0) }
      case "BODY[]", "BINARY[]", "RFC822":
        if let octets = value.octets {
          hasBody = true
          body = Array(octets)
        }
      case "X-GM-LABELS": labels = value.elements?.compactMap(\.text) ?? []
      default: break
      }
      index += 2
    }
  }
}
