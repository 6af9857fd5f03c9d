/// A bounded dictionary that forgets what was not touched for longest, in two generations: when the young one is
/// full, the old one is dropped and the young one takes its place. Every operation takes constant time, and at least
/// the `capacity / 2` keys touched last are kept.
struct RecentTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private var young: [Key: Value] = [:]
  private var old: [Key: Value] = [:]
  private let generation: Int

  init(capacity: Int) { generation = max(capacity / 2, 1) }

  var count: Int { young.count + old.count }

  subscript(key: Key) -> Value? {
    get { young[key] ?? old[key] }
    set {
      old[key] = nil
      young[key] = newValue
      if young.count >= generation {
        old = young
        young = [:]
      }
    }
  }
}
