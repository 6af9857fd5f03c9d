/// Every bound of the parsers here. What is beyond one is left out or opaque; nothing fails.
package enum MessageLimits {
  /// Multiparts and messages inside one another. Real mail stays below 10; recursion needs a bound, and so do clients.
  package static let depth = 50
  /// Parts of one message. A part costs some hundred octets, and "a hundred thousand empty parts" is an old attack.
  package static let parts = 5_000
  /// Addresses in the fields of one envelope, groups included.
  package static let addresses = 10_000
  /// Octets of an unfolded field body that are kept. RFC 5322 §2.1.1 bounds lines, not fields.
  package static let fieldBody = 32_768
  /// Parameters of one Content-Type or Content-Disposition, RFC 2231 continuations counted.
  package static let parameters = 200
  /// Language tags of Content-Language.
  package static let languages = 50
  /// Octets of a boundary. RFC 2046 §5.1.1 allows 70; longer ones are met.
  package static let boundary = 998
  /// Octets of a header that callers keep at hand, such as the head of a staged body.
  package static let header = 262_144
}
