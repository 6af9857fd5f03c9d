import Bytes
import MessageFormat
import SQLite

/// What is the matter with a body, in words.
struct BodyProblem: Error {
  let text: String
}

/// A body as a row of `bodies` names it, for those who want to know whether it is there. Blocks.
struct StoredBody: Hashable {
  var id: Int64
  /// Nil for a file of its own.
  var pack: PackNumber?
  var position: Int64
  var size: Int64
  var checksum: UInt32

  private static let pieceSize = 1 << 20

  /// - Parameter read: told of the octets of each piece that was read.
  func check(_ layout: StoreLayout, _ files: FileAccess, read: (Int) -> Void) throws(BodyProblem) {
    let file = try open(layout, files)
    var sum: UInt32 = 0
    var offset: Int64 = 0
    var piece = [UInt8](repeating: 0, count: Int(min(size, Int64(Self.pieceSize))))
    while offset < size {
      let count = try fill(&piece, min(Int64(piece.count), size - offset), from: file, at: position + offset)
      sum = piece.withUnsafeBytes { crc32c(UnsafeRawBufferPointer(rebasing: $0[..<count]), seed: sum) }
      offset += Int64(count)
      read(count)
    }
    guard sum == checksum else { throw BodyProblem(text: "\(place) is damaged") }
  }

  /// All of it.
  func bytes(_ layout: StoreLayout, _ files: FileAccess) throws(BodyProblem) -> [UInt8] {
    let file = try open(layout, files)
    var bytes = [UInt8](repeating: 0, count: Int(size))
    _ = try fill(&bytes, size, from: file, at: position)
    return bytes
  }

  private func fill(
    _ buffer: inout [UInt8], _ count: Int64, from file: File, at offset: Int64
  ) throws(BodyProblem) -> Int {
    var failure: FileError?
    let filled = buffer.withUnsafeMutableBytes { buffer in
      do throws(FileError) {
        return try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)]), at: offset)
      } catch {
        failure = error
        return 0
      }
    }
    if let failure { throw BodyProblem(text: "\(place) cannot be read (\(failure.inWords))") }
    guard filled == Int(count) else { throw BodyProblem(text: "\(place) is cut off") }
    return filled
  }

  private func open(_ layout: StoreLayout, _ files: FileAccess) throws(BodyProblem) -> File {
    let path = pack.map(layout.pack) ?? layout.large(id)
    let file: File
    do throws(FileError) {
      file = try File(path, .reading, access: files)
    } catch {
      throw BodyProblem(text: error.isMissing ? "\(path) is missing" : "\(place) cannot be read (\(error.inWords))")
    }
    guard file.size >= position + size else { throw BodyProblem(text: "\(place) is cut off") }
    if pack == nil, file.size > size {
      throw BodyProblem(text: "\(place) has \(file.size) octets and should have \(size)")
    }
    return file
  }

  private var place: String {
    pack.map { "its body in pack \($0) at \(position)" } ?? "its body in large/\(id)"
  }
}

extension StoredBody {
  /// Columns: id, pack, position, size, checksum.
  init(_ row: Row) {
    self.init(
      id: row.integer(0), pack: row.optionalInteger(1).map(PackNumber.init(rawValue:)), position: row.integer(2),
      size: row.integer(3), checksum: UInt32(truncatingIfNeeded: row.integer(4)))
  }
}
