import Testing

@testable import DNS

@Suite struct RecordTests {
  private static let mx: [UInt8] = [0, 10, 2, 109, 120, 0]

  @Test func mailExchangers() throws {
    let record = try #require(MailExchangerRecord(rdata: Self.mx))
    #expect(record.preference == 10 && record.host.text == "mx" && !record.isNull)
    #expect(MailExchangerRecord(rdata: [0, 0, 0])?.isNull == true)
  }

  @Test func texts() throws {
    let record = try #require(TextRecord(rdata: [2, 97, 98, 0, 1, 99]))
    #expect(record.strings == [[97, 98], [], [99]] && record.text == [97, 98, 99])
  }

  @Test func tlsa() throws {
    let record = try #require(TLSARecord(rdata: [3, 1, 1, 0x0A, 0xFF]))
    #expect(record.description == "3 1 1 0aff")
  }

  @Test func services() throws {
    let record = try #require(ServiceRecord(rdata: [0, 1, 0, 2, 0x03, 0xE1, 1, 97, 0]))
    #expect(record.priority == 1 && record.weight == 2 && record.port == 993 && record.target.text == "a")
  }

  @Test func authorities() throws {
    let record = try #require(AuthorityAuthorizationRecord(rdata: [128, 5] + Array("Issueca.test".utf8)))
    #expect(record.isCritical && record.tag == "issue" && record.value == Array("ca.test".utf8))
  }

  @Test func whatIsCutOffIsNoRecord() {
    for count in 0..<Self.mx.count { #expect(MailExchangerRecord(rdata: Array(Self.mx.prefix(count))) == nil) }
    #expect(MailExchangerRecord(rdata: Self.mx + [0]) == nil)
    #expect(TextRecord(rdata: []) == nil && TextRecord(rdata: [2, 97]) == nil)
    #expect(TLSARecord(rdata: [3, 1, 1]) == nil)
    #expect(IPv4Record(rdata: [1, 2, 3]) == nil && IPv6Record(rdata: [1, 2, 3, 4]) == nil)
    #expect(AuthorityAuthorizationRecord(rdata: [0, 9, 97]) == nil)
    #expect(PointerRecord(rdata: [1, 97, 0, 0]) == nil)
  }
}
