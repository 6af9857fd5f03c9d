import Bytes
import Logging
import MailStore
import MessageFormat
import Networking

/// One message of a FETCH on its way out: what is known of it, and the items in the order asked.
struct FetchResponse {
  let items: [FetchItem]
  let index: Int
  let uid: UID
  let entry: MessageEntry?
  let structure: EncodedStructure?
  /// Octets of the content items that have been read already, in their order.
  let contents: [[UInt8]?]

  /// Octets of a body that are read and sent at a time.
  private static let piece = 131_072

  /// Writes `* n FETCH (…)` to the session's output, which is sent whenever it is full.
  func write(to session: inout IMAPSession, _ mailbox: SelectedMailbox) async throws(IMAPFailure) {
    let mark = session.output.mark
    session.output.append("* ")
    session.output.append(number: index + 1)
    session.output.append(" FETCH (")
    do throws(IMAPFailure) {
      var contentCount = 0
      for (position, item) in items.enumerated() {
        if position > 0 { session.output.append(0x20) }
        switch item {
        case .content(let content):
          try await write(content, contentCount < contents.count ? contents[contentCount] : nil, to: &session)
          contentCount += 1
        case .binary(let content): try await writeBinary(content, to: &session)
        case .binarySize(let content): try await writeBinarySize(content, to: &session)
        case .uid, .flags, .internalDate, .size, .envelope, .body, .bodyStructure:
          try write(item, to: &session, mailbox)
        }
      }
    } catch {
      // Half a response can be taken back only while none of it has been sent.
      guard session.output.goBack(to: mark) else { throw .connectionLost(.closed) }
      throw error
    }
    session.output.append(")\r\n")
    try await session.flushIfFull()
  }

  /// What is at hand without waiting.
  private func write(_ item: FetchItem, to session: inout IMAPSession, _ mailbox: SelectedMailbox) throws(IMAPFailure) {
    switch item {
    case .uid:
      session.output.append("UID ")
      session.output.append(uid)
    case .flags:
      session.output.append("FLAGS ")
      session.output.append(
        mailbox.messageFlags(at: index), isRecent: !session.speaksRev2 && mailbox.isRecent(at: index))
      mailbox.flagsWereTold(uid)
    case .internalDate:
      guard let entry else { return }
      session.output.append("INTERNALDATE \"")
      session.output.append(text: entry.internalDate.imap)
      session.output.append(0x22)
    case .size:
      guard let entry else { return }
      session.output.append("RFC822.SIZE ")
      session.output.append(number: entry.size)
    case .envelope:
      session.output.append("ENVELOPE ")
      try writeStructure(to: &session) { (output, reader) throws(StructureReader.Damaged) in
        try output.appendEnvelope(&reader)
      }
    case .body, .bodyStructure:
      let isExtended = item == .bodyStructure
      session.output.append(isExtended ? "BODYSTRUCTURE " : "BODY ")
      try writeStructure(to: &session) { (output, reader) throws(StructureReader.Damaged) in
        try reader.skipEnvelope()
        try output.appendBody(&reader, isExtended: isExtended)
      }
    case .content, .binary, .binarySize: break
    }
  }

  private func writeStructure(
    to session: inout IMAPSession,
    _ write: (inout ResponseBuffer, inout StructureReader) throws(StructureReader.Damaged) -> Void
  ) throws(IMAPFailure) {
    guard let structure, let entry else { return }
    let isWhole: Void? = structure.read { (reader) throws(StructureReader.Damaged) in
      try write(&session.output, &reader)
    }
    if isWhole == nil { throw .store(.corrupt("the structure of body \(entry.content.bodyID)")) }
  }

  // MARK: BODY[…]

  private func write(
    _ item: ContentItem, _ known: [UInt8]?, to session: inout IMAPSession
  ) async throws(IMAPFailure) {
    session.output.append(raw: item.label)
    session.output.append(0x20)
    guard let entry, let range = item.range(in: entry.content, structure) else { return session.output.append("NIL") }
    let known = known?.count == range.count ? known : nil
    guard case .headerFields(_, let names, let isInverted) = item.section else {
      if let known { return session.output.append(literalOf: known[...]) }
      return try await stream(range, of: entry.content, to: &session)
    }
    let store = session.services.store
    let header: [UInt8]
    if let known { header = known } else { header = try await fromStore(await store.read(entry.content, range: range)) }
    let fields = ContentItem.Section.select(names, isInverted: isInverted, from: header)
    let piece = item.partial.map { fields[$0.range(in: fields.count)] } ?? fields[...]
    session.output.append(literalOf: piece)
  }

  /// A literal, read and sent piece by piece; the next is read while one is on its way.
  private func stream(
    _ range: Range<Int>, of content: ContentReference, to session: inout IMAPSession
  ) async throws(IMAPFailure) {
    if range.isEmpty { return session.output.append("\"\"") }
    let store = session.services.store
    func read(from position: Int) -> Task<Result<[UInt8], StoreError>, Never>? {
      let piece = position..<min(position + Self.piece, range.upperBound)
      return piece.isEmpty ? nil : Task { await Self.read(piece, of: content, from: store) }
    }
    var position = range.lowerBound
    var reading = read(from: position)
    while let current = reading {
      switch await current.value {
      case .success(let bytes):
        if position == range.lowerBound { session.output.appendLiteralHeader(count: range.count) }
        position += bytes.count
        reading = read(from: position)
        session.output.append(rawLiteral: bytes)
        try await session.flushIfFull()
      case .failure(let error):
        // Before the count has been sent it can be said; after it, the client could only wait for octets for ever.
        if position == range.lowerBound { throw .store(error) }
        session.logger.error("body_unreadable", metadata: ["cause": "\(error)"])
        throw .connectionLost(.closed)
      }
    }
  }

  private static func read(
    _ piece: Range<Int>, of content: ContentReference, from store: MailStore
  ) async -> Result<[UInt8], StoreError> {
    do throws(StoreError) {
      let bytes = try await store.read(content, range: piece)
      guard bytes.count == piece.count else {
        throw .corrupt("body \(content.bodyID) is shorter than it should be")
      }
      return .success(bytes)
    } catch {
      return .failure(error)
    }
  }

  // MARK: BINARY[…]

  private func writeBinary(_ item: ContentItem, to session: inout IMAPSession) async throws(IMAPFailure) {
    let bytes = try await binary(item, session)
    session.output.append(raw: item.label)
    session.output.append(0x20)
    guard let bytes else { return session.output.append("NIL") }
    let piece = item.partial.map { bytes[$0.range(in: bytes.count)] } ?? bytes[...]
    // RFC 3516 §4.3: a literal8 only where there is a NUL to carry.
    if piece.contains(0) { session.output.append(0x7E) }
    session.output.append(literal: piece)
  }

  private func writeBinarySize(_ item: ContentItem, to session: inout IMAPSession) async throws(IMAPFailure) {
    let count = try await binary(item, session)?.count ?? 0
    session.output.append(raw: item.label)
    session.output.append(0x20)
    session.output.append(number: count)
  }

  /// The part without its transfer encoding; nil where the message has no such part.  RFC 3516 §4.2.
  private func binary(_ item: ContentItem, _ session: IMAPSession) async throws(IMAPFailure) -> [UInt8]? {
    guard let entry, let structure = structure.flatMap({ MessageStructure($0) }) else { return nil }
    let sections = MessageSections(structure, entry.content)
    guard let range = sections.range(of: item.section) else { return nil }
    let bytes = try await fromStore(await session.services.store.read(entry.content, range: range))
    guard case .part(let path) = item.section, let part = sections.part(at: path), case .leaf = part.content else {
      return bytes
    }
    guard let decoded = bytes.withUnsafeBytes({ part.decodedContent($0) }) else { throw .unknownTransferEncoding }
    return decoded
  }
}

extension ContentItem.Partial {
  /// What of `count` octets is asked for. An origin beyond the end is an empty string, not an error.
  func range(in total: Int) -> Range<Int> {
    let start = min(origin, total)
    return start..<start + min(count, total - start)
  }
}
