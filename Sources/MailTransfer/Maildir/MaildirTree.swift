import Bytes

/// The folders below a Maildir: Maildir++ has them beside the inbox as `.Sent` and `.Lists.swift`, Dovecot's
/// `LAYOUT=fs` inside each other.
struct MaildirTree {
  struct Found {
    var path: [String]
    var folder: Folder
  }

  private(set) var found: [Found] = []

  private static let depthLimit = 50

  init(_ root: Folder) throws(TransferError) {
    if Self.isMaildir(root) { found.append(Found(path: ["INBOX"], folder: root)) }
    try look(in: root, below: [], depth: 0)
  }

  static func isMaildir(_ folder: Folder) -> Bool { folder.isFolder("cur") || folder.isFolder("new") }

  private mutating func look(in folder: Folder, below path: [String], depth: Int) throws(TransferError) {
    guard depth < Self.depthLimit else { return }
    for name in try folder.names() where folder.isFolder(name) {
      if ["cur", "new", "tmp"].contains(where: { name.elementsEqual($0.utf8) }) { continue }
      guard found.count < TransferLimits.mailboxes else {
        throw .source("there are more than \(TransferLimits.mailboxes) folders")
      }
      guard let child = folder.folder(name) else { continue }
      if name.first == 0x2E {
        guard path.isEmpty, Self.isMaildir(child), let levels = MaildirFolderName.levels(name.dropFirst()) else {
          continue
        }
        found.append(Found(path: levels, folder: child))
      } else {
        let here = path + [MaildirFolderName.level(name)]
        if Self.isMaildir(child) { found.append(Found(path: here, folder: child)) }
        try look(in: child, below: here, depth: depth + 1)
      }
    }
  }
}

/// The names that a Maildir's user has subscribed to; nil where no file says so.
struct MaildirSubscriptions {
  private var paths: Set<[String]> = [["INBOX"]]

  /// `subscriptions` of Dovecot: names one a line with the separator of the folders, or after a first line `V 2` with
  /// tabs between the levels. `courierimapsubscribed` of Courier: names that begin with `INBOX.`.
  init?(_ root: Folder) throws(TransferError) {
    if let file = root.fileIfThere("subscriptions") {
      var hasVersion = false
      try file.eachLine { (line) throws(TransferError) in
        if line.elementsEqual("V\t2".utf8) {
          hasVersion = true
        } else {
          insert(line.split(separator: hasVersion ? 0x09 : 0x2E).map { MaildirFolderName.level($0) })
          // Folders inside each other have another separator.
          if !hasVersion { insert(line.split(separator: 0x2F).map { MaildirFolderName.level($0) }) }
        }
      }
    } else if let file = root.fileIfThere("courierimapsubscribed") {
      try file.eachLine { (line) throws(TransferError) in
        let levels = line.split(separator: 0x2E).map { MaildirFolderName.level($0) }
        insert(levels.first == "INBOX" ? Array(levels.dropFirst()) : levels)
      }
    } else {
      return nil
    }
  }

  private mutating func insert(_ path: [String]) {
    if !path.isEmpty, paths.count < 2 * TransferLimits.mailboxes { paths.insert(path) }
  }

  func contains(_ path: [String]) -> Bool { paths.contains(path) }
}
