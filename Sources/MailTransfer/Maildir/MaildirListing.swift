import Bytes
import MailStore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The messages of one Maildir folder: their file names, one behind the other in one run of memory, and where each is.
/// A message costs its name and 16 octets, so a folder of a million fits in 100 MB.
struct MaildirListing {
  struct Entry {
    fileprivate var start: UInt32
    fileprivate var length: UInt16
    fileprivate var base: UInt16
    fileprivate var isNew: Bool
    /// 0: none is known.
    fileprivate(set) var uid: UInt32
  }

  private var names: [UInt8] = []
  /// By UID, those without one last and in the order of their names, which is that of their arrival.
  private(set) var entries: [Entry] = []
  private(set) var header: DovecotUIDList.Header?

  var count: Int { entries.count }

  init(_ folder: Folder) throws(TransferError) {
    for (name, isNew) in [("cur", false), ("new", true)] {
      guard let part = folder.folder(name) else { continue }
      try part.eachName { add($0, isNew: isNew) }
    }
    sort()
    guard let file = folder.fileIfThere("dovecot-uidlist") else { return }
    try readUIDs(file)
    sort()
    if hasDoubles { forgetUIDs() }
    giveUIDs()
  }

  /// By UID, then by name.
  private mutating func sort() {
    let names = names
    entries.sort { left, right in
      if left.uid != right.uid { return right.uid == 0 || left.uid != 0 && left.uid < right.uid }
      return Self.baseOf(left, in: names, precedes: right)
    }
  }

  /// Two files with one UID: the list cannot be trusted.
  private var hasDoubles: Bool {
    zip(entries, entries.dropFirst()).contains { $0.uid != 0 && $0.uid == $1.uid }
  }

  private mutating func forgetUIDs() {
    header = nil
    for index in entries.indices { entries[index].uid = 0 }
    sort()
  }

  /// Messages that Dovecot has not seen yet get the UIDs that it would give them.
  private mutating func giveUIDs() {
    guard let header else { return }
    var next = max(header.uidNext.rawValue, (entries.last { $0.uid != 0 }?.uid ?? 0) &+ 1)
    for index in entries.indices where entries[index].uid == 0 && next > 0 {
      entries[index].uid = next
      next &+= 1
    }
    self.header?.uidNext = UID(rawValue: max(next, header.uidNext.rawValue))
  }

  /// Counts without keeping names.
  static func count(_ folder: Folder) throws(TransferError) -> Int64 {
    var count: Int64 = 0
    for name in ["cur", "new"] {
      try folder.folder(name)?.eachName { if $0.first != 0x2E { count += 1 } }
    }
    return count
  }

  private mutating func add(_ name: UnsafeRawBufferPointer, isNew: Bool) {
    guard name.first != 0x2E, names.count + name.count <= Int(UInt32.max) else { return }
    entries.append(
      Entry(
        start: UInt32(names.count), length: UInt16(clamping: name.count),
        base: UInt16(clamping: MaildirFileName.baseLength(name)), isNew: isNew, uid: 0))
    names.append(contentsOf: name)
  }

  private mutating func readUIDs(_ file: InputFile) throws(TransferError) {
    var header: DovecotUIDList.Header?
    var isFirst = true
    try file.eachLine { (line) throws(TransferError) in
      if isFirst {
        isFirst = false
        header = DovecotUIDList.header(line)
      } else if let header, let (uid, name) = DovecotUIDList.entry(line, version: header.version),
        let index = index(of: name)
      {
        entries[index].uid = uid.rawValue
      }
    }
    self.header = header
  }

  /// By binary search: the entries are in the order of their names.
  private func index(of name: ArraySlice<UInt8>) -> Int? {
    let base = name.prefix { $0 != 0x3A && $0 != 0x2C }
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if self.base(of: entries[middle]).lexicographicallyPrecedes(base) { low = middle + 1 } else { high = middle }
    }
    return low < entries.count && self.base(of: entries[low]).elementsEqual(base) ? low : nil
  }

  // MARK: Names

  func base(of entry: Entry) -> ArraySlice<UInt8> {
    names[Int(entry.start)..<Int(entry.start) + Int(entry.base)]
  }

  func name(of entry: Entry) -> [UInt8] {
    Array(names[Int(entry.start)..<Int(entry.start) + Int(entry.length)])
  }

  func directory(of entry: Entry) -> String { entry.isNew ? "new" : "cur" }

  private static func baseOf(_ left: Entry, in names: [UInt8], precedes right: Entry) -> Bool {
    names.withUnsafeBytes { bytes in
      let order = memcmp(
        bytes.baseAddress! + Int(left.start), bytes.baseAddress! + Int(right.start), Int(min(left.base, right.base)))
      return order == 0 ? left.base < right.base : order < 0
    }
  }
}
