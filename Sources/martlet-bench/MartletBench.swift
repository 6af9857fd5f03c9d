/// What the store and the sessions can do, measured without a client of another make. `Tests/Benchmarks/run` calls this
/// and prints what it says; rows are `measure | what it is held against | Martlet | ratio`.
///
/// A directory must not exist and must be on the disk in question.
@main
enum MartletBench {
  private static let usage = """
    usage: martlet-bench appends DIRECTORY [SECONDS [SIZE WRITERS]]
                                                           durable appends against the bare disk
           martlet-bench changes DIRECTORY [SECONDS]       changes of flags, expunging, reading
           martlet-bench smtp DIRECTORY store|nothing      an SMTP server, until standard input ends
           martlet-bench repair DIRECTORY [MESSAGES]       verification and repair
           martlet-bench fill DIRECTORY COUNT SIZE         messages for the store that is there
           martlet-bench queue DIRECTORY COUNT DESTINATIONS new|dead
                                                           messages for the queue of the store that is there
    """

  static func main() async throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.count >= 2, let command = arguments.first else { return print(usage) }
    let directory = arguments[arguments.startIndex + 1]
    let rest = Array(arguments.dropFirst(2))
    switch command {
    case "appends":
      let only = rest.count == 3 ? rest.dropFirst().compactMap { Int($0) } : []
      try await AppendBenchmark.run(
        at: directory, seconds: rest.first.flatMap { Double($0) } ?? 2,
        sizes: only.first.map { [$0] } ?? AppendBenchmark.sizes,
        writers: only.last.map { [$0] } ?? AppendBenchmark.writers)
    case "changes":
      try await ChangeBenchmark.run(at: directory, seconds: rest.first.flatMap { Double($0) } ?? 2)
    case "smtp" where rest == ["store"]: try await SMTPCeiling.serve(at: directory, .store)
    case "smtp" where rest == ["nothing"]: try await SMTPCeiling.serve(at: directory, .nothing)
    case "repair":
      try await RepairBenchmark.run(at: directory, messages: rest.first.flatMap { Int($0) } ?? 100_000)
    case "fill" where rest.count == 2:
      guard let count = Int(rest[0]), let size = Int(rest[1]) else { return print(usage) }
      try await StoreFill.run(at: directory, count: count, size: size)
    case "queue" where rest.count == 3:
      guard let count = Int(rest[0]), let destinations = Int(rest[1]), let state = QueueFill.State(rawValue: rest[2])
      else { return print(usage) }
      try await QueueFill.run(at: directory, count: count, destinations: destinations, state)
    default: print(usage)
    }
  }
}
