import MailStore
import MessageFormat

// Mail from elsewhere, for tests of imports.

extension ImportOrigin {
  static func test(
    _ mailbox: MailboxName = "Old", identity: String = "test:Old", use: SpecialUse? = nil, validity: UInt32? = nil,
    first: UID = 1
  ) -> ImportOrigin {
    ImportOrigin(
      identity: identity, mailbox: mailbox, specialUse: use, isSubscribed: true,
      uids: validity.map { OriginUIDs(validity: UIDValidity(rawValue: $0), first: first) })
  }
}

extension StoreFixture {
  /// A message whose key and subject are its name.
  func imported(_ name: String, uid: UID? = nil, flags: MessageFlags = MessageFlags()) async throws -> ImportedMessage {
    ImportedMessage(
      key: Array(name.utf8), uid: uid,
      message: NewMessage(body: try await stage(mail(name)), flags: flags, internalDate: Self.date))
  }

  /// Messages that are called `m` and their UID.
  func imported(_ uids: [UID]) async throws -> [ImportedMessage] {
    var result: [ImportedMessage] = []
    for uid in uids { result.append(try await imported("m\(uid.rawValue)", uid: uid)) }
    return result
  }

  func uids(of name: MailboxName, _ account: AccountID) async throws -> [UInt32] {
    guard let mailbox = try await store.mailbox(named: name, of: account) else { return [] }
    return try await store.index(of: mailbox.id).uids.map(\.rawValue)
  }
}
