import Authentication
import Bytes
import Cryptography
import Delivery
import IMAPServer
import Logging
import MailStore
import MessageFormat
import Networking
import POP3Server
import SMTPServer
import Synchronization

/// What the sessions of all protocols are made from.
struct Sessions: Sendable {
  private let smtp: SMTPServices
  private let imap: IMAPServices
  private let pop3: POP3Services
  private let output: LogOutput

  init(
    plan: ServerPlan, store: MailStore, authenticator: Authenticator, router: Router,
    outgoing: OutgoingMail?, tls: TLSServerContext, clock: WallClock, output: LogOutput, metrics: MetricsRegistry
  ) {
    self.output = output
    var smtpLimits = SMTPLimits()
    smtpLimits.messageSize = plan.configuration.limits.messageSize
    smtpLimits.recipients = plan.configuration.limits.recipients
    smtpLimits.longestHold = plan.configuration.outbound.longestHold
    var smtp = SMTPServices(
      store: store, authenticator: authenticator, router: router, tls: tls, hostname: plan.hostname, clock: clock,
      logger: output.logger("smtp"), outgoing: outgoing, limits: smtpLimits,
      allowsPlaintextAuthentication: plan.allowsPlaintextAuthentication, acceptsAnySender: plan.acceptsAnySender,
      limitNotices: LimitNotices(metrics: metrics))
    smtp.sendingLimits = plan.configuration.sendingLimits
    smtp.refusedSolicitations = Set(plan.configuration.refusedSolicitations)
    self.smtp = smtp

    var imapLimits = IMAPLimits()
    imapLimits.messageSize = plan.configuration.limits.messageSize
    imap = IMAPServices(
      store: store, authenticator: authenticator, tls: tls, hostname: plan.hostname, clock: clock,
      logger: output.logger("imap"), limits: imapLimits,
      allowsPlaintextAuthentication: plan.allowsPlaintextAuthentication)

    pop3 = POP3Services(
      store: store, authenticator: authenticator, maildrops: MaildropLocks(), tls: tls, hostname: plan.hostname,
      clock: clock, logger: output.logger("pop3"),
      allowsPlaintextAuthentication: plan.allowsPlaintextAuthentication)
  }

  /// Runs a whole dialogue on `connection`.
  func run(_ service: ListenerService, on connection: Connection) async {
    if output.level == .trace { connection.trace = protocolTrace(of: service, connection) }
    switch service {
    case .smtp: await runSMTP(.exchange, on: connection)
    case .submission, .submissions: await runSMTP(.submission, on: connection)
    case .lmtp: await runSMTP(.lmtp, on: connection)
    case .imap, .imaps: await runIMAP(on: connection)
    case .pop3, .pop3s: await runPOP3(on: connection)
    }
  }

  /// Writes the dialogue into the log, a line each.
  private func protocolTrace(of service: ListenerService, _ connection: Connection)
    -> @Sendable (TraceDirection, [UInt8]) -> Void
  {
    var logger = output.logger("trace")
    logger[metadataKey: "conn"] = "\(connection.id)"
    logger[metadataKey: "protocol"] = "\(service.rawValue)"
    let trace = Mutex(ProtocolTrace(service.dialogue))
    return { [logger] direction, bytes in
      for line in trace.withLock({ $0.lines(direction, bytes) }) {
        logger.trace("trace", metadata: ["from": direction == .received ? "client" : "server", "line": "\(line)"])
      }
    }
  }

  // Each in a function of its own: a task keeps the frames of what it awaits, and one frame with room for the sessions of
  // all three protocols would cost every idle connection several kilobytes.

  @inline(never)
  private func runIMAP(on connection: Connection) async {
    var session = IMAPSession(connection: connection, services: imap)
    await session.run()
  }

  @inline(never)
  private func runPOP3(on connection: Connection) async {
    var session = POP3Session(connection: connection, services: pop3)
    await session.run()
  }

  @inline(never)
  private func runSMTP(_ role: SMTPRole, on connection: Connection) async {
    var session = SMTPSession(connection: connection, role: role, services: smtp)
    await session.run()
  }
}

extension ListenerService {
  fileprivate var dialogue: ProtocolTrace.Dialogue {
    switch self {
    case .smtp, .submission, .submissions, .lmtp: .smtp
    case .imap, .imaps: .imap
    case .pop3, .pop3s: .pop3
    }
  }

  /// What a client may ask for by ALPN (RFC 7301); mail submission has no registered name.
  var applicationProtocols: [String] {
    switch self {
    case .imaps: ["imap"]
    case .pop3s: ["pop3"]
    default: []
    }
  }

  /// What a connection over the limits is told before it is closed.
  func refusal(hostname: String) -> [UInt8] {
    switch self {
    case .smtp, .submission, .submissions, .lmtp:
      Array("421 4.3.2 \(hostname) too many connections, try again later\r\n".utf8)
    case .imap, .imaps: Array("* BYE [UNAVAILABLE] too many connections, try again later\r\n".utf8)
    case .pop3, .pop3s: Array("-ERR [SYS/TEMP] too many connections, try again later\r\n".utf8)
    }
  }
}
