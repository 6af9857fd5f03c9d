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

/// What the sessions of all protocols are made from.
struct Sessions: Sendable {
  private let smtp: SMTPServices
  private let imap: IMAPServices
  private let pop3: POP3Services

  init(
    plan: ServerPlan, store: MailStore, authenticator: Authenticator, router: Router, tls: TLSServerContext,
    clock: WallClock, output: LogOutput
  ) {
    var smtpLimits = SMTPLimits()
    smtpLimits.messageSize = plan.configuration.limits.messageSize
    smtpLimits.recipients = plan.configuration.limits.recipients
    smtp = SMTPServices(
      store: store, authenticator: authenticator, router: router, tls: tls, hostname: plan.hostname, clock: clock,
      logger: output.logger("smtp"), limits: smtpLimits,
      allowsPlaintextAuthentication: plan.allowsPlaintextAuthentication, acceptsAnySender: plan.acceptsAnySender)

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
    switch service {
    case .smtp: await runSMTP(.exchange, on: connection)
    case .submission, .submissions: await runSMTP(.submission, on: connection)
    case .lmtp: await runSMTP(.lmtp, on: connection)
    case .imap, .imaps:
      var session = IMAPSession(connection: connection, services: imap)
      await session.run()
    case .pop3, .pop3s:
      var session = POP3Session(connection: connection, services: pop3)
      await session.run()
    }
  }

  private func runSMTP(_ role: SMTPRole, on connection: Connection) async {
    var session = SMTPSession(connection: connection, role: role, services: smtp)
    await session.run()
  }
}

extension ListenerService {
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
