import Bytes
package import MessageFormat
import Synchronization

/// A body on its way in: in memory while it is small and the budget lasts, in the spool beyond that.
/// It has one owner; `finish` or `discard` ends it.
package final class BodyStage: Sendable {
  private struct State {
    var size = 0
    /// The whole body; once there is a spool file, what has not been written to it yet.
    var memory: [UInt8] = []
    /// Octets of the budget that are ours.
    var reserved = 0
    var spool: SpoolFile?
    var written = 0
    var isEnded = false
  }

  private let area: StagingArea
  private let state: Mutex<State>

  init(area: StagingArea, expectedSize: Int?) {
    self.area = area
    var state = State()
    if let expectedSize, expectedSize > 0, expectedSize <= area.threshold {
      state.memory.reserveCapacity(expectedSize)
    }
    self.state = Mutex(state)
  }

  deinit { discard() }

  package var size: Int { state.withLock { $0.size } }

  /// Suspends while bodies in flight are over their budget.
  package func append(_ bytes: [UInt8]) async throws(StoreError) {
    let mustSpill = state.withLock { state in
      guard !state.isEnded else { return false }
      state.size += bytes.count
      if state.spool == nil, state.size <= area.threshold, area.reserve(bytes.count) {
        state.reserved += bytes.count
        state.memory.append(contentsOf: bytes)
        return false
      }
      state.memory.append(contentsOf: bytes)
      return state.spool == nil || state.memory.count >= StagingArea.spoolChunk
    }
    if mustSpill { try await spill() }
  }

  /// Ends the body and reads its structure. Nothing is durable yet.
  package func finish() async throws(StoreError) -> StagedBody {
    let (size, isSpooled) = state.withLock { ($0.size, $0.spool != nil) }
    guard !isSpooled else { return try await finishSpooled() }
    let (bytes, reserved) = state.withLock { state in
      defer {
        state.memory = []
        state.reserved = 0
        state.isEnded = true
      }
      return (state.memory, state.reserved)
    }
    let area = area
    if size > StagingArea.parseInPlaceLimit {
      return await area.pool.run { _ in StagedBody(bytes, reserved: reserved, area: area) }
    }
    return StagedBody(bytes, reserved: reserved, area: area)
  }

  package func discard() {
    let reserved = state.withLock { state in
      defer { state = State(isEnded: true) }
      return state.reserved
    }
    area.release(reserved)
  }

  /// Writes what is in memory to the spool, on a thread that may block, and gives its part of the budget back.
  private func spill() async throws(StoreError) {
    let (memory, spool, offset) = state.withLock { state in
      defer { state.memory = [] }
      return (state.memory, state.spool, state.written)
    }
    let area = area
    let result: Result<SpoolFile, StoreError> = await area.pool.run { _ in
      do throws(FileError) {
        let target = if let spool { spool } else { try area.makeSpoolFile() }
        try write(memory, to: target.file, at: offset)
        return .success(target)
      } catch {
        return .failure(error.storeError)
      }
    }
    let reserved = state.withLock { state in
      defer { state.reserved = 0 }
      return state.reserved
    }
    area.release(reserved)
    let file = try result.get()
    state.withLock { state in
      guard !state.isEnded else { return }
      state.spool = file
      state.written += memory.count
    }
  }

  private func finishSpooled() async throws(StoreError) -> StagedBody {
    try await spill()
    let (spool, size) = state.withLock { state in
      defer { state = State(isEnded: true) }
      return (state.spool, state.size)
    }
    guard let spool else { throw .closed }
    let area = area
    let result: Result<StagedBody, StoreError> = await area.pool.run { _ in
      do throws(FileError) {
        return .success(try StagedBody(spool, size: size, area: area))
      } catch {
        return .failure(error.storeError)
      }
    }
    return try result.get()
  }
}

private func write(_ bytes: [UInt8], to file: File, at offset: Int) throws(FileError) {
  var failure: FileError?
  bytes.withUnsafeBytes { bytes in
    do throws(FileError) { try file.write(bytes, at: Int64(offset)) } catch { failure = error }
  }
  if let failure { throw failure }
}

/// A whole body with its structure, ready to be stored. Its memory or spool file is released with the last reference.
package final class StagedBody: Sendable {
  enum Content: Sendable {
    case memory([UInt8])
    case spooled(SpoolFile)
  }

  package let size: Int
  package let structure: MessageStructure
  /// The first bytes, at least the whole header where that is within the limit of `MessageLimits`.
  package let head: [UInt8]

  let content: Content
  let checksum: UInt32
  let encodedStructure: [UInt8]
  let references: ThreadReferences
  private let reserved: Int
  private let area: StagingArea

  init(_ bytes: [UInt8], reserved: Int, area: StagingArea) {
    self.area = area
    self.reserved = reserved
    size = bytes.count
    content = .memory(bytes)
    head = bytes
    (structure, checksum) = bytes.withUnsafeBytes { (MessageStructure(parsing: $0), crc32c($0)) }
    encodedStructure = structure.encoded()
    references = ThreadReferences(structure.envelope, key: area.threadKey)
  }

  /// Blocks.
  init(_ spool: SpoolFile, size: Int, area: StagingArea) throws(FileError) {
    let (structure, checksum, head) = try spool.file.withMapping(size: size) { bytes in
      let structure = MessageStructure(parsing: bytes)
      let end = min(max(structure.root.headerRange.upperBound, 0), bytes.count, StagingArea.headLimit)
      return (structure, crc32c(bytes), Array(bytes[0..<end]))
    }
    self.area = area
    self.reserved = 0
    self.size = size
    content = .spooled(spool)
    self.structure = structure
    self.checksum = checksum
    self.head = head
    encodedStructure = structure.encoded()
    references = ThreadReferences(structure.envelope, key: area.threadKey)
  }

  deinit { area.release(reserved) }

  /// A body that gets a file of its own.
  var isLarge: Bool { size > area.threshold }

  /// Flushes a body that gets a file of its own, so that the thread that commits need not wait for it.
  func flushIfLarge() async throws(StoreError) {
    guard isLarge, case .spooled(let spool) = content else { return }
    let result: Result<Void, StoreError> = await area.pool.run { _ in
      do throws(FileError) {
        try spool.file.flush()
        return .success(())
      } catch {
        return .failure(error.storeError)
      }
    }
    try result.get()
  }
}
