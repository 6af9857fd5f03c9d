import Foundation
import StoreTorture
import Testing

struct PowerTests {
  /// The long run is `Tests/Torture/power`.
  @Test func `what was acknowledged is there after power cuts, what was not is whole or not at all`() async throws {
    let folder = NSTemporaryDirectory() + "martlet-power-\(UUID().uuidString)"
    let report = try await PowerTrial.run(PowerTrial.Plan(seed: 1, cuts: 12), in: folder)
    #expect(report.cuts == 12)
    #expect(report.acknowledged > 20)
    try? FileManager.default.removeItem(atPath: folder)
  }
}
