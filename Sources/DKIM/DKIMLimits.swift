/// Every bound of this target, each with what sets it. Headers and bodies are bounded by whoever hands them in.
package enum DKIMLimits {
  /// Signatures of one message that are looked at, from the top. Mail that passed a few lists and forwarders has four;
  /// each costs queries and a verification, and "a thousand signatures" is an old attack.  RFC 6376 §8.4.
  package static let signatures = 8
  /// Octets of a DKIM-Signature field. With a key of 4096 bits and hundreds of signed fields it stays below.
  static let signatureField = 16_384
  /// Names in `h=` of a signature that is made here. Usual mail has twenty; a header with more only wants to be long,
  /// and its signature would be as long and believed nowhere.
  static let signedNames = 500
  /// Tags of one list; RFC 6376 defines fourteen.
  static let tags = 64
  /// Octets of a key record. A key of 4096 bits takes 750.
  static let keyRecord = 4_096
  /// Records at one name that are tried. RFC 6376 §3.6.2.2 allows one and leaves more undefined.
  static let keyRecords = 4
  /// Bits of an RSA key that is believed.  RFC 8301 §3.2.
  static let rsaBits = 1024...4096
}
