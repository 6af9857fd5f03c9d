/// The commands of this server. APOP is not among them: it needs the clear password on the server.
enum POP3CommandTable {
  static let all: [POP3Command] = [
    .quit, .capabilities, .language,
    .user, .password, .authenticate, .startTLS, .utf8,
    .status, .list, .retrieve, .delete, .noOperation, .reset, .top, .uniqueIDs,
  ]

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { (Array($0.name.utf8), $0) })

  /// - Parameter name: in capitals.
  static func command(named name: [UInt8]) -> POP3Command? { byName[name] }
}
