import Bytes
import MessageFormat

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A regular file that is read from.
final class InputFile {
  let path: String
  let size: Int64
  let modified: Timestamp
  private let descriptor: Int32

  /// The file that a person named: a link is followed.
  convenience init(_ path: String) throws(TransferError) {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system("read", path) }
    try self.init(descriptor: descriptor, path: path)
  }

  /// Takes over the descriptor.
  init(descriptor: Int32, path: String) throws(TransferError) {
    self.descriptor = descriptor
    self.path = path
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = TransferError.system("read", path)
      close(descriptor)
      throw error
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .source("\(path) is not a file")
    }
    size = Int64(status.st_size)
    #if canImport(Glibc)
      let time = status.st_mtim
    #else
      let time = status.st_mtimespec
    #endif
    modified = Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
  }

  deinit { close(descriptor) }

  /// Up to `count` octets from `offset`; fewer only at the end.
  func read(_ count: Int, at offset: Int64) throws(TransferError) -> [UInt8] {
    var failure: TransferError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = pread(descriptor, buffer.baseAddress! + filled, count - filled, off_t(offset) + off_t(filled))
        if got < 0 {
          if errno == EINTR { continue }
          failure = .system("read", path)
          return
        }
        if got == 0 { return }
        filled += got
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// All of it, where it is no larger than `limit`.
  func contents(limit: Int) throws(TransferError) -> [UInt8] {
    guard size <= limit else { throw .source("\(path) is larger than \(limit) octets") }
    return try read(Int(size), at: 0)
  }

  /// Gives each line without its line end to `body`. A line beyond the limit is left out.
  func eachLine(_ body: (ArraySlice<UInt8>) throws(TransferError) -> Void) throws(TransferError) {
    var rest: [UInt8] = []
    var isSkipping = false
    var offset: Int64 = 0
    while true {
      let chunk = try read(65_536, at: offset)
      offset += Int64(chunk.count)
      var start = 0
      while let end = chunk.withUnsafeBytes({ $0.firstIndex(of: 0x0A, from: start) }) {
        if isSkipping {
          isSkipping = false
        } else if rest.isEmpty {
          try body(chunk[start..<end].withoutCarriageReturn)
        } else {
          rest += chunk[start..<end]
          try body(rest[...].withoutCarriageReturn)
        }
        rest = []
        start = end + 1
      }
      rest += chunk[start...]
      if rest.count > TransferLimits.line {
        isSkipping = true
        rest = []
      }
      if chunk.count < 65_536 { break }
    }
    if !rest.isEmpty, !isSkipping { try body(rest[...].withoutCarriageReturn) }
  }
}

extension ArraySlice<UInt8> {
  fileprivate var withoutCarriageReturn: ArraySlice<UInt8> { last == 0x0D ? dropLast() : self }
}
