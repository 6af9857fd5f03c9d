import Bytes
import MailStore
import MessageFormat

enum SearchAnswer: Hashable {
  case yes
  case no
  /// It depends on what has not been read yet.
  case needs(SearchSource)

  init(_ isTrue: Bool) { self = isTrue ? .yes : .no }
}

/// What a search key says of a message as far as that has been read; nothing here waits.
struct SearchFacts {
  private let mailbox: SelectedMailbox
  private let now: Timestamp
  /// The sequence and UID sets of the search, resolved once.
  private var sets: [SearchKey: MessageSet] = [:]
  /// TEXT is among the keys.
  private(set) var hasText = false

  init(_ key: SearchKey, _ mailbox: SelectedMailbox, now: Timestamp) {
    self.mailbox = mailbox
    self.now = now
    prepare(key)
  }

  private mutating func prepare(_ key: SearchKey) {
    switch key {
    case .text: hasText = true
    case .messages(let set): sets[key] = mailbox.present(in: set, by: .sequenceNumbers)
    case .uids(let set): sets[key] = mailbox.present(in: set, by: .uids)
    case .and(let keys): for key in keys { prepare(key) }
    case .or(let first, let second):
      prepare(first)
      prepare(second)
    case .not(let key): prepare(key)
    default: break
    }
  }

  func answer(_ key: SearchKey, _ message: SearchableMessage) -> SearchAnswer {
    let index = message.index
    switch key {
    case .all: return .yes
    case .flags(let flags): return SearchAnswer(mailbox.flags[index].isSuperset(of: flags))
    case .keyword(let keyword): return SearchAnswer(mailbox.keywords[message.uid]?.contains(keyword) == true)
    case .recent: return SearchAnswer(mailbox.isRecent(at: index))
    case .messages, .uids: return SearchAnswer(sets[key]?.contains(index) == true)

    case .received(let relation, let date):
      return withEntry(message) { relation.holds($0.internalDate, date) }
    case .larger(let size): return withEntry(message) { $0.size > size }
    case .smaller(let size): return withEntry(message) { $0.size < size }
    // RFC 5032 §3: both count a message that is exactly as old.
    case .older(let seconds): return withEntry(message) { age(of: $0) >= seconds }
    case .younger(let seconds): return withEntry(message) { age(of: $0) <= seconds }

    case .sent(let relation, let date):
      return withEnvelope(message) { envelope in
        envelope.date.flatMap { DateTime(rfc5322: $0[...]) }.map { relation.holds($0, date) } ?? false
      }
    case .subject(let text): return withEnvelope(message) { contains($0.subject ?? [], text) }
    case .address(let field, let text):
      return withEnvelope(message) { MessageText.folded($0[field]).contains(bytes: text) }
    case .header(let name, let text):
      if SearchKey.envelopeFields.contains(name) { return withEnvelope(message) { contains($0[name], text) } }
      guard let header = message.header else { return .needs(.header) }
      return SearchAnswer(hasField(name, text, in: header))

    case .body(let text):
      guard let body = message.body else { return .needs(.body) }
      return SearchAnswer(text.isEmpty || body.contains { $0.contains(bytes: text) })
    case .text(let text):
      guard let header = message.headerText else { return .needs(.header) }
      if header.contains(bytes: text) { return .yes }
      return answer(.body(text), message)

    case .and(let keys): return all(keys, message)
    case .or(let first, let second):
      let answer = answer(first, message)
      return answer == .yes ? .yes : either(answer, self.answer(second, message))
    case .not(let key):
      switch answer(key, message) {
      case .yes: return .no
      case .no: return .yes
      case .needs(let source): return .needs(source)
      }
    }
  }

  /// One that is false settles it, however much the others need.
  private func all(_ keys: [SearchKey], _ message: SearchableMessage) -> SearchAnswer {
    var needed: SearchSource?
    for key in keys {
      switch answer(key, message) {
      case .no: return .no
      case .yes: break
      case .needs(let source): needed = min(needed ?? source, source)
      }
    }
    return needed.map { .needs($0) } ?? .yes
  }

  private func either(_ first: SearchAnswer, _ second: SearchAnswer) -> SearchAnswer {
    switch (first, second) {
    case (.yes, _), (_, .yes): .yes
    case (.no, let other), (let other, .no): other
    case (.needs(let one), .needs(let other)): .needs(min(one, other))
    }
  }

  private func withEntry(_ message: SearchableMessage, _ test: (MessageEntry) -> Bool) -> SearchAnswer {
    message.entry.map { SearchAnswer(test($0)) } ?? .needs(.entry)
  }

  private func withEnvelope(_ message: SearchableMessage, _ test: (Envelope) -> Bool) -> SearchAnswer {
    message.structure.map { SearchAnswer(test($0.envelope)) } ?? .needs(.structure)
  }

  private func age(of entry: MessageEntry) -> Int64 { now.seconds - entry.internalDate.timestamp.seconds }

  /// An absent field has no text, not even an empty one.
  private func contains(_ field: [UInt8]?, _ text: [UInt8]) -> Bool {
    guard let field else { return false }
    return MessageText.folded(field: field).contains(bytes: text)
  }

  /// RFC 9051 §6.4.4: an empty text finds every message that has the field.
  private func hasField(_ name: [UInt8], _ text: [UInt8], in header: [UInt8]) -> Bool {
    header.withUnsafeBytes { bytes in
      for field in HeaderFields(bytes)
      where field.name.count == name.count
        && UnsafeRawBufferPointer(rebasing: bytes[field.name]).equalsIgnoringASCIICase(name)
      {
        if MessageText.folded(field, of: bytes).contains(bytes: text) { return true }
      }
      return false
    }
  }
}

extension SearchKey.DateRelation {
  /// Compares days without regard to time and zone.
  func holds(_ moment: DateTime, _ date: CalendarDate) -> Bool {
    let day = moment.date.days
    switch self {
    case .before: return day < date.daysSince1970
    case .on: return day == date.daysSince1970
    case .since: return day >= date.daysSince1970
    }
  }
}

extension Envelope {
  fileprivate subscript(_ field: SearchKey.AddressField) -> [EnvelopeAddress] {
    switch field {
    case .from: from
    case .to: to
    case .cc: cc
    case .bcc: bcc
    }
  }

  /// The field as the envelope has it; see `SearchKey.envelopeFields`.
  fileprivate subscript(_ name: [UInt8]) -> [UInt8]? {
    switch name.first {
    case 0x73: subject
    case 0x64: date
    case 0x6D: messageID
    case 0x69: inReplyTo
    case 0x72: references
    default: nil
    }
  }
}

extension SelectedMailbox {
  /// The messages that a set of a search names. Other than in FETCH, a number beyond the last message finds nothing.
  fileprivate func present(in set: SequenceSet, by numbering: MessageNumbering) -> MessageSet {
    if case .ranges(let elements) = set, numbering == .sequenceNumbers {
      let last = UInt32(clamping: count)
      let ranges = elements.map { element in
        let first = element.first.value(last: last)
        let second = element.second.value(last: last)
        let end = Int(min(max(first, second), last))
        // `*` in an empty mailbox is 0.
        return max(0, min(Int(min(first, second)), end + 1) - 1)..<end
      }
      return MessageSet(unordered: ranges)
    }
    return (try? resolve(set, by: numbering)) ?? .none
  }
}
