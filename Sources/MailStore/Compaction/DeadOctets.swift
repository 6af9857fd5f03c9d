import SQLite

/// How much of a pack are bodies that no message has any more: counted as they go, so that nobody has to look at all
/// bodies to find the packs that are worth compacting.
extension Database {
  func addDeadOctets(_ octets: Int64, of pack: PackNumber) throws(StoreError) {
    try change(
      "INSERT INTO dead_octets VALUES (?, ?) ON CONFLICT (pack) DO UPDATE SET octets = octets + excluded.octets",
      .integer(pack.rawValue), .integer(octets))
  }

  /// Counts anew.
  /// - Parameter bodies: sizes of the bodies that each pack has, whether a message has them or not.
  func setDeadOctets(_ bodies: [PackNumber: Int64]) throws(StoreError) {
    var dead = bodies
    try each("SELECT pack, sum(size) FROM bodies WHERE pack IS NOT NULL GROUP BY pack") { row in
      dead[PackNumber(rawValue: row.integer(0))]? -= row.integer(1)
    }
    try change("DELETE FROM dead_octets")
    for (pack, octets) in dead where octets > 0 { try addDeadOctets(octets, of: pack) }
  }

  /// Sealed packs of which at least this part is dead, those first that give back most.
  func packsToCompact(deadPercent: Int64) throws(StoreError) -> [PackToCompact] {
    var packs: [PackToCompact] = []
    try each(
      """
      SELECT p.id, p.length, d.octets FROM sealed_packs p JOIN dead_octets d ON d.pack = p.id
      WHERE d.octets > 0 AND d.octets * 100 >= p.length * ? ORDER BY d.octets DESC, p.id
      """, .integer(deadPercent)
    ) { row in
      packs.append(
        PackToCompact(
          number: PackNumber(rawValue: row.integer(0)), length: row.integer(1), deadOctets: row.integer(2)))
    }
    return packs
  }
}

/// A sealed pack, and what it may give back.
struct PackToCompact: Hashable, Sendable {
  var number: PackNumber
  /// Where its committed records end.
  var length: Int64
  /// As counted.
  var deadOctets: Int64
}
