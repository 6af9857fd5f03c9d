import MailStore
import MessageFormat

/// Some messages of a FETCH with what has been read for them. The next batch is read while this one is written.
struct FetchBatch: Sendable {
  private(set) var entries: [MessageEntry] = []
  /// One for each entry if the items need them, else none.
  private(set) var structures: [EncodedStructure] = []
  /// For each entry, the octets of each content item; nil where they are many, and for the response to read.
  private(set) var contents: [[[UInt8]?]] = []

  /// Messages of a batch whose metadata are all that is asked for.
  private static let metadataCount = 250
  /// Messages of a batch with octets of each.
  private static let contentCount = 100
  /// Octets of one item that are read with its batch: with `contentCount` it bounds what a session holds.
  private static let contentSize = 16_384

  static func count(for items: [FetchItem]) -> Int {
    contentItems(of: items).isEmpty ? metadataCount : contentCount
  }

  /// Begins to read. What fails for one message's octets is left to its response.
  static func read(
    _ uids: [UID], in mailbox: MailboxID, for items: [FetchItem], _ source: FetchSource, from store: MailStore
  ) -> Task<Result<FetchBatch, StoreError>, Never> {
    Task {
      var batch = FetchBatch()
      do throws(StoreError) {
        if source == .structure {
          let described = try await store.describedEntries(in: mailbox, uids: uids)
          batch.entries = described.entries
          batch.structures = described.structures
        } else {
          batch.entries = try await store.entries(in: mailbox, uids: uids)
        }
      } catch {
        return .failure(error)
      }
      await batch.readContents(contentItems(of: items), from: store)
      return .success(batch)
    }
  }

  private static func contentItems(of items: [FetchItem]) -> [ContentItem] {
    items.compactMap { if case .content(let item) = $0 { item } else { nil } }
  }

  private mutating func readContents(_ items: [ContentItem], from store: MailStore) async {
    if items.isEmpty { return }
    var pieces: [(content: ContentReference, range: Range<Int>)] = []
    var isWanted: [Bool] = []
    for (index, entry) in entries.enumerated() {
      for item in items {
        let structure = index < structures.count ? structures[index] : nil
        let range = item.range(in: entry.content, structure) ?? 0..<0
        isWanted.append(!range.isEmpty && range.count <= Self.contentSize)
        if isWanted[isWanted.count - 1] { pieces.append((entry.content, range)) }
      }
    }
    guard !pieces.isEmpty, let read = try? await store.read(pieces) else { return }
    var next = 0
    var place = 0
    for _ in entries {
      var octets: [[UInt8]?] = []
      for _ in items {
        octets.append(isWanted[place] ? read[next] : nil)
        if isWanted[place] { next += 1 }
        place += 1
      }
      contents.append(octets)
    }
  }
}

extension ContentItem {
  /// The octets of a message that are read for it: the whole header where fields are picked from it, else what is sent.
  /// Nil where the message has no such section.
  func range(in content: ContentReference, _ structure: EncodedStructure?) -> Range<Int>? {
    guard let whole = MessageSections.range(of: section, in: structure, content) else { return nil }
    guard let partial, !picksFields else { return whole }
    let piece = partial.range(in: whole.count)
    return whole.lowerBound + piece.lowerBound..<whole.lowerBound + piece.upperBound
  }

  private var picksFields: Bool { if case .headerFields = section { true } else { false } }
}
