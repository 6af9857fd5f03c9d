package import DNS
import Networking
import Synchronization

/// DNS as a dictionary. What is not in it does not exist.
package final class FakeResolver: Resolving {
  /// What a name has.
  package enum Record: Sendable {
    case a(String)
    case aaaa(String)
    case mx(UInt16, String)
    case txt(String)
    case cname(String)
    case ptr(String)
    case tlsa(UInt8, UInt8, UInt8, [UInt8])
    case srv(UInt16, UInt16, UInt16, String)
    case caa(String, String)
  }

  private struct Question: Hashable {
    var name: DomainName
    var type: RecordType
  }
  private struct State {
    var records: [DomainName: [Record]] = [:]
    var insecure: Set<DomainName> = []
    var failures: [Question: ResolutionError] = [:]
    var delays: [Question: Duration] = [:]
    var asked: [String] = []
  }

  private let state = Mutex(State())
  private let clock: FakeClock?

  /// - Parameters:
  ///   - zone: records by name. An empty list is a name that exists and has nothing.
  ///   - clock: what delays are measured by.
  package init(_ zone: [String: [Record]] = [:], clock: FakeClock? = nil) {
    self.clock = clock
    for (name, records) in zone { set(name, records) }
  }

  package func set(_ name: String, _ records: [Record]) { state.withLock { $0.records[domainName(name)] = records } }
  package func remove(_ name: String) { state.withLock { $0.records[domainName(name)] = nil } }
  /// All that these names have, also that they do not exist, is from zones without signatures.
  package func setInsecure(_ names: String...) { state.withLock { $0.insecure.formUnion(names.map(domainName)) } }
  /// Nil heals it.
  package func fail(_ name: String, _ type: RecordType, _ error: ResolutionError?) {
    state.withLock { $0.failures[Question(name: domainName(name), type: type)] = error }
  }
  package func delay(_ name: String, _ type: RecordType, by duration: Duration) {
    state.withLock { $0.delays[Question(name: domainName(name), type: type)] = duration }
  }
  /// All questions so far, as `mx example.test`.
  package var asked: [String] { state.withLock { $0.asked } }

  package func lookUp(_ name: DomainName, _ type: RecordType) async throws(ResolutionError) -> RawAnswer {
    let question = Question(name: name, type: type)
    let delay = state.withLock { state in
      state.asked.append("\(type) \(name)")
      return state.delays[question]
    }
    if let delay, let clock {
      await withCheckedContinuation { continuation in _ = clock.schedule(after: delay) { continuation.resume() } }
    }
    return try answer(question)
  }

  private func answer(_ question: Question) throws(ResolutionError) -> RawAnswer {
    let result: Result<RawAnswer, ResolutionError> = state.withLock { state in
      var name = question.name
      var security = Security.secure
      for _ in 0..<10 {
        if let failure = state.failures[Question(name: name, type: question.type)] { return .failure(failure) }
        if state.insecure.contains(name) { security = .insecure }
        let records = state.records[name]
        if question.type != .cname, let target = records?.lazy.compactMap(\.alias).first {
          name = domainName(target)
          continue
        }
        let data = records?.filter { $0.type == question.type }.map(\.rdata)
        let content: RawAnswer.Content = data.map { $0.isEmpty ? .noData : .records($0) } ?? .noSuchName
        return .success(RawAnswer(name: name, content: content, security: security, timeToLive: 300))
      }
      return .failure(.failed("a circle of aliases"))
    }
    return try result.get()
  }
}

/// A name that a test writes must be one.
private func domainName(_ text: String) -> DomainName {
  guard let name = DomainName(text) else { preconditionFailure("\(text) is no name") }
  return name
}

extension FakeResolver.Record {
  fileprivate var alias: String? { if case .cname(let target) = self { target } else { nil } }

  fileprivate var type: RecordType {
    switch self {
    case .a: .a
    case .aaaa: .aaaa
    case .mx: .mx
    case .txt: .txt
    case .cname: .cname
    case .ptr: .ptr
    case .tlsa: .tlsa
    case .srv: .srv
    case .caa: .caa
    }
  }

  fileprivate var rdata: [UInt8] {
    switch self {
    case .a(let text), .aaaa(let text): IPAddress(text)?.bytes ?? []
    case .mx(let preference, let host): octets(preference) + wireForm(host)
    case .txt(let text):
      stride(from: 0, to: max(text.utf8.count, 1), by: 255).flatMap { start in
        let piece = text.utf8.dropFirst(start).prefix(255)
        return [UInt8(piece.count)] + Array(piece)
      }
    case .cname(let name), .ptr(let name): wireForm(name)
    case .tlsa(let usage, let selector, let matching, let data): [usage, selector, matching] + data
    case .srv(let priority, let weight, let port, let target):
      octets(priority) + octets(weight) + octets(port) + wireForm(target)
    case .caa(let tag, let value): [0, UInt8(tag.utf8.count)] + Array(tag.utf8) + Array(value.utf8)
    }
  }
}

private func octets(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xFF)] }

private func wireForm(_ name: String) -> [UInt8] {
  name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
}
