/// Mail from elsewhere.
extension MailStore {
  /// Settles where an origin's messages go, and makes that mailbox, in the first run that names the origin; later runs
  /// are told the same place, whatever it is called by then. UIDs and UIDVALIDITY are taken over by a mailbox that is
  /// new or empty.
  package func openImport(_ origin: ImportOrigin, of account: AccountID) async throws(StoreError) -> ImportTarget {
    try await write { (transaction) throws(StoreError) in try transaction.openImport(origin, of: account) }
  }

  /// Where an earlier run has put the origin's messages; nil where there was none. Changes nothing.
  package func knownImport(_ identity: String, of account: AccountID) async throws(StoreError) -> ImportID? {
    try await read { (snapshot) throws(StoreError) in try snapshot.knownImport(identity, of: account) }
  }

  /// Says for each offer whether it is news. Flags of known messages that have changed in their origin since the last
  /// run are changed here too, unless `onlyAsks`. Offer some hundreds at a time.
  package func areNews(_ offers: [ImportOffer], from id: ImportID, onlyAsks: Bool = false) async throws(StoreError)
    -> [Bool]
  {
    let known = try await read { (snapshot) throws(StoreError) in
      try snapshot.importedFlags(offers.map(\.key), from: id)
    }
    let changed = zip(offers, known).compactMap { offer, flags in
      flags.map { $0 != offer.flags } ?? false ? offer : nil
    }
    if !changed.isEmpty, !onlyAsks {
      try await write { (transaction) throws(StoreError) in try transaction.bringFlags(changed, from: id) }
    }
    return known.map { $0 == nil }
  }

  /// Stores those that are news, in one commit. Quotas are counted and not enforced.
  package func importMessages(_ messages: [ImportedMessage], from id: ImportID) async throws(StoreError)
    -> ImportResult
  {
    var weight = 0
    for message in messages {
      try await message.message.body.flushIfLarge()
      weight += message.message.body.isLarge ? 0 : message.message.body.size
    }
    return try await write(weight: weight) { (transaction) throws(StoreError) in
      try transaction.importMessages(messages, from: id)
    }
  }

  /// All of the origin's messages have come.
  /// - Parameter uidNext: the origin's.
  package func closeImport(_ id: ImportID, uidNext: UID?) async throws(StoreError) -> ImportTarget {
    try await write { (transaction) throws(StoreError) in try transaction.closeImport(id, uidNext: uidNext) }
  }
}
