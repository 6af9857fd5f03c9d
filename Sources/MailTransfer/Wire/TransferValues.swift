import MailStore
import MessageFormat

/// A value that is a frame's payload.
protocol TransferValue {
  func write(to writer: inout FieldWriter)
  /// Nil for octets that no version writes.
  init?(from reader: inout FieldReader)
}

extension TransferValue {
  var payload: [UInt8] {
    var writer = FieldWriter()
    write(to: &writer)
    return writer.bytes
  }

  init?(payload: [UInt8]) {
    var reader = FieldReader(payload)
    self.init(from: &reader)
    guard reader.isAtEnd else { return nil }
  }
}

extension ImportOrigin: TransferValue {
  func write(to writer: inout FieldWriter) {
    writer.append(identity)
    writer.append(mailbox.text)
    writer.append(specialUse)
    writer.append(isSubscribed)
    writer.append(uids?.validity)
    writer.append(uids?.first)
  }

  init?(from reader: inout FieldReader) {
    guard let identity = reader.text(limit: TransferLimits.identity), !identity.isEmpty,
      let mailbox = reader.mailboxName(), let use = reader.specialUse(), let isSubscribed = reader.flag(),
      let validity = reader.validity(), let first = reader.uid()
    else { return nil }
    var uids: OriginUIDs?
    if let validity, let first { uids = OriginUIDs(validity: validity, first: first) }
    self.init(identity: identity, mailbox: mailbox, specialUse: use, isSubscribed: isSubscribed, uids: uids)
  }
}

/// Where an origin's messages go, or why they cannot.
enum SettledOrigin: TransferValue, Equatable {
  /// Messages of more octets than `messageSize` are refused.
  case target(mailbox: String, keepsUIDs: Bool, messageSize: Int)
  case refused(String)

  func write(to writer: inout FieldWriter) {
    switch self {
    case .target(let mailbox, let keepsUIDs, let messageSize):
      writer.append(true)
      writer.append(mailbox)
      writer.append(keepsUIDs)
      writer.append(messageSize)
    case .refused(let reason):
      writer.append(false)
      writer.append(reason)
    }
  }

  init?(from reader: inout FieldReader) {
    guard let isTarget = reader.flag(), let text = reader.text(limit: 65_536) else { return nil }
    guard isTarget else {
      self = .refused(text)
      return
    }
    guard let keepsUIDs = reader.flag(), let messageSize = reader.count() else { return nil }
    self = .target(mailbox: text, keepsUIDs: keepsUIDs, messageSize: messageSize)
  }
}

struct ImportOffers: TransferValue, Equatable {
  var offers: [ImportOffer]

  init(_ offers: [ImportOffer]) { self.offers = offers }

  func write(to writer: inout FieldWriter) {
    writer.append(offers.count)
    for offer in offers {
      writer.append(offer.key)
      writer.append(offer.flags)
    }
  }

  init?(from reader: inout FieldReader) {
    guard let count = reader.count(), count <= TransferLimits.window else { return nil }
    offers = []
    for _ in 0..<count {
      guard let key = reader.octets(limit: TransferLimits.key), !key.isEmpty, let flags = reader.flags() else {
        return nil
      }
      offers.append(ImportOffer(key: key, flags: flags))
    }
  }
}

/// Which offers are news, in their order.
struct ImportNews: TransferValue, Equatable {
  var isNews: [Bool]

  init(_ isNews: [Bool]) { self.isNews = isNews }

  func write(to writer: inout FieldWriter) { writer.append(isNews.map { $0 ? 1 as UInt8 : 0 }) }

  init?(from reader: inout FieldReader) {
    guard let octets = reader.octets(limit: TransferLimits.window) else { return nil }
    isNews = octets.map { $0 != 0 }
  }
}

/// What is known of a message besides its octets.
struct ImportFacts: TransferValue, Equatable {
  var key: [UInt8]
  /// What a person calls it, such as its path; longer ones are cut.
  var label: String
  var uid: UID?
  var flags: MessageFlags
  var date: DateTime?

  init(key: [UInt8], label: String, uid: UID?, flags: MessageFlags, date: DateTime?) {
    self.key = key
    self.label = label
    self.uid = uid
    self.flags = flags
    self.date = date
  }

  func write(to writer: inout FieldWriter) {
    writer.append(key)
    writer.append(Array(label.utf8.prefix(TransferLimits.label)))
    writer.append(uid)
    writer.append(flags)
    writer.append(date)
  }

  init?(from reader: inout FieldReader) {
    guard let key = reader.octets(limit: TransferLimits.key), !key.isEmpty,
      let label = reader.octets(limit: TransferLimits.label), let uid = reader.uid(), let flags = reader.flags(),
      let date = reader.date()
    else { return nil }
    self.init(key: key, label: String(decoding: label, as: UTF8.self), uid: uid, flags: flags, date: date)
  }
}

/// A commit is done.
struct StoredMessages: TransferValue, Equatable {
  struct Failure: Equatable {
    /// Of the message's facts.
    var label: String
    var reason: String
  }

  /// How many messages the commit was about.
  var count: Int
  /// How many of them are news in the store.
  var stored: Int
  var failures: [Failure]

  init(count: Int, stored: Int, failures: [Failure]) {
    self.count = count
    self.stored = stored
    self.failures = failures
  }

  func write(to writer: inout FieldWriter) {
    writer.append(count)
    writer.append(stored)
    writer.append(failures.count)
    for failure in failures {
      writer.append(failure.label)
      writer.append(failure.reason)
    }
  }

  init?(from reader: inout FieldReader) {
    guard let count = reader.count(), let stored = reader.count(), let failed = reader.count(),
      failed <= TransferLimits.batchMessages
    else { return nil }
    self.init(count: count, stored: stored, failures: [])
    for _ in 0..<failed {
      guard let label = reader.text(limit: 4 * TransferLimits.label), let reason = reader.text(limit: 4_096) else {
        return nil
      }
      failures.append(Failure(label: label, reason: reason))
    }
  }
}

/// A mailbox whose messages follow.
struct ExportedMailbox: TransferValue, Equatable {
  var name: MailboxName
  var specialUse: SpecialUse?
  var isSubscribed: Bool
  var uidValidity: UIDValidity
  var uidNext: UID
  var messages: Int

  init(_ mailbox: Mailbox, messages: Int) {
    name = mailbox.name
    specialUse = mailbox.specialUse
    isSubscribed = mailbox.isSubscribed
    uidValidity = mailbox.uidValidity
    uidNext = mailbox.uidNext
    self.messages = messages
  }

  func write(to writer: inout FieldWriter) {
    writer.append(name.text)
    writer.append(specialUse)
    writer.append(isSubscribed)
    writer.append(uidValidity)
    writer.append(uidNext)
    writer.append(messages)
  }

  init?(from reader: inout FieldReader) {
    guard let name = reader.mailboxName(), let use = reader.specialUse(), let isSubscribed = reader.flag(),
      let validity = reader.validity() ?? nil, let next = reader.uid() ?? nil,
      let messages = reader.count()
    else { return nil }
    self.name = name
    specialUse = use
    self.isSubscribed = isSubscribed
    uidValidity = validity
    uidNext = next
    self.messages = messages
  }
}

/// A message whose octets follow.
struct ExportedMessage: TransferValue, Equatable {
  var uid: UID
  var flags: MessageFlags
  var date: DateTime
  var size: Int

  init(uid: UID, flags: MessageFlags, date: DateTime, size: Int) {
    self.uid = uid
    self.flags = flags
    self.date = date
    self.size = size
  }

  func write(to writer: inout FieldWriter) {
    writer.append(uid)
    writer.append(flags)
    writer.append(date)
    writer.append(size)
  }

  init?(from reader: inout FieldReader) {
    guard let uid = reader.uid() ?? nil, let flags = reader.flags(), let date = reader.date() ?? nil,
      let size = reader.count()
    else { return nil }
    self.init(uid: uid, flags: flags, date: date, size: size)
  }
}

/// An origin has no more messages.
struct Departure: TransferValue, Equatable {
  /// The origin's, where it has one.
  var uidNext: UID?

  init(uidNext: UID?) { self.uidNext = uidNext }

  func write(to writer: inout FieldWriter) { writer.append(uidNext) }

  init?(from reader: inout FieldReader) {
    guard let uidNext = reader.uid() else { return nil }
    self.uidNext = uidNext
  }
}

/// How an origin ended.
struct Leave: TransferValue, Equatable {
  var keepsUIDs: Bool

  init(keepsUIDs: Bool) { self.keepsUIDs = keepsUIDs }

  func write(to writer: inout FieldWriter) { writer.append(keepsUIDs) }

  init?(from reader: inout FieldReader) {
    guard let keepsUIDs = reader.flag() else { return nil }
    self.keepsUIDs = keepsUIDs
  }
}
