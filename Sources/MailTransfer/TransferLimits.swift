/// Every bound of a transfer.
package enum TransferLimits {
  /// Octets of a message that another server may send; how many are stored is the store's holder's limit.
  static let message = Int(Int32.max)
  /// Messages that are looked at together: offered, then sent.
  static let window = 500
  /// Octets of a message that travel in one piece.
  static let chunk = 65_536
  /// Messages, and octets of those that are not large, in one commit.
  static let batchMessages = 512
  static let batchOctets = 4 << 20
  /// Octets of a name of an origin, and of a key within it.
  static let identity = 4_096
  static let key = 64
  /// Octets of what the command calls a message.
  static let label = 1_024
  /// Keywords of one message, and octets of one keyword: what IMAP sessions take.
  static let keywords = 64
  static let keyword = 100
  /// Mailboxes of one source.
  static let mailboxes = 50_000
  /// Problems that are kept to be listed; more are only counted.
  static let problems = 1_000
  /// Octets of a line in the files that describe a mailbox.
  static let line = 65_536
}
