import DNS
import Delivery
import Testing

@Suite struct TLSReportingRecordTests {
  struct Row: CustomTestStringConvertible {
    var text: String
    /// Nil: it is no record.
    var recipients: [String]?
    var testDescription: String { text }
    init(_ text: String, _ recipients: [String]?) { (self.text, self.recipients) = (text, recipients) }
  }

  @Test(arguments: [
    // RFC 8460 §3.1.
    Row("v=TLSRPTv1;rua=mailto:reports@example.com", ["mailto:reports@example.com"]),
    Row(
      "v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", ["https://reporting.example.com/v1/tlsrpt"]),
    Row("v=TLSRPTv1; rua=mailto:a@b.test , https://c.test;", ["mailto:a@b.test", "https://c.test/"]),
    Row("v=TLSRPTv1; x-new=1; rua=mailto:a@b.test; rua=mailto:c@d.test", ["mailto:a@b.test"]),
    Row("v=TLSRPTv1; rua=MAILTO:a%2Bb@c.test?subject=x,HTTPS://D.Test:8443/p?q=1%2C2",
      ["mailto:a+b@c.test", "https://d.test:8443/p?q=1%2C2"]),
    Row("v=TLSRPTv1; rua=mailto:a@b.test,mailto:a@b.test", ["mailto:a@b.test"]),
    // Nobody that can be told.
    Row("v=TLSRPTv1; rua=", []),
    Row("v=TLSRPTv1; rua=http://a.test/,ftp://b.test/,mailto:nobody,mailto:a%zz@b.test", []),
    Row("v=TLSRPTv1; rua=https://me@a.test/,https:///x,https://a.test:0/,https://a.test:x/,https://a.test/#x", []),
    Row("v=TLSRPTv1; rua=https://[::1]/,https://a.test/\\,https://a.test/<>", []),
    // No record at all.
    Row("v=TLSRPTv1;", nil), Row("v=TLSRPTv1", nil), Row("v=TLSRPTv2; rua=mailto:a@b.test", nil),
    Row("V=TLSRPTv1; rua=mailto:a@b.test", nil), Row("v=TLSRPTv1; rua", nil),
    Row("rua=mailto:a@b.test; v=TLSRPTv1", nil),
    Row("v=TLSRPTv1; rua=mailto:a@b.test\u{7}", nil), Row("", nil),
  ])
  func records(_ row: Row) {
    let record = TLSReportingRecord(parsing: Array(row.text.utf8))
    #expect(record?.recipients.map(\.description) == row.recipients)
  }

  @Test func oneOfSeveralIsNone() {
    func record(_ texts: String...) -> TLSReportingRecord? {
      TLSReportingRecord(texts.compactMap { TextRecord(rdata: [UInt8($0.utf8.count)] + Array($0.utf8)) })
    }
    let good = "v=TLSRPTv1; rua=mailto:a@b.test"
    #expect(record("v=spf1 -all", good, "v=TLSRPTv2;x")?.recipients.count == 1)
    #expect(record(good, good) == nil)
    #expect(record() == nil)
  }

  @Test func nobodyIsToldAThousandTimes() {
    let list = (0..<1_000).map { "mailto:a\($0)@b.test" }.joined(separator: ",")
    #expect(TLSReportingRecord(parsing: Array("v=TLSRPTv1; rua=\(list)".utf8))?.recipients.count == 10)
  }
}
