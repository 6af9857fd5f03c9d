import Bytes

/// How mail is kept in files.
package enum MailFormat: String, CaseIterable, Sendable {
  case maildir
  case mbox
  case eml

  /// What the files at a path look like.
  init(of path: String) throws(TransferError) {
    guard isFolder(path) else {
      let file = try InputFile(path)
      let head = try file.read(1_024, at: 0)
      if FromLine(head.prefix { $0 != 0x0A }) != nil {
        self = .mbox
        return
      }
      if head.starts(with: [0x1F, 0x8B]) { throw .source("\(path) is compressed: unpack it first") }
      throw .source("\(path) is not an mbox file: it does not begin with a line such as From a@b Tue Jul 23 …")
    }
    let folder = try Folder(path)
    if folder.isFolder("mailboxes") || folder.isFolder("dbox-Mails"), folder.has(Array("storage".utf8)) {
      throw .source("\(path) is a dbox, which only Dovecot reads: import it over IMAP, or convert it with doveadm")
    }
    guard let found = try Self.look(in: folder, depth: 0) else {
      throw .source("\(path) holds no Maildir, no mbox file and no .eml file; --format says what it is")
    }
    self = found
  }

  /// The first thing that is recognised, Maildirs before files.
  private static func look(in folder: Folder, depth: Int) throws(TransferError) -> MailFormat? {
    if MaildirTree.isMaildir(folder) { return .maildir }
    guard depth < 10 else { return nil }
    let names = try folder.names()
    for name in names where name.first == 0x2E {
      if let child = folder.folder(name), MaildirTree.isMaildir(child) { return .maildir }
    }
    for name in names where name.first != 0x2E {
      if folder.isFolder(name) {
        if let child = folder.folder(name), let found = try look(in: child, depth: depth + 1) { return found }
      } else if name.withUnsafeBytes({ MessageFileSource.isMessage($0) }) {
        return .eml
      } else if let file = try? folder.file(name), try MboxSource.isMbox(file, named: name) {
        return .mbox
      }
    }
    return nil
  }
}
