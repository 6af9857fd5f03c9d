/// Every bound of a session, with the section or the attack that sets it.
package struct IMAPLimits: Sendable {
  /// Octets of a command line without its literals; Outlook sends UID sets of tens of kilobytes.
  package var line = 65_536
  /// Octets of a whole command with its literals, APPEND's messages aside: searches have long strings, nothing more.
  package var command = 256 << 10
  /// The same before login, where only names and passwords come.
  package var commandBeforeLogin = 16 << 10
  /// APPENDLIMIT.  RFC 7889.
  package var messageSize = 50 << 20
  /// Messages of one MULTIAPPEND.
  package var messagesPerAppend = 1_000
  /// Octets a client may make the server read and throw away behind a refused literal before it is cut off.
  package var skippedLiteral = 256 << 20
  /// Consecutive commands answered with BAD before the session is ended.
  package var badCommands = 20
  /// Failed logins on one connection.
  package var failedLogins = 5
  /// From the greeting to a successful login.
  package var login: Duration = .seconds(120)
  /// RFC 9051 §5.4: at least 30 minutes.
  package var autologout: Duration = .seconds(30 * 60)
  /// Silence in the middle of a message or a handshake.
  package var stall: Duration = .seconds(5 * 60)
  /// Outlook drops an IDLE in which nothing is said.
  package var stillHere: Duration = .seconds(115)
  /// `* OK Still here` in a row before an idling client that says nothing is logged out: about an hour.
  package var stillHereCount = 32
  package init() {}
}
