import Cryptography

/// Data of the TLS connection that a SCRAM exchange is bound to.  RFC 5056, RFC 5929, RFC 9266.
struct ChannelBinding: Hashable, Sendable {
  enum Kind: String, CaseIterable, Sendable {
    case exporter = "tls-exporter"
    case unique = "tls-unique"
    case serverEndPoint = "tls-server-end-point"
  }
  var kind: Kind
  var data: [UInt8]

  static func available(in tls: TLSInfo) -> [ChannelBinding] {
    [
      tls.exporterBinding.map { ChannelBinding(kind: .exporter, data: $0) },
      tls.uniqueBinding.map { ChannelBinding(kind: .unique, data: $0) },
      tls.endPointBinding.map { ChannelBinding(kind: .serverEndPoint, data: $0) },
    ].compactMap { $0 }.filter { !$0.data.isEmpty }
  }
}

/// The first field of a SCRAM client's first message, which says what it thinks of channel binding.  RFC 5801 §4,
/// RFC 5802 §7.
enum GS2BindingFlag: Hashable, Sendable {
  /// `n`: the client knows none.
  case unsupported
  /// `y`: the client could, and believes that the server cannot.
  case notOffered
  /// `p=<name>`: the exchange is bound. Nil for a name not known here.
  case required(ChannelBinding.Kind?)

  init?(clientFirstMessage message: [UInt8]) {
    guard let comma = message.firstIndex(of: UInt8(ascii: ",")), comma > 0 else { return nil }
    switch (message[0], comma) {
    case (UInt8(ascii: "n"), 1): self = .unsupported
    case (UInt8(ascii: "y"), 1): self = .notOffered
    case (UInt8(ascii: "p"), 3...) where message[1] == UInt8(ascii: "="):
      self = .required(ChannelBinding.Kind(rawValue: String(decoding: message[2..<comma], as: UTF8.self)))
    default: return nil
    }
  }

  enum Choice: Hashable, Sendable {
    case unbound
    case bound(ChannelBinding)
    case refused(AuthenticationFailure)
  }

  /// What the exchange is bound to, given what the connection has and whether the -PLUS form was chosen.
  func choice(among available: [ChannelBinding], bound: Bool) -> Choice {
    switch (self, bound) {
    case (.unsupported, false): .unbound
    // RFC 5802 §6: -PLUS was announced, so someone in between took it out of the list.
    case (.notOffered, false): available.isEmpty ? .unbound : .refused(.invalidCredentials)
    case (.required(let kind), true):
      available.first { $0.kind == kind }.map { .bound($0) } ?? .refused(.malformed)
    case (.required, false), (.unsupported, true), (.notOffered, true): .refused(.malformed)
    }
  }
}
