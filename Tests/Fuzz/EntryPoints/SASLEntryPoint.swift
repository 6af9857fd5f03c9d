import Cryptography
import MailStore

@testable import Authentication

extension EntryPoint {
  /// The first byte chooses the mechanism; each line is a response.
  static let sasl = EntryPoint(name: "sasl") { bytes in
    guard let first = bytes.first, case .success = CyrusLibrary.mechanisms else { return }
    let mechanism = Mechanism.all[Int(first) % Mechanism.all.count]
    var responses = bytes.dropFirst().split(separator: 0x0A, omittingEmptySubsequences: false).map { Array($0) }
    _ = ScramSecret(StoredSecret(String(decoding: responses.first ?? [], as: UTF8.self)))
    _ = preparedPassword(responses.first ?? [])
    let answers = Answers()
    guard
      let connection = try? CyrusConnection(
        mechanism: mechanism, service: "imap", hostname: "mail.example.test", delegate: answers)
    else { return }
    let binding = ChannelBinding(kind: .exporter, data: [1, 2, 3])
    switch mechanism {
    case .scram(_, let bound):
      guard let flag = GS2BindingFlag(clientFirstMessage: responses.first ?? []) else { return }
      switch flag.choice(among: bound ? [binding] : [], bound: bound) {
      case .refused: return
      case .bound(let binding): guard (try? connection.bind(to: binding)) != nil else { return }
      case .unbound: break
      }
    case .external: guard (try? connection.setExternalIdentity("alice@example.test")) != nil else { return }
    case .plain, .login: break
    }
    responses = Array(responses.prefix(4))
    for response in responses {
      guard case .challenge = connection.step(response) else { return }
    }
  }

  private final class Answers: CyrusDelegate {
    private static let secret = ScramHash.allCases.map { hash in
      ScramSecret(
        hash: hash, iterations: 4096, salt: Array(repeating: 7, count: ScramSecret.saltLength),
        storedKey: Array(repeating: 1, count: hash.algorithm.byteCount),
        serverKey: Array(repeating: 2, count: hash.algorithm.byteCount)
      ).stored.text
    }
    func secret(for name: String) -> String? { name.utf8.count == 3 ? nil : Self.secret[name.utf8.count % 3] }
    func isPassword(_ password: [UInt8], of name: String) -> Bool { password.count == 4 }
    func mayAct(_ authenticated: String, as requested: String) -> Bool { authenticated == requested }
  }
}
