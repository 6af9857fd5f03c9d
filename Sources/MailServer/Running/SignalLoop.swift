import UnixSignals

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs a server until it is told to stop: SIGTERM and SIGINT stop it, a second one ends it at once, SIGHUP reloads.
package struct SignalLoop: Sendable {
  private let signals: UnixSignalsSequence
  /// A second signal sooner than this is an echo of the first.
  private static let pause = Duration.seconds(1)

  /// From here on signals are kept for `run`, also those that come while the server starts.
  package init() async {
    // A peer that goes away is an error of one write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    signals = await UnixSignalsSequence(trapping: [.sigterm, .sigint, .sighup])
  }

  package func run(_ server: RunningServer, reload: @escaping @Sendable () -> LoadedConfiguration?) async {
    await withTaskGroup(of: Bool.self) { group in
      let (stops, stop) = AsyncStream<Void>.makeStream()
      group.addTask {
        for await _ in stops {
          await server.stop()
          return true
        }
        return false
      }
      group.addTask {
        var began: ContinuousClock.Instant?
        for await signal in signals {
          if signal == .sighup {
            if let loaded = reload() { server.reload(loaded) }
          } else if let began {
            // timeout(1) and some supervisors tell the process and its group: the same request twice.
            if began.duration(to: .now) > Self.pause { _exit(1) }
          } else {
            began = .now
            stop.yield()
          }
        }
        return false
      }
      for await hasStopped in group where hasStopped { group.cancelAll() }
    }
  }
}
