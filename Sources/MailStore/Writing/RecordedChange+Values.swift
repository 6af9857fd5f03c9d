import MessageFormat

// The values of the domain as change records have them.

extension RecordedAccount {
  /// The last UIDVALIDITY of an account follows from its mailboxes, so only a baseline says it.
  init(_ account: Account, lastUIDValidity: UInt32 = 0) {
    self.init(
      id: account.id.rawValue, localPart: account.address.localPart, domain: account.address.domain.text,
      secrets: StoredSecret.encode(account.secrets), quotaBytes: account.quota.bytes,
      quotaMessages: account.quota.messages, lastUIDValidity: lastUIDValidity)
  }
}

extension RecordedPassword {
  init(_ password: AppPassword) {
    self.init(
      label: password.label, secrets: StoredSecret.encode(password.secrets), created: password.created.microseconds)
  }
}

extension RecordedAlias {
  init(_ alias: Alias) {
    let (domain, localPart) = alias.pattern.parts
    self.init(
      pattern: alias.pattern.key, localPart: localPart, domain: domain.text,
      targets: alias.targets.map(\.description).joined(separator: "\n"), senders: alias.senders.encoded,
      membersMaySend: alias.membersMaySend)
  }
}

extension RecordedMailbox {
  init(_ mailbox: Mailbox) {
    self.init(
      id: mailbox.id.rawValue, account: mailbox.account.rawValue, name: mailbox.name.text,
      specialUse: mailbox.specialUse?.rawValue, isSelectable: mailbox.isSelectable,
      uidValidity: mailbox.uidValidity.rawValue, uidNext: mailbox.uidNext.rawValue,
      modSequence: mailbox.highestModSequence.rawValue)
  }
}

extension RecordedEntry {
  init(_ state: FlagState, email: EmailID, saved: Int64) {
    self.init(
      uid: state.uid.rawValue, message: email.rawValue, flags: state.flags.system.rawValue,
      keywords: Keyword.encode(state.flags.keywords) ?? "", modSequence: state.modSequence.rawValue, saved: saved)
  }
}
