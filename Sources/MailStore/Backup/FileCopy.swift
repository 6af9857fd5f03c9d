#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Copying of files, through the one place where files are changed.
extension FileAccess {
  private static let pieceSize = 1 << 20

  /// Copies the octets in `range` of a file to the same place of another, which is made where it is missing and ends
  /// with them. Flushed.
  /// - Parameter copied: told of the octets of each piece.
  func copy(
    _ source: String, to path: String, _ range: Range<Int64>, copied: (Int) throws(StoreError) -> Void
  ) throws(StoreError) {
    do throws(FileError) {
      let from = try File(source, .reading, access: self)
      let to = try File(path, .writing, access: self)
      if to.size > range.lowerBound { try to.truncate(to: range.lowerBound) }
      var piece = [UInt8](repeating: 0, count: Int(min(range.upperBound - range.lowerBound, Int64(Self.pieceSize))))
      var offset = range.lowerBound
      while offset < range.upperBound {
        let wanted = Int(min(Int64(piece.count), range.upperBound - offset))
        var failure: FileError?
        let count = piece.withUnsafeMutableBytes { piece in
          let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<wanted])
          do throws(FileError) {
            let count = try from.read(into: part, at: offset)
            try to.write(UnsafeRawBufferPointer(rebasing: part[..<count]), at: offset)
            return count
          } catch {
            failure = error
            return 0
          }
        }
        if let failure { throw failure }
        guard count == wanted else { throw FileError(code: EIO, path: source) }
        offset += Int64(count)
        do throws(StoreError) { try copied(count) } catch { throw FileError(code: ECANCELED, path: path) }
      }
      try to.flush()
    } catch {
      throw error.code == ECANCELED
        ? .closed : error.isMissing ? .corrupt("\(error.path) is missing") : error.storeError
    }
  }

  /// Nil where there is no such file.
  func size(of path: String) -> Int64? { (try? File(path, .reading, access: self))?.size }

  /// Whether the octets before `end`, and those at the beginning, are the same in both files.
  func ends(of path: String, at end: Int64, equalThoseOf other: String) -> Bool {
    guard let one = try? File(path, .reading, access: self), let two = try? File(other, .reading, access: self),
      one.size >= end, two.size >= end
    else { return false }
    let count = Int(min(end, 4_096))
    return [0, end - Int64(count)].allSatisfy { offset in
      var pieces = [[UInt8]](repeating: [UInt8](repeating: 0, count: count), count: 2)
      for (number, file) in [one, two].enumerated() {
        let isRead = pieces[number].withUnsafeMutableBytes { (try? file.read(into: $0, at: offset)) == count }
        guard isRead else { return false }
      }
      return pieces[0] == pieces[1]
    }
  }

  /// The path without links, as far as it exists; nil where it is not absolute.
  static func canonicalPath(_ path: String) -> String? {
    guard path.hasPrefix("/") else { return nil }
    var rest: [Substring] = []
    var known = path[...]
    while true {
      if let resolved = realpath(known.isEmpty ? "/" : String(known), nil) {
        defer { free(resolved) }
        let base = String(cString: resolved)
        return rest.isEmpty ? base : (base == "/" ? "" : base) + "/" + rest.reversed().joined(separator: "/")
      }
      guard let slash = known.lastIndex(of: "/") else { return nil }
      let name = known[known.index(after: slash)...]
      if name == ".." { return nil }
      if !name.isEmpty, name != "." { rest.append(name) }
      known = known[..<slash]
    }
  }
}
