import DNS
import MessageFormat
import Networking
import Testing

@testable import Delivery

private let domain = DomainName("example.test")!
private let submitter = TLSReport.Submitter(
  contact: EmailAddress("reports@ours.test")!, organization: "Ours \"& Sons\"\n", hostname: Domain("mail.ours.test")!)

private func report() -> TLSReport {
  var tally = TLSTally(domain: domain)
  let sts = TLSResult.Policy(
    kind: .sts, domain: domain, strings: ["version: STSv1", "mode: testing", "mx: *.example.test", "max_age: 86400"],
    hostPatterns: ["*.example.test"])
  for _ in 0..<5_326 { tally.count(TLSResult(policy: sts, host: domain, failure: nil)) }
  for _ in 0..<100 {
    tally.count(
      TLSResult(
        policy: sts, host: DomainName("mx1.example.test")!, hostAddress: IPAddress("192.0.2.1"),
        ownAddress: IPAddress("2001:db8:abcd:12::1"),
        failure: TLSFailure(.certificateExpired, "certificate has expired")))
  }
  tally.count(
    TLSResult(
      policy: TLSResult.Policy(kind: .tlsa, domain: DomainName("mx2.example.test")!),
      host: DomainName("mx2.example.test")!, failure: TLSFailure(.dnssecInvalid, "DNSSEC: \u{1}\\")))
  return TLSReport(tally, of: UTCDay(of: Timestamp(seconds: 1_768_478_400)), from: submitter)
}

@Suite struct TLSReportTests {
  @Test func theFileIsAsTheRFCHasIt() {
    #expect(
      String(decoding: report().json, as: UTF8.self) == """
        {"organization-name":"Ours \\"& Sons\\"\\u000a",\
        "date-range":{"start-datetime":"2026-01-15T00:00:00Z","end-datetime":"2026-01-15T23:59:59Z"},\
        "contact-info":"reports@ours.test","report-id":"2026-01-15.example.test@mail.ours.test","policies":[\
        {"policy":{"policy-type":"sts","policy-string":["version: STSv1","mode: testing","mx: *.example.test",\
        "max_age: 86400"],"policy-domain":"example.test","mx-host":["*.example.test"]},\
        "summary":{"total-successful-session-count":5326,"total-failure-session-count":100},\
        "failure-details":[{"result-type":"certificate-expired","sending-mta-ip":"2001:db8:abcd:12::1",\
        "receiving-mx-hostname":"mx1.example.test","receiving-ip":"192.0.2.1","failed-session-count":100,\
        "failure-reason-code":"certificate has expired"}]},\
        {"policy":{"policy-type":"tlsa","policy-domain":"mx2.example.test"},\
        "summary":{"total-successful-session-count":0,"total-failure-session-count":1},\
        "failure-details":[{"result-type":"dnssec-invalid","receiving-mx-hostname":"mx2.example.test",\
        "failed-session-count":1,"failure-reason-code":"DNSSEC:  \\\\"}]}]}
        """)
    #expect(report().file == report().file)
  }

  @Test func theLetterIsFoundByItsFields() {
    let date = DateTime(timestamp: Timestamp(seconds: 1_768_532_400), offsetMinutes: 0)
    let letter = report().letter(to: EmailAddress("tls@example.test")!, token: "T0K3N", date: date)
    let text = String(decoding: letter.head, as: UTF8.self)
    #expect(
      text.hasPrefix(
        """
        From: <reports@ours.test>\r
        To: <tls@example.test>\r
        Subject: Report Domain: example.test\r
         Submitter: ours.test\r
         Report-ID: <2026-01-15.example.test@mail.ours.test>\r
        Date: Fri, 16 Jan 2026 03:00:00 +0000\r
        Message-ID: <T0K3N@mail.ours.test>\r
        TLS-Report-Domain: example.test\r
        TLS-Report-Submitter: ours.test\r
        Auto-Submitted: auto-generated\r
        MIME-Version: 1.0\r
        Content-Type: multipart/report; report-type="tlsrpt";\r
        \tboundary="tlsrpt-T0K3N"\r
        \r
        --tlsrpt-T0K3N\r
        Content-Type: text/plain; charset=us-ascii\r
        \r
        This is a report of the mail server mail.ours.test on TLS with the servers of\r
        example.test, on 2026-01-15 (UTC).\r
        \r
        Sessions with TLS as it should be: 5326\r
        Others: 101\r
        \r
        The file is for programs: RFC 8460 says what is in it.\r
        \r
        --tlsrpt-T0K3N\r
        Content-Type: application/tlsrpt+gzip\r
        Content-Transfer-Encoding: base64\r
        Content-Disposition: attachment;\r
        \tfilename="ours.test!example.test!1768435200!1768521599!
        """))
    #expect(text.contains(".json.gz\"\r\n\r\nH4sI") && text.hasSuffix("\r\n--tlsrpt-T0K3N--\r\n"))
    #expect(letter.assurance == .any && letter.author == Domain("ours.test"))
  }

  @Test(arguments: [
    (0, "1970-01-01"), (86_399, "1970-01-01"), (86_400, "1970-01-02"), (-1, "1969-12-31"), (951_782_400, "2000-02-29"),
  ])
  func daysBeginAtMidnight(seconds: Int64, day: String) {
    let found = UTCDay(of: Timestamp(seconds: seconds))
    #expect(found.description == day)
    #expect(found.start.seconds <= seconds && seconds < found.end.seconds)
  }

  @Test(arguments: [
    ("example.test", QueueDestination(domain: "example.test")),
    ("[192.0.2.1]", QueueDestination(domain: "[192.0.2.1]")),
    ("example.test;tls=any", QueueDestination(domain: "example.test", assurance: .any)),
  ])
  func reportsHaveDestinationsOfTheirOwn(text: String, destination: QueueDestination) {
    #expect(QueueDestination(text: text) == destination && destination.text == text)
  }
}
