/// How long each step may take. A reply has to be whole within its time: that lines trickle in buys a server none.
package struct ClientLimits: Sendable {
  /// Until the connection stands. RFC 5321 leaves it to us.
  package var connect: Duration = .seconds(30)
  /// RFC 5321 §4.5.3.2.1.
  package var greeting: Duration = .seconds(300)
  /// EHLO, HELO, LHLO, STARTTLS, AUTH, RSET: as MAIL, for the RFC names none.
  package var hello: Duration = .seconds(300)
  package var handshake: Duration = .seconds(60)
  /// RFC 5321 §4.5.3.2.2.
  package var mail: Duration = .seconds(300)
  /// RFC 5321 §4.5.3.2.3.
  package var recipient: Duration = .seconds(300)
  /// RFC 5321 §4.5.3.2.4.
  package var dataInitiation: Duration = .seconds(120)
  /// RFC 5321 §4.5.3.2.5: until the server has taken a block of the message.
  package var dataBlock: Duration = .seconds(180)
  /// RFC 5321 §4.5.3.2.6. Less would make doubles: the server may have taken the message and be late to say so.
  package var dataTermination: Duration = .seconds(600)
  /// Nothing hangs on the reply to QUIT.
  package var quit: Duration = .seconds(5)
  /// A message from MAIL to the last reply, so that no sum of the times above holds a place for ever.
  package var message: Duration = .seconds(3_600)
  /// Octets a second that a server has to take at least, on the average of a message, once `rateGrace` is over.
  package var leastRate = 1_024
  package var rateGrace: Duration = .seconds(120)
  /// Recipients in one transaction, where the server does not say less (RFC 9422). RFC 5321 §4.5.3.1.8 promises 100.
  package var recipientsInTransaction = 100

  package init() {}
}
