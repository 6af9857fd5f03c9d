import Cryptography
import MailStore
import MessageFormat

/// Writes mailboxes as a Maildir++ that Dovecot takes over as it is: with its UIDs, keywords and subscriptions.
final class MaildirWriter: MailboxWriter {
  private struct Box {
    var mailbox: ExportedMailbox
    var folder: OutputFolder
    var temporary: OutputFolder
    var current: OutputFolder
    var uidList: OutputFile
    var keywords = DovecotKeywords()
    var lostKeywords: Set<String> = []
  }

  private struct Message {
    var facts: ExportedMessage
    var name: [UInt8]
    var file: OutputFile
    var ends = FileLineEnds()
    var wireSize = 0
  }

  private let root: OutputFolder
  private var box: Box?
  private var message: Message?
  private var subscriptions: [MailboxName] = []

  init(_ path: String) throws(TransferError) { root = try OutputFolder(makingEmpty: path) }

  func begin(_ mailbox: ExportedMailbox) throws(TransferError) {
    if mailbox.isSubscribed { subscriptions.append(mailbox.name) }
    let name = MaildirFolderName.directory(of: mailbox.name)
    let folder = mailbox.name.isInbox ? root : try root.folder(name)
    if !mailbox.name.isInbox { try folder.write("", to: "maildirfolder") }
    _ = try folder.folder(Array("new".utf8))
    let uidList = try folder.file(Array("dovecot-uidlist".utf8))
    let header = DovecotUIDList.Header(version: 3, uidValidity: mailbox.uidValidity, uidNext: mailbox.uidNext)
    try uidList.write(Array(DovecotUIDList.text(header, identifier: randomBytes(16)).utf8))
    box = Box(
      mailbox: mailbox, folder: folder, temporary: try folder.folder(Array("tmp".utf8)),
      current: try folder.folder(Array("cur".utf8)), uidList: uidList)
  }

  func begin(_ facts: ExportedMessage) throws(TransferError) {
    guard let box else { return }
    // Ascending names are ascending UIDs, and no other mailbox has such a name.
    let name = "\(facts.date.timestamp.seconds).V\(box.mailbox.uidValidity.rawValue)U\(facts.uid.rawValue).martlet"
    message = Message(facts: facts, name: Array(name.utf8), file: try box.temporary.file(Array(name.utf8)))
  }

  func append(_ octets: [UInt8]) throws(TransferError) {
    guard message != nil else { return }
    var output: [UInt8] = []
    output.reserveCapacity(octets.count)
    octets.withUnsafeBytes { message!.ends.convert($0, into: &output) }
    message!.wireSize += octets.count
    try message!.file.write(output)
  }

  func finishMessage() throws(TransferError) {
    guard var message, box != nil else { return }
    self.message = nil
    var rest: [UInt8] = []
    message.ends.finish(into: &rest)
    try message.file.write(rest)
    try message.file.flush()
    message.file.setModified(message.facts.date.timestamp)
    let letters = MaildirFileName.letters(for: message.facts.flags, keywords: &box!.keywords)
    for keyword in message.facts.flags.keywords where box!.keywords.letter(for: keyword.text) == nil {
      if box!.lostKeywords.count < 100 { box!.lostKeywords.insert(keyword.text) }
    }
    let name = message.name + Array(",S=\(message.file.size),W=\(message.wireSize)".utf8)
    try box!.temporary.move(message.name, to: box!.current, as: name + Array(":2,".utf8) + letters)
    try box!.uidList.write(Array("\(message.facts.uid.rawValue) :".utf8) + name + [0x0A])
  }

  func dropMessage() {
    if let message { box?.temporary.remove(message.name) }
    message = nil
  }

  func finishMailbox() throws(TransferError) -> [String] {
    guard let box else { return [] }
    self.box = nil
    try box.uidList.flush()
    if box.keywords != DovecotKeywords() { try box.folder.write(box.keywords.text, to: "dovecot-keywords") }
    guard !box.lostKeywords.isEmpty else { return [] }
    return [
      "\(box.mailbox.name): a Maildir holds 26 keywords; left out: \(box.lostKeywords.sorted().joined(separator: ", "))"
    ]
  }

  func finish() throws(TransferError) {
    let lines = subscriptions.map { name in
      if name.isInbox { return "INBOX\n" }
      return String(decoding: MaildirFolderName.directory(of: name).dropFirst(), as: UTF8.self) + "\n"
    }
    try root.write(lines.joined(), to: "subscriptions")
  }
}
