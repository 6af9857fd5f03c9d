package import DNS
package import Delivery
import SMTPClient

extension OutboundConfiguration {
  /// The host through which all mail leaves that no other route takes; nil where that goes by MX records.
  package var smarthostOfTheRest: DomainName? {
    guard let last = allRoutes.first(where: \.isForEverything),
      case .server(let server) = allTransports.first(where: { $0.name == last.transport })?.way
    else { return nil }
    return server.hostName
  }

  /// `smarthost` is a transport, and the last route of all.
  private var allTransports: [TransportSetting] {
    guard let smarthost else { return transports }
    return transports + [
      TransportSetting(
        name: TransportSetting.smarthostName, way: .server(smarthost), tls: .verified,
        password: smarthostPassword.map { .text($0) })
    ]
  }

  private var allRoutes: [RouteSetting] {
    guard smarthost != nil else { return routes }
    return routes + [RouteSetting(recipients: [.any], senders: [], transport: TransportSetting.smarthostName)]
  }

  /// What is wrong with transports and routes together: the setting, and what was expected instead.
  var routeProblems: [(path: String, expected: String)] {
    var problems: [(path: String, expected: String)] = []
    var names: [String] = []
    for transport in transports {
      if names.contains(transport.name) {
        problems.append(("outbound.transports", "each name once, but \(transport.name) is there again"))
      }
      names.append(transport.name)
    }
    let known = allTransports
    let knownNames = [OutboundRoutes.direct] + known.map(\.name)
    for route in routes {
      let place = "outbound.routes"
      guard knownNames.contains(route.transport) else {
        let hint = suggestion(for: route.transport, among: knownNames).map { "; did you mean \($0)?" } ?? ""
        let expected = "one of \(knownNames.joined(separator: ", ")), not \(quoted(route.transport))\(hint)"
        problems.append((place, "\(expected) (\(route.text))"))
        continue
      }
      if route.tls != nil, known.first(where: { $0.name == route.transport })?.mayHaveTLS == false {
        problems.append((place, "no tls: \(route.transport) has none (\(route.text))"))
      }
    }
    return problems
  }

  /// Reads the files with passwords.
  package func makeRoutes() throws(StartupError) -> OutboundRoutes {
    switch (smarthost?.user, smarthostPassword) {
    case (_?, nil): throw StartupError("outbound.smarthost names a user: outbound.smarthost_password is missing")
    case (nil, _?): throw StartupError("outbound.smarthost_password: outbound.smarthost names no user")
    default: break
    }
    var made: [String: Transport] = [:]
    for transport in allTransports { made[transport.name] = try transport.make() }
    return OutboundRoutes(transports: made, routes: allRoutes.map(\.route))
  }
}

extension TransportSetting {
  fileprivate func make() throws(StartupError) -> Transport {
    switch way {
    case .direct: return Transport(.exchangers, tls: tls)
    case .refusal(let text): return Transport(.refusal(text))
    case .server(let server):
      var credentials: Credentials?
      if let user = server.user, let password { credentials = Credentials(user: user, password: try read(password)) }
      let place: MailServerPlace.Place =
        switch server.place {
        case .host(let host, let port): .host(host, port: port)
        case .socket(let path): .socket(path: path)
        }
      return Transport(
        .server(
          MailServerPlace(
            place, dialect: server.scheme == .lmtp ? .lmtp : .smtp, isImplicitTLS: server.scheme == .smtps,
            credentials: credentials)), tls: tls)
    }
  }

  private func read(_ password: Password) throws(StartupError) -> String {
    switch password {
    case .text(let text): return text
    case .file(let path):
      let octets: [UInt8]
      do throws(FileProblem) {
        octets = try readFileBytes(path, limit: 64 << 10)
      } catch {
        throw StartupError("outbound.transports: \(name): \(error)")
      }
      guard let line = String(decoding: octets, as: UTF8.self).split(whereSeparator: \.isNewline).first else {
        throw StartupError("outbound.transports: \(name): \(path) is empty")
      }
      return String(line)
    }
  }
}
