/// Whether DNSSEC vouches for an answer.
package enum Security: Hashable, Sendable {
  /// Every signature from a trust anchor down is right, those of aliases on the way and of denials too.
  case secure
  /// Some part of the answer is from a zone that is provably not signed.
  case insecure
}

/// The answer to a question, with the records as they came.
package struct RawAnswer: Hashable, Sendable {
  package enum Content: Hashable, Sendable {
    /// The data of each record, never empty. A message of DNS has 64 KB, so there are some thousands at most.
    case records([[UInt8]])
    /// The name exists, but not with records of this type.
    case noData
    /// NXDOMAIN.
    case noSuchName
  }

  /// The name that the answer is about: the one asked for, or where its aliases (CNAME) led.
  package var name: DomainName
  package var content: Content
  package var security: Security
  /// In seconds.
  package var timeToLive: UInt32

  package init(name: DomainName, content: Content, security: Security, timeToLive: UInt32) {
    self.name = name
    self.content = content
    self.security = security
    self.timeToLive = timeToLive
  }
}

/// The answer to a question for records of one type.
package struct Answer<Record: RecordData>: Hashable, Sendable {
  package enum Content: Hashable, Sendable {
    /// Without those that are malformed: it is empty if all are.
    case records([Record])
    case noData
    case noSuchName
  }

  /// The name that the answer is about: the one asked for, or where its aliases (CNAME) led.
  package let name: DomainName
  package let content: Content
  package let security: Security
  /// In seconds.
  package let timeToLive: UInt32

  init(_ raw: RawAnswer) {
    name = raw.name
    security = raw.security
    timeToLive = raw.timeToLive
    content =
      switch raw.content {
      case .records(let data): .records(data.compactMap { Record(rdata: $0) })
      case .noData: .noData
      case .noSuchName: .noSuchName
      }
  }

  /// None if there is no data, or no such name.
  package var records: [Record] { if case .records(let records) = content { records } else { [] } }
  package var isSecure: Bool { security == .secure }
}
