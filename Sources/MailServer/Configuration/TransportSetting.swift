import Bytes
package import Delivery

/// One way that mail leaves. Short form: `hub=smtps://user@mail.example.net`; what has a password, a minimum of TLS or
/// words of refusal has the long form.
package struct TransportSetting: Hashable, Sendable {
  package enum Way: Hashable, Sendable {
    /// By the MX records of the recipient's domain.
    case direct
    case server(ServerAddress)
    case refusal(String)
  }

  package enum Password: Hashable, Sendable {
    case text(String)
    case file(String)
  }

  package var name: String
  package var way: Way
  package var tls: TLSMinimum
  package var password: Password?

  /// As it is shown: without the password.
  package var text: String {
    switch way {
    case .direct: "\(name)=direct (tls \(tls.rawValue))"
    case .server(let server): "\(name)=\(server) (tls \(tls.rawValue))"
    case .refusal(let text): "\(name)=refuse (\(text))"
    }
  }

  /// Whether a minimum of TLS means anything.
  var mayHaveTLS: Bool {
    switch way {
    case .direct: true
    case .server(let server): server.hasTLS
    case .refusal: false
    }
  }
}

extension ServerAddress {
  fileprivate var hasTLS: Bool {
    if case .socket = place { false } else { true }
  }

  /// LMTP is for machines of one's own.
  fileprivate var usualTLS: TLSMinimum { scheme == .lmtp ? .opportunistic : .verified }
}

// MARK: Parsing

extension TransportSetting {
  static let fieldNames = ["name", "server", "tls", "password", "password_file", "refuse"]
  /// What is there without being named here: mail by MX records, and the short form of a server for everything.
  static let smarthostName = "smarthost"
  private static let reservedNames = [OutboundRoutes.direct, smarthostName]
  private static let longestRefusal = 500

  init(parsing entry: ListEntry) throws(EntryProblem) {
    switch entry {
    case .text(let text):
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw EntryProblem(expected: "NAME=URL of a server, such as hub=smtp://mail.example.net, not \(quoted(text))")
      }
      try self.init(name: parts[0], server: parts[1], fields: [:])
    case .fields(let fields):
      guard let name = fields["name"]?.first else { throw EntryProblem(expected: "name: what routes call it") }
      try self.init(name: name, server: fields["server"]?.first, fields: fields)
    }
  }

  private init(name: String, server: String?, fields: [String: [String]]) throws(EntryProblem) {
    guard (1...32).contains(name.utf8.count),
      name.utf8.allSatisfy({ $0.isIn([.alpha, .digit]) || [UInt8(ascii: "-"), UInt8(ascii: "_")].contains($0) })
    else {
      throw EntryProblem(field: "name", expected: "up to 32 letters, digits, - and _, not \(quoted(name))")
    }
    guard !Self.reservedNames.contains(name) else {
      throw EntryProblem(field: "name", expected: "another name: \(name) is there already")
    }
    self.name = name
    if let text = fields["refuse"]?.first {
      for field in ["server", "tls", "password", "password_file"] where fields[field] != nil {
        throw EntryProblem(field: field, expected: "nothing beside refuse")
      }
      guard !text.isEmpty, text.utf8.count <= Self.longestRefusal, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
      else { throw EntryProblem(field: "refuse", expected: "one line of text for the sender") }
      (way, tls) = (.refusal(text), .opportunistic)
      return
    }
    if let server {
      guard let address = ServerAddress(server) else {
        throw EntryProblem(
          field: "server",
          expected: "smtps://user@host, smtp://host:587, lmtp://host:24 or lmtp:///path, not \(quoted(server))")
      }
      (way, tls) = (.server(address), address.usualTLS)
    } else {
      (way, tls) = (.direct, .opportunistic)
    }
    if let text = fields["tls"]?.first {
      guard mayHaveTLS else { throw EntryProblem(field: "tls", expected: "nothing: a socket has no TLS") }
      tls = try tlsMinimum(text)
    }
    switch (fields["password"]?.first, fields["password_file"]?.first) {
    case (_?, _?): throw EntryProblem(field: "password", expected: "either password or password_file")
    case (let text?, nil): password = .text(text)
    case (nil, let path?): password = .file(path)
    case (nil, nil): break
    }
    try checkPassword()
  }

  private func checkPassword() throws(EntryProblem) {
    let user: String? = if case .server(let server) = way { server.user } else { nil }
    switch (user, password) {
    case (nil, nil): return
    case (nil, _?):
      throw EntryProblem(field: "server", expected: "a user for the password: smtps://user@host")
    case (_?, nil):
      throw EntryProblem(field: "server", expected: "password or password_file beside a user")
    case (_?, _?):
      guard tls >= .verified else {
        throw EntryProblem(field: "tls", expected: "verified or dane: a password is for nobody else")
      }
    }
  }
}

func tlsMinimum(_ text: String) throws(EntryProblem) -> TLSMinimum {
  do throws(EntryProblem) {
    return try choice(text, TLSMinimum.allCases)
  } catch {
    throw EntryProblem(field: "tls", expected: error.expected)
  }
}
