import Authentication
import Bytes
import Cryptography
import MailStore
import MessageFormat
import SMTP

/// What a submission server does to a header: it checks the author, adds what is missing or empty, takes out `Bcc` and
/// what is there twice, and ends the header where it ends for us. RFC 6409 §6 and §8, RFC 5322 §3.6.3.
struct SubmittedHeader {
  let author: AuthenticatedAccount
  let sender: ReversePath
  let services: SMTPServices

  /// - Parameters:
  ///   - message: the message from its first byte, at least as far as its header goes.
  ///   - scan: what is in it.
  /// - Returns: the same bytes with the header put right.
  func complete(_ message: [UInt8], _ scan: HeaderScanner) throws(MessageProblem) -> [UInt8] {
    try checkAuthor(.from, scan.from, of: message)
    try checkAuthor(.sender, scan.sender, of: message)
    try checkReport(message)
    let date = firstWithValue(scan.dates, message)
    let messageID = firstWithValue(scan.messageIDs, message)
    let superfluous = scan.dates.filter { $0 != date } + scan.messageIDs.filter { $0 != messageID }
    let removed = (scan.bcc + superfluous).sorted { $0.lowerBound < $1.lowerBound }
    let isWhole = date != nil && messageID != nil && !scan.from.isEmpty
    // Others may read on where a line is no field, and find an author there that was not checked.
    if removed.isEmpty, isWhole, scan.endsWithEmptyLine { return message }

    var completed: [UInt8] = []
    completed.reserveCapacity(message.count + 256)
    var position = 0
    for field in removed {
      completed += message[position..<field.lowerBound]
      position = field.upperBound
    }
    completed += message[position..<scan.end]
    // The last field of a message that has nothing else may lack its line end.
    if let last = completed.last, last != 0x0A { completed.append(literal: "\r\n") }
    if scan.from.isEmpty { add("From", "<\(fallbackAddress)>", to: &completed) }
    if date == nil {
      add("Date", DateTime(timestamp: services.clock.now(), offsetMinutes: 0).rfc5322, to: &completed)
    }
    if messageID == nil { add("Message-ID", "<\(uniqueName())@\(services.hostname)>", to: &completed) }
    if !scan.endsWithEmptyLine { completed.append(literal: "\r\n") }
    completed += message[scan.end...]
    return completed
  }

  private func firstWithValue(_ fields: [Range<Int>], _ message: [UInt8]) -> Range<Int>? {
    fields.first { !HeaderScanner.value(of: message[$0]).isEmpty }
  }

  /// Every address in From and Sender must be one that the account may send as: what people see of a message is who it
  /// says it is from, and mail programs show Sender beside it.
  private func checkAuthor(
    _ kind: AuthorField, _ fields: [Range<Int>], of message: [UInt8]
  ) throws(MessageProblem) {
    if services.acceptsAnySender { return }
    guard fields.count <= 1 else { throw .several(kind) }
    guard let field = fields.first else { return }
    func notOwned(_ address: EmailAddress?) -> MessageProblem { self.notOwned(address, in: kind) }
    let envelope = message[field].withUnsafeBytes { MessageStructure(parsing: $0) }.envelope
    let authors =
      switch kind {
      case .from: envelope.from
      case .sender: envelope.sender
      }
    guard authors.count <= services.limits.authors else { throw notOwned(nil) }
    let directory = services.store.directory
    var count = 0
    for author in authors {
      // RFC 6854: a group's start and end have no host.
      guard let host = author.host else { continue }
      count += 1
      guard let localPart = author.mailbox.flatMap({ String(validating: $0, as: UTF8.self) }),
        let domain = String(validating: host, as: UTF8.self).flatMap({ Domain($0) })
      else { throw notOwned(nil) }
      let address = EmailAddress(localPart: localPart, domain: domain)
      guard directory.maySend(self.author.id, as: address) else { throw notOwned(address) }
    }
    if count == 0 { throw notOwned(nil) }
  }

  private func notOwned(_ address: EmailAddress?, in field: AuthorField) -> MessageProblem {
    // What can't be said in a reply is not repeated.
    let isPlain = address?.description.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } == true
    return .authorNotOwned(isPlain ? address : nil, in: field, account: author.name)
  }

  /// Nobody is told of what becomes of a message with the null sender, so it is for those of which nobody needs to be:
  /// reports (RFC 3461 §6.1, RFC 8098 §3) and automatic replies (RFC 3834 §3.3). RFC 6409 §6.1 leaves it to us.
  private func checkReport(_ message: [UInt8]) throws(MessageProblem) {
    guard sender.address == nil, !services.acceptsAnySender else { return }
    let type = HeaderFields.first("Content-Type", in: message)?.asciiLowercased ?? []
    if type.starts(with: "multipart/report".utf8) { return }
    let origin = HeaderFields.first("Auto-Submitted", in: message)?.asciiLowercased ?? []
    if origin.starts(with: "auto-".utf8) { return }
    throw .notAReport
  }

  private var fallbackAddress: String {
    sender.address?.description ?? services.store.directory.account(author.id)?.address.description ?? author.name
  }

  private func uniqueName() -> String {
    String(services.clock.now().microseconds, radix: 36) + "." + hexadecimal(randomBytes(10))
  }

  private func add(_ name: StaticString, _ value: String, to header: inout [UInt8]) {
    header.append(literal: name)
    header.append(literal: ": ")
    header.append(text: value)
    header.append(literal: "\r\n")
  }
}
