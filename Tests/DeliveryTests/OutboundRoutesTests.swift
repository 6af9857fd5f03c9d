import MessageFormat
import SMTPClient
import Testing

@testable import Delivery

@Suite struct OutboundRoutesTests {
  private static let routes = OutboundRoutes(
    transports: [
      "hub": Transport(.server(MailServerPlace(.host("hub.test", port: 587), dialect: .smtp)), tls: .verified),
      "closed": Transport(.refusal("no")), "strict": Transport(.exchangers, tls: .required),
    ],
    routes: [
      .init(to: patterns("closed.test"), transport: "closed"),
      .init(to: patterns("a.test", ".b.test"), from: patterns("news.test"), transport: "hub"),
      .init(from: patterns("bulk.test"), transport: "hub", tls: .dane),
      .init(to: patterns("partner.test"), transport: "direct", tls: .verified),
      .init(to: patterns("strict.test"), transport: "strict"),
      .init(to: patterns("strict.test"), transport: "closed"),
      .init(to: patterns("käse.test"), transport: "hub"),
    ])

  private static func patterns(_ texts: String...) -> [DomainPattern] { texts.compactMap { DomainPattern($0) } }

  @Test func routesHaveAMarkByWhichOthersAreKnown() {
    let hub = Transport(.server(MailServerPlace(.host("hub.test", port: 587), dialect: .smtp)))
    func mark(to: String = "a.test", from: String = "b.test", _ transport: Transport? = nil, name: String = "hub") -> Int64 {
      OutboundRoutes(
        transports: [name: transport ?? hub],
        routes: [.init(to: Self.patterns(to), from: Self.patterns(from), transport: name)]
      ).mark
    }
    let marks = [
      OutboundRoutes().mark, mark(), mark(to: ".a.test"), mark(from: "c.test"), mark(name: "other"),
      mark(Transport(.exchangers)),
    ]
    #expect(Set(marks).count == marks.count)
    // Kept over restarts, so always the same; where the server is found makes no difference.
    #expect(mark() == mark(Transport(.refusal("no"))))
    #expect(OutboundRoutes().mark == 8_096_397_489_254_142_464)
  }

  static let ways: [(recipient: String, sender: String?, destination: String)] = [
    ("x@other.test", "me@here.test", "other.test"),
    ("x@OTHER.test", nil, "other.test"),
    ("x@closed.test", "me@here.test", "/closed"),
    ("x@closed.test", "me@bulk.test", "/closed"),
    ("x@a.test", "me@here.test", "a.test"),
    ("x@a.test", "me@news.test", "/hub"),
    ("x@deep.er.b.test", "me@news.test", "/hub"),
    ("x@b.test", "me@news.test", "b.test"),
    ("x@bb.test", "me@news.test", "bb.test"),
    ("x@a.test", "me@bulk.test", "/hub+dane"),
    ("x@other.test", "me@bulk.test", "/hub+dane"),
    ("x@partner.test", "me@here.test", "partner.test/direct+verified"),
    ("x@partner.test", nil, "partner.test/direct+verified"),
    ("x@strict.test", nil, "strict.test/strict"),
    ("x@xn--kse-qla.test", nil, "/hub"),
    ("x@[192.0.2.1]", nil, "[192.0.2.1]"),
  ]

  @Test(arguments: ways) func theFirstRouteThatMatchesSaysTheDestination(
    recipient: String, sender: String?, destination: String
  ) throws {
    let found = Self.routes.destination(
      of: try #require(EmailAddress(recipient)), from: sender.flatMap { EmailAddress($0) })
    #expect(found.text == destination)
    #expect(QueueDestination(text: found.text) == found)
    #expect(Self.routes.transport(named: found.transport) != nil)
  }

  @Test func aRouteRaisesWhatItsTransportDemandsAndNeverLowersIt() {
    let hub = Transport(.server(MailServerPlace(.host("hub.test", port: 587), dialect: .smtp)), tls: .verified)
    let routes = OutboundRoutes(
      transports: ["hub": hub],
      routes: [.init(transport: "hub", tls: .required), .init(transport: "hub", tls: .dane)])
    #expect(routes.transport(named: "hub")?.tls == .verified)
    #expect(routes.transport(named: "hub+required")?.tls == .verified)
    #expect(routes.transport(named: "hub+dane")?.tls == .dane)
  }

  @Test func withoutRoutesEveryDomainIsADestination() throws {
    let address = try #require(EmailAddress("x@example.test"))
    #expect(OutboundRoutes().destination(of: address, from: address).text == "example.test")
    #expect(
      OutboundRoutes().destination(of: address, from: nil, assurance: .any).text == "example.test;tls=any")
  }
}
