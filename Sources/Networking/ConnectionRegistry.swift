import Synchronization

/// The connections of one listener: how many there are, from where, and when the last one has gone.
final class ConnectionRegistry: Sendable {
  private struct Entry {
    let transport: ChannelTransport
    var connection: Connection?
    /// What the connection is counted under.
    var address: IPAddress?
    var isChannelOpen = true
    var isSessionRunning = false
  }

  private struct State {
    var entries: [UInt64: Entry] = [:]
    var countByAddress: [IPAddress: Int] = [:]
    var nextID: UInt64 = 0
    var isDraining = false
    var drainers: [CheckedContinuation<Void, Never>] = []
  }

  private let maximum: Int
  private let maximumPerAddress: Int
  private let state = Mutex(State())

  init(maximum: Int, maximumPerAddress: Int) {
    self.maximum = maximum
    self.maximumPerAddress = maximumPerAddress
  }

  var count: Int { state.withLock { $0.entries.count } }

  /// Takes note of an accepted channel. `isWelcome` is false if there are too many already.
  func accepted(_ transport: ChannelTransport) -> (id: UInt64, isWelcome: Bool) {
    state.withLock { state in
      state.nextID += 1
      let isWelcome = state.entries.count < maximum && !state.isDraining
      state.entries[state.nextID] = Entry(transport: transport)
      return (state.nextID, isWelcome)
    }
  }

  /// Counts the connection under its client's address, once that is known. False if there are too many from there.
  func claim(_ id: UInt64, for address: IPAddress) -> Bool {
    let key = address.limitKey
    return state.withLock { state in
      guard state.entries[id] != nil, state.countByAddress[key, default: 0] < maximumPerAddress else { return false }
      state.entries[id]?.address = key
      state.countByAddress[key, default: 0] += 1
      return true
    }
  }

  func sessionBegan(_ id: UInt64, _ connection: Connection) {
    let isDraining = state.withLock { state in
      state.entries[id]?.connection = connection
      state.entries[id]?.isSessionRunning = true
      return state.isDraining
    }
    if isDraining { connection.requestStop() }
  }

  func sessionEnded(_ id: UInt64) { change(id) { $0.isSessionRunning = false } }
  func channelClosed(_ id: UInt64) { change(id) { $0.isChannelOpen = false } }

  private func change(_ id: UInt64, _ body: (inout Entry) -> Void) {
    let drainers = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      guard var entry = state.entries[id] else { return [] }
      body(&entry)
      guard !entry.isChannelOpen, !entry.isSessionRunning else {
        state.entries[id] = entry
        return []
      }
      state.entries[id] = nil
      if let address = entry.address, let count = state.countByAddress[address] {
        state.countByAddress[address] = count > 1 ? count - 1 : nil
      }
      guard state.entries.isEmpty else { return [] }
      defer { state.drainers = [] }
      return state.drainers
    }
    for drainer in drainers { drainer.resume() }
  }

  /// Asks all sessions to end; what has no session yet is closed.
  func beginDraining() {
    let entries = state.withLock { state in
      state.isDraining = true
      return Array(state.entries.values)
    }
    for entry in entries {
      if let connection = entry.connection { connection.requestStop() } else { entry.transport.close(.abruptly) }
    }
  }

  /// Returns when no connection is left, or when `giveUp` is called.
  func waitUntilEmpty() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if !state.entries.isEmpty { state.drainers.append(continuation) }
        return state.entries.isEmpty
      }
      if isEmpty { continuation.resume() }
    }
  }

  func closeAll() {
    for entry in state.withLock({ Array($0.entries.values) }) { entry.transport.close(.abruptly) }
  }

  func giveUp() {
    let drainers = state.withLock { state in
      defer { state.drainers = [] }
      return state.drainers
    }
    for drainer in drainers { drainer.resume() }
  }
}
