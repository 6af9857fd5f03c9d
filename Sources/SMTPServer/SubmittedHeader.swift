import Authentication
import Bytes
import Cryptography
import MailStore
import MessageFormat
import SMTP

/// What a submission server does to a header: it checks the author, adds what is missing and takes out `Bcc`.
/// RFC 6409 §6 and §8, RFC 5322 §3.6.3.
struct SubmittedHeader {
  let author: AuthenticatedAccount
  let sender: ReversePath
  let services: SMTPServices

  /// - Parameters:
  ///   - message: the message from its first byte, at least as far as its header goes.
  ///   - scan: what is in it.
  /// - Returns: the same bytes with the header put right.
  func complete(_ message: [UInt8], _ scan: HeaderScanner) throws(MessageProblem) -> [UInt8] {
    try checkAuthor(message, scan)
    if scan.bcc.isEmpty, scan.hasDate, scan.hasMessageID, !scan.from.isEmpty { return message }

    var completed: [UInt8] = []
    completed.reserveCapacity(message.count + 256)
    var position = 0
    for hidden in scan.bcc {
      completed += message[position..<hidden.lowerBound]
      position = hidden.upperBound
    }
    completed += message[position..<scan.end]
    // The last field of a message that has nothing else may lack its line end.
    if let last = completed.last, last != 0x0A { completed.append(literal: "\r\n") }
    if scan.from.isEmpty { add("From", "<\(fallbackAddress)>", to: &completed) }
    if !scan.hasDate {
      add("Date", DateTime(timestamp: services.clock.now(), offsetMinutes: 0).rfc5322, to: &completed)
    }
    if !scan.hasMessageID { add("Message-ID", "<\(uniqueName())@\(services.hostname)>", to: &completed) }
    if !scan.endsWithEmptyLine { completed.append(literal: "\r\n") }
    completed += message[scan.end...]
    return completed
  }

  /// Every address in From must be the account's own: what people see of a message is who it says it is from.
  private func checkAuthor(_ message: [UInt8], _ scan: HeaderScanner) throws(MessageProblem) {
    if services.acceptsAnySender { return }
    guard scan.from.count <= 1 else { throw .severalFromFields }
    guard let field = scan.from.first else { return }
    let authors = message[field].withUnsafeBytes { MessageStructure(parsing: $0) }.envelope.from
    let directory = services.store.directory
    var count = 0
    for author in authors {
      // RFC 6854: a group's start and end have no host.
      guard let host = author.host else { continue }
      count += 1
      guard let localPart = author.mailbox.flatMap({ String(validating: $0, as: UTF8.self) }),
        let domain = String(validating: host, as: UTF8.self).flatMap({ Domain($0) }),
        directory.owns(self.author.id, EmailAddress(localPart: localPart, domain: domain))
      else { throw .authorNotOwned }
    }
    if count == 0 { throw .authorNotOwned }
  }

  /// Of the first author: whose keys sign.
  static func authorDomain(_ message: [UInt8]) -> Domain? {
    guard let from = HeaderFields.first("From", in: message) else { return nil }
    let field = Array("From: ".utf8) + from + [0x0D, 0x0A]
    let authors = field.withUnsafeBytes { MessageStructure(parsing: $0) }.envelope.from
    return authors.lazy.compactMap { author in
      author.host.flatMap { String(validating: $0, as: UTF8.self) }.flatMap { Domain($0) }
    }.first
  }

  private var fallbackAddress: String {
    sender.address?.description ?? services.store.directory.account(author.id)?.address.description ?? author.name
  }

  private func uniqueName() -> String {
    var name = String(services.clock.now().microseconds, radix: 36) + "."
    for byte in randomBytes(10) { name += String(UInt16(byte) + 256, radix: 16).dropFirst() }
    return name
  }

  private func add(_ name: StaticString, _ value: String, to header: inout [UInt8]) {
    header.append(literal: name)
    header.append(literal: ": ")
    header.append(text: value)
    header.append(literal: "\r\n")
  }
}
