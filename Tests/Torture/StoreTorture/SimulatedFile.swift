/// The contents of one file: what is on the platter, and what was written since the last flush.
struct SimulatedFile {
  private enum Change {
    case write(at: Int, [UInt8])
    case truncate(to: Int)
  }

  private var durable: [UInt8] = []
  private var pending: [Change] = []

  /// What the platter writes whole or not at all.
  private static let sector = 512

  init(durable: [UInt8] = []) { self.durable = durable }

  mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    pending.append(.write(at: offset, Array(bytes)))
  }

  mutating func truncate(to size: Int) { pending.append(.truncate(to: size)) }

  mutating func flush() {
    durable = contents { _ in true }
    pending = []
  }

  /// The system lets go of what it could not write: some of it has reached the platter, and a later flush writes no
  /// more.
  mutating func failFlush(_ losses: Losses, _ random: inout SeededGenerator) {
    durable = afterCut(losses, &random)
    pending = []
  }

  /// What is left when the power fails now.
  func afterCut(_ losses: Losses, _ random: inout SeededGenerator) -> [UInt8] {
    contents { losses.keeps($0, &random) }
  }

  /// Each sector of each write survives or not by itself, so that of several versions of a sector any may be left. The
  /// file may have got its new size without the sectors; they are zeros then.
  private func contents(_ keeps: (Losses.Part) -> Bool) -> [UInt8] {
    var bytes = durable
    for change in pending {
      switch change {
      case .truncate(let size):
        guard keeps(.size) else { continue }
        bytes.resize(to: size)
      case .write(let offset, let written):
        if offset + written.count > bytes.count, keeps(.size) { bytes.resize(to: offset + written.count) }
        var start = offset
        let end = offset + written.count
        while start < end {
          let next = min((start / Self.sector + 1) * Self.sector, end)
          if keeps(.sector) {
            if next > bytes.count { bytes.resize(to: next) }
            bytes.replaceSubrange(start..<next, with: written[start - offset..<next - offset])
          }
          start = next
        }
      }
    }
    return bytes
  }
}

/// How much of what was not flushed a power cut takes.
struct Losses {
  enum Part { case sector, size, name }

  /// Of a thousand parts of each kind, how many survive.
  private var sectors = 0
  private var sizes = 0
  private var names = 0

  /// From all to nothing: a cut that takes nothing looks like a kill, and one that takes everything finds most bugs.
  static func random(_ random: inout SeededGenerator) -> Losses {
    func share() -> Int { [0, 0, 100, 500, 900, 1_000].randomElement(using: &random) ?? 0 }
    return Losses(sectors: share(), sizes: share(), names: share())
  }

  func keeps(_ part: Part, _ random: inout SeededGenerator) -> Bool {
    let share =
      switch part {
      case .sector: sectors
      case .size: sizes
      case .name: names
      }
    return Int.random(in: 0..<1_000, using: &random) < share
  }
}

extension [UInt8] {
  fileprivate mutating func resize(to size: Int) {
    if size < count { removeLast(count - size) } else { append(contentsOf: repeatElement(0, count: size - count)) }
  }
}
