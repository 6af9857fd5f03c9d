import MessageFormat
import Testing

@Suite struct DateTimeTests {
  @Test(arguments: [
    ("Wed, 17 Jul 1996 02:44:25 -0700", 837_596_665, -420), ("17 Jul 96 02:44:25 PDT", 837_596_665, -420),
    ("Wed, 17 Jul 1996 02:44 -0700 (PDT)", 837_596_640, -420),
    ("Wed (mid(dle)), 17 (x) Jul 1996 02:44:25 -0700", 837_596_665, -420),
    ("Wed Jul 17 02:44:25 1996", 837_571_465, 0), ("Wed Jul 17 02:44:25 PDT 1996", 837_596_665, -420),
    ("17-Jul-1996 02:44:25 GMT", 837_571_465, 0), ("Wednesday, 17 July 1996 2:44:25 Z", 837_571_465, 0),
    ("Thu, 1 Jan 1970 00:00:00 +0000", 0, 0), ("Wed, 31 Dec 1969 23:59:59 +0000", -1, 0),
    ("Thu, 29 Feb 2024 12:00:00 +05:30", 1_709_188_200, 330), ("1 Jan 100 00:00:00 EST", 946_702_800, -300),
    ("Sat, 1 Jan 00 00:00:00 XYZ", 946_684_800, 0), ("Fri, 31 Dec 9999 23:59:60 +0000", 253_402_300_800, 0),
    ("Wed,\r\n 17 Jul 1996\r\n\t02:44:25 -0700", 837_596_665, -420), ("17 Jul 1996", 837_561_600, 0),
  ])
  func mailDatesAreRead(_ text: String, _ seconds: Int64, _ offset: Int) throws {
    let date = try #require(DateTime(rfc5322: ArraySlice(text.utf8)))
    #expect(date.timestamp.seconds == seconds)
    #expect(date.offsetMinutes == offset)
  }

  @Test(arguments: [
    "", "nonsense", "32 Jan 2020 00:00:00 +0000", "30 Feb 2020 00:00:00 +0000", "17 Jul", "(17 Jul 1996",
    "17 Jul 99999 00:00:00",
    "999999999999999999999 Jul 1996",
  ])
  func whatIsNoDateIsNil(_ text: String) {
    #expect(DateTime(rfc5322: ArraySlice(text.utf8)) == nil)
  }

  @Test(arguments: [
    ("17-Jul-1996 02:44:25 -0700", 837_596_665, -420), (" 7-Jul-1996 02:44:25 +0000", 836_707_465, 0),
    ("07-Jul-1996 02:44:25 +0000", 836_707_465, 0), ("01-Jan-0001 00:00:00 +0000", -62_135_596_800, 0),
  ])
  func imapDatesGoBothWays(_ text: String, _ seconds: Int64, _ offset: Int) throws {
    let date = try #require(DateTime(imap: ArraySlice(text.utf8)))
    #expect(date == DateTime(timestamp: Timestamp(seconds: seconds), offsetMinutes: offset))
    let written = date.imap
    #expect(written.count == 26)
    #expect(DateTime(imap: ArraySlice(written.utf8)) == date)
    #expect(DateTime(rfc5322: ArraySlice(date.rfc5322.utf8)) == date)
  }

  @Test(arguments: [
    "", "17-Jul-1996", "17-Jul-1996 02:44 -0700", "17-Jul-96 02:44:25 -0700", "17-Jul-1996 02:44:25 PDT",
    "31-Feb-1996 02:44:25 -0700", "17-Jul-1996 25:44:25 -0700", "17-Jul-1996 02:44:25 -2500",
    "17 Jul 1996 02:44:25 -0700",
    "17-Jul-1996  02:44:25 -0700", "-17-Jul-1996 02:44:25 -0700",
  ])
  func imapDatesAreStrict(_ text: String) {
    #expect(DateTime(imap: ArraySlice(text.utf8)) == nil)
  }

  @Test func everyDayOfFourCenturiesHasItsPlace() throws {
    let first = try #require(CalendarDate(year: 1800, month: 1, day: 1))
    for days in first.days..<first.days + 146_097 {
      let (year, month, day) = CalendarDate(days: days).components
      if CalendarDate(year: year, month: month, day: day)?.days != days { Issue.record("day \(days)") }
    }
    #expect(CalendarDate(days: 0).weekday == 4)
    #expect(CalendarDate(days: -1).weekday == 3)
    // Midnight in the writer's zone decides the day.
    #expect(DateTime(timestamp: Timestamp(seconds: 0), offsetMinutes: -1).date == CalendarDate(days: -1))
    #expect(DateTime(timestamp: Timestamp(seconds: 0), offsetMinutes: 0).rfc5322 == "Thu, 1 Jan 1970 00:00:00 +0000")
    #expect(DateTime(timestamp: Timestamp(seconds: 0), offsetMinutes: -90).imap == "31-Dec-1969 22:30:00 -0130")
  }
}
