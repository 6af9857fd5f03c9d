import Cryptography

/// The mechanisms of Cyrus SASL that are offered, as facts.
enum Mechanism: Hashable, Sendable {
  case plain
  case login
  case external
  case scram(ScramHash, bound: Bool)

  /// Strongest first: bound to the TLS channel, then by hash, then the ones that show the password.
  static let all: [Mechanism] =
    [.external]
    + [ScramHash.sha512, .sha256, .sha1].map { .scram($0, bound: true) }
    + [ScramHash.sha512, .sha256, .sha1].map { .scram($0, bound: false) }
    + [.plain, .login]

  var name: String {
    switch self {
    case .plain: "PLAIN"
    case .login: "LOGIN"
    case .external: "EXTERNAL"
    case .scram(let hash, let bound): bound ? hash.rawValue + "-PLUS" : hash.rawValue
    }
  }

  /// The name of the plug-in's mechanism: the library makes the -PLUS form of it by itself.
  var pluginName: String {
    if case .scram(let hash, _) = self { hash.rawValue } else { name }
  }

  /// Names are case-insensitive on the wire of all three protocols.
  init?(name: String) {
    let name = name.uppercased()
    guard let mechanism = Self.all.first(where: { $0.name == name }) else { return nil }
    self = mechanism
  }

  /// The password itself crosses the wire.
  var showsPassword: Bool { self == .plain || self == .login }

  /// The client speaks first; where it gave no initial response it is asked by an empty challenge.  RFC 4422 §5.1.
  var isClientFirst: Bool { self != .login }

  func isOffered(in context: AuthenticationContext, policy: CredentialPolicy) -> Bool {
    switch (self, policy) {
    case (.plain, _), (.login, _): context.tls != nil || context.allowsPlaintext
    case (_, .anyPassword): false
    case (.external, .verified):
      context.tls.map { $0.peerCertificateIsTrusted && !$0.peerEmailAddresses.isEmpty } ?? false
    case (.scram(_, bound: false), .verified): true
    case (.scram(_, bound: true), .verified): context.tls.map { !ChannelBinding.available(in: $0).isEmpty } ?? false
    }
  }
}
