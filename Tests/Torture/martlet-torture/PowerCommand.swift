import Foundation
import StoreTorture

/// Cuts the power of stores for a given time: `martlet-torture SECONDS [SEED]`. The seeds of later stores follow from
/// the first, so one number repeats a run, as far as threads allow.
@main
struct PowerCommand {
  /// Lives of one store before a new one is begun; beginning is when most can go wrong.
  private static let lives = 200

  static func main() async throws {
    let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
    guard let seconds = arguments.first, arguments.count == CommandLine.arguments.count - 1 else {
      print("usage: martlet-torture SECONDS [SEED]")
      exit(64)
    }
    let first = arguments.count > 1 ? arguments[1] : UInt64.random(in: 0..<1_000_000)
    let shared = "/dev/shm"
    let folder = (access(shared, W_OK) == 0 ? shared : NSTemporaryDirectory()) + "/martlet-power-\(getpid())"
    let deadline = ContinuousClock.now + .seconds(seconds)
    var sum = PowerReport()
    var stores: UInt64 = 0
    while ContinuousClock.now < deadline {
      var plan = PowerTrial.Plan(seed: first + stores, cuts: Self.lives, deadline: deadline)
      // From stores that hardly get to do anything to stores whose log is checkpointed while the power fails.
      plan.operations = [300, 1_000, 3_000, 8_000][Int(stores % 4)]
      plan.workers = [4, 16, 1, 24][Int(stores % 4)]
      do {
        sum.add(try await PowerTrial.run(plan, in: "\(folder)/\(stores)"))
      } catch {
        print("FAILED: \(error)\nthe store as it was opened is in \(folder)/\(stores)")
        exit(1)
      }
      stores += 1
      try? FileManager.default.removeItem(atPath: "\(folder)/\(stores - 1)")
      print("\(stores) stores, \(sum)")
    }
    try? FileManager.default.removeItem(atPath: folder)
    print("no acknowledged change was lost: seeds \(first)..<\(first + stores), \(sum)")
  }
}
