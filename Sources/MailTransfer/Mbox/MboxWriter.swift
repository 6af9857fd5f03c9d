import Bytes
import MailStore
import MessageFormat

/// Writes each mailbox as an mbox file, `Sent.mbox`, those below it in a folder of its name, `Sent/2020.mbox`: quoted
/// as mboxrd, with the fields in which Dovecot and mutt keep flags, keywords and UIDs.
final class MboxWriter: MailboxWriter {
  private let root: OutputFolder
  private var mailbox: ExportedMailbox?
  private var file: OutputFile?
  private var message: MboxMessageText?
  private var isFirst = true
  /// Where the message in hand begins.
  private var start = 0

  init(_ path: String) throws(TransferError) { root = try OutputFolder(makingEmpty: path) }

  func begin(_ mailbox: ExportedMailbox) throws(TransferError) {
    var folder = root
    let levels = mailbox.name.text.split(separator: MailboxName.separator).map { String($0) }
    for level in levels.dropLast() { folder = try folder.folder(MboxFileName.escaped(level)) }
    file = try folder.file(MboxFileName.escaped(levels[levels.count - 1]) + Array(".mbox".utf8))
    self.mailbox = mailbox
    isFirst = true
  }

  func begin(_ facts: ExportedMessage) throws(TransferError) {
    guard let mailbox, let file else { return }
    start = file.size
    var fields = MboxFields.text(flags: facts.flags, uid: facts.uid)
    if isFirst {
      let last = String(mailbox.uidNext.rawValue - 1)
      let padded = String(repeating: "0", count: max(0, 10 - last.count)) + last
      fields = "X-IMAPbase: \(mailbox.uidValidity.rawValue) \(padded)\n" + fields
    }
    message = MboxMessageText(date: facts.date, fields: Array(fields.utf8))
  }

  func append(_ octets: [UInt8]) throws(TransferError) {
    var output: [UInt8] = []
    octets.withUnsafeBytes { message?.append($0, into: &output) }
    try file?.write(output)
  }

  func finishMessage() throws(TransferError) {
    var output: [UInt8] = []
    message?.finish(into: &output)
    message = nil
    try file?.write(output)
    isFirst = false
  }

  func dropMessage() throws(TransferError) {
    guard message != nil else { return }
    message = nil
    try file?.truncate(to: start)
  }

  func finishMailbox() throws(TransferError) -> [String] {
    try file?.flush()
    file = nil
    mailbox = nil
    return []
  }

  func finish() {}
}

/// Mailbox names as files: what no name of ours has in it, a `%`, escapes what no file's name should have.
enum MboxFileName {
  static func escaped(_ level: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for (index, byte) in level.utf8.enumerated() {
      if byte == 0x2E && index == 0 {
        let (high, low) = hexDigits(of: byte)
        bytes += [0x25, high, low]
      } else {
        bytes.append(byte)
      }
    }
    // Endings that say what a file is would be taken off on the way back.
    for ending in [".mbox", ".mbx", ".sbd"] where level.hasSuffix(ending) && level.utf8.count > ending.utf8.count {
      bytes.replaceSubrange((bytes.count - ending.utf8.count)..<(bytes.count - ending.utf8.count + 1), with: "%2E".utf8)
    }
    return bytes
  }

  static func unescaped(_ text: String) -> String {
    guard text.utf8.contains(0x25) else { return text }
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == 0x25, let high = rest.first?.hexValue, let low = rest.dropFirst().first?.hexValue {
        bytes.append(high << 4 | low)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(validating: bytes, as: UTF8.self) ?? text
  }
}
