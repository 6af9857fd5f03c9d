/// Where the packs do not say what happened: records that cannot be read, packs that are missing or cut off.
///
/// A baseline that is complete says all that may have been in the gaps before it.
struct HistoryGaps {
  struct Gap: Hashable {
    var start: PackPosition
    /// How much is lost; nil where nobody knows.
    var octets: Int64?
    /// In words for a person.
    var text: String
  }

  private(set) var gaps: [Gap] = []

  var isEmpty: Bool { gaps.isEmpty }

  mutating func add(_ start: PackPosition, octets: Int64?, _ text: String) {
    gaps.append(Gap(start: start, octets: octets, text: text))
  }

  /// A baseline is complete that began at `start`.
  mutating func heal(from start: PackPosition) {
    guard gaps.allSatisfy({ $0.start < start }) else { return }
    gaps = []
  }
}
