import SMTP
import SMTPClient

/// Walks over addresses that are known from the start, all with the same settings.
struct KnownHostWalk: HostWalk {
  /// What a refusal of the whole session, before any recipient, means for what waits.
  enum Refusal {
    /// It comes back: the server is the recipient's.
    case isFinal
    /// The operator has named the server, and what is wrong with how we are known to it can be put right.
    case waits
  }

  private let targets: [HostAddress]
  private let settings: ClientSettings
  private let refusal: Refusal
  private(set) var lastFailure: DeliveryNote?
  private var position = 0

  init(_ targets: [HostAddress], _ settings: ClientSettings, whenRefused refusal: Refusal) {
    self.targets = targets
    self.settings = settings
    self.refusal = refusal
  }

  mutating func restart() {
    position = 0
    lastFailure = nil
  }

  mutating func next() async -> OpenSession? {
    while position < targets.count, !Task.isCancelled {
      let target = targets[position]
      position += 1
      do throws(HostFailure) {
        let session = try await ClientSession.connect(to: target, settings: settings)
        return OpenSession(session: session, host: "\(target)")
      } catch {
        var note = DeliveryNote(error, host: "\(target)")
        if refusal == .waits {
          note.action = .delayed
          if note.status.category == 5 { note.status = EnhancedStatus(4, note.status.subject, note.status.detail) }
        }
        lastFailure = note
      }
    }
    return nil
  }
}
