package import DNS
import SMTP

/// Each destination by the transport that its route names.
package struct RoutedTransport: MailTransport {
  private let routes: OutboundRoutes
  private let exchangers: ExchangerTransport
  private let servers: ServerTransport

  package init(
    _ routes: OutboundRoutes, exchangers: ExchangerTransport, resolver: any Resolving, settings: OutboundSettings
  ) {
    self.routes = routes
    self.exchangers = exchangers
    servers = ServerTransport(resolver: resolver, settings: settings)
  }

  package func way(to destination: String) async -> TransportWay {
    let destination = QueueDestination(text: destination)
    guard let transport = routes.transport(named: destination.transport) else {
      return .unknown(
        DeliveryNote(
          .delayed, EnhancedStatus(4, 3, 5), explanation: "there is no transport \(destination.transport) any more"))
    }
    switch transport.way {
    case .exchangers:
      return await exchangers.way(
        to: destination.domain ?? "", assurance: destination.assurance, tls: transport.tls)
    case .server(let server): return await servers.way(to: server, tls: transport.tls)
    case .refusal(let text): return .none(DeliveryNote(.failed, EnhancedStatus(5, 7, 1), explanation: text))
    }
  }
}
