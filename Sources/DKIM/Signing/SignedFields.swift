/// Which fields of a header are signed.  RFC 6376 §5.4.1, §8.15.
package struct SignedFields: Sendable, Hashable {
  /// Signed, and once more than they are there, so that none can be added afterwards. In lower case.
  package var sealed: [String]
  /// Signed where they are there: mailing lists and resenders add them with good reason. In lower case.
  package var whereThere: [String]

  /// `from` is sealed in any case.
  package init(sealed: [String], whereThere: [String]) {
    self.sealed = (sealed.contains("from") ? [] : ["from"]) + sealed
    self.whereThere = whereThere
  }

  /// What makes a message what a reader sees, and what programs act on. Trace fields are not among them, nor any that
  /// is changed on the way.
  package static let standard = SignedFields(
    sealed: [
      "from", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references", "mime-version",
      "content-type", "content-transfer-encoding",
    ],
    whereThere: [
      "sender", "content-id", "content-description", "content-disposition", "resent-date", "resent-from", "resent-to",
      "resent-cc", "resent-message-id", "list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post",
      "list-subscribe", "list-post", "list-owner", "list-archive", "tls-report-domain", "tls-report-submitter",
    ])

  /// The names for `h=` of a header, each as often as it counts.
  func names(for header: SignedHeader) -> [[UInt8]] {
    var names: [[UInt8]] = []
    for (list, more) in [(sealed, 1), (whereThere, 0)] {
      for text in list {
        let name = Array(text.utf8)
        for _ in 0..<(header.count(of: name) + more) { names.append(name) }
      }
    }
    return names
  }
}
