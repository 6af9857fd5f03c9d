import Foundation
import SQLite
import Testing

@testable import MailStore

/// What must hold in every store that is not open, whatever was done to it: nothing is damaged or contradicts anything,
/// and the packs alone tell all of it.
func checkInvariants(of path: String) async throws {
  guard FileManager.default.fileExists(atPath: path + "/store.db") else { return }
  #expect(try verify(path).findings == [])
  let copy = path + "-rebuilt"
  try? FileManager.default.removeItem(atPath: copy)
  try FileManager.default.copyItem(atPath: path, toPath: copy)
  defer { try? FileManager.default.removeItem(atPath: copy) }
  guard try !FileManager.default.contentsOfDirectory(atPath: copy + "/packs").isEmpty else { return }
  // With store.db there is nothing to do.
  let idle = try await StoreRepair.prepare(at: copy)
  #expect(!idle.plan.isNeeded, "\(idle.plan)")
  await idle.cancel()
  // Without it, everything comes back.
  for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: copy + "/store.db" + suffix) }
  let plan = try await repair(copy)
  #expect(plan.source == .packs && plan.lostCount == 0 && plan.notes == [], "\(plan)")
  let before = try StoreDump(path)
  var after = try StoreDump(copy)
  // The hashes of a body that a compaction has taken away are not found again.
  let packs = try FileManager.default.contentsOfDirectory(atPath: copy + "/packs")
  if packs.contains(where: { PackNumber($0.dropLast(5))?.isCompacted == true }) {
    after.tables["threads"] = before.tables["threads"]
  }
  expectSame(after, before)
  #expect(try verify(copy).findings == [])
}

/// Looks at a store that is not open.
func verify(_ path: String) throws -> VerificationReport {
  var verifier = StoreVerifier(
    database: try Database(path: path + "/store.db", access: .reading), layout: StoreLayout(root: path),
    files: FileAccess(), options: VerificationOptions(isThorough: true))
  return try verifier.run()
}

/// Repairs a store that is not open.
@discardableResult
func repair(_ path: String) async throws -> RepairPlan {
  let repair = try await StoreRepair.prepare(at: path)
  try await repair.perform()
  return repair.plan
}
