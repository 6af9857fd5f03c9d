import Bytes
import Cryptography
package import MessageFormat

/// The Sender Rewriting Scheme: a message that is forwarded goes out with an address of ours, so that the SPF record of
/// its sender's domain has nothing against it, and a bounce to that address finds the way back.
///
/// `SRS0=HHHH=TT=domain=local@ours` for a sender, `SRS1=HHHH=domain==HHHH=TT=…@ours` for one that another server has
/// rewritten already: a bounce then skips the servers in between. The same form as postsrsd and libsrs2 write, so that
/// one may take over from the other. The hash keeps strangers from making such addresses (and us from sending their
/// mail anywhere); the stamp makes old ones die.
package struct SenderRewriting: Sendable {
  package enum Failure: Error, Hashable, Sendable {
    /// Begins like a rewritten address, and is none.
    case malformed
    /// Not made with a secret of ours.
    case forged
    case expired
  }

  /// Days for which a bounce finds its way back.
  static let lifetime = 21
  /// Of base64: 24 bits, for a guess that would win nothing but a bounce to somebody.
  static let hashLength = 4

  private let domain: Domain
  private let secrets: [[UInt8]]

  /// - Parameters:
  ///   - domain: one of ours, which rewritten senders get.
  ///   - secrets: the first one signs; all are accepted, so that one can be replaced. Never empty.
  package init(domain: Domain, secrets: [[UInt8]]) {
    precondition(!secrets.isEmpty)
    self.domain = domain
    self.secrets = secrets
  }

  /// The sender that a forwarded message goes out with; nil where it would be longer than an address may be.
  package func rewrite(_ sender: EmailAddress, at time: Timestamp) -> EmailAddress? {
    if sender.domain == domain { return sender }
    let local = sender.localPart
    let rewritten: String
    if let rest = Self.removing("SRS0", from: local) {
      // Another server's: what comes after the tag is its business, and goes back to it as it is.
      let hash = hash([sender.domain.text, rest], secrets[0])
      rewritten = "SRS1=\(hash)=\(sender.domain.text)=\(rest)"
    } else if let rest = Self.removing("SRS1", from: local), let first = Self.fields(rest, 3), !first[1].isEmpty {
      // The second server's: it is left out, and the bounce goes to the first one by us.
      let hash = hash([first[1], first[2]], secrets[0])
      rewritten = "SRS1=\(hash)=\(first[1])=\(first[2])"
    } else {
      let stamp = Self.stamp(Self.day(time))
      let hash = hash([stamp, sender.domain.text, local], secrets[0])
      rewritten = "SRS0=\(hash)=\(stamp)=\(sender.domain.text)=\(local)"
    }
    guard rewritten.utf8.count <= 255 else { return nil }
    return EmailAddress(localPart: rewritten, domain: domain)
  }

  /// Whom a bounce is really for; nil where the address was not rewritten, and so is an ordinary recipient.
  package func original(of recipient: EmailAddress, at time: Timestamp) throws(Failure) -> EmailAddress? {
    guard recipient.domain == domain else { return nil }
    if let rest = Self.removing("SRS0", from: recipient.localPart) {
      // `=HHHH=TT=domain=local`; the local part may have more of the separator.
      guard let fields = Self.fields(rest, 4), let home = Domain(fields[2]), !fields[3].isEmpty else {
        throw .malformed
      }
      guard matches(fields[0], [fields[1], fields[2], fields[3]]) else { throw .forged }
      guard let day = Self.day(ofStamp: fields[1]) else { throw .malformed }
      let age = (Self.day(time) % Self.cycle - day + Self.cycle) % Self.cycle
      // A clock that is a day behind makes no forgery.
      guard age <= Self.lifetime || age == Self.cycle - 1 else { throw .expired }
      return EmailAddress(localPart: fields[3], domain: home)
    }
    if let rest = Self.removing("SRS1", from: recipient.localPart) {
      guard let fields = Self.fields(rest, 3), let home = Domain(fields[1]), !fields[2].isEmpty else {
        throw .malformed
      }
      guard matches(fields[0], [fields[1], fields[2]]) else { throw .forged }
      // That server looks at the stamp.
      return EmailAddress(localPart: "SRS0" + fields[2], domain: home)
    }
    return nil
  }

  // MARK: Fields

  /// What follows the tag, beginning with the separator. `+` and `-` are separators of others' addresses too.
  private static func removing(_ tag: StaticString, from local: String) -> String? {
    let utf8 = Array(local.utf8)
    guard utf8.count > 5, utf8.prefix(4).equalsIgnoringASCIICase(tag), "=+-".utf8.contains(utf8[4]) else { return nil }
    return String(decoding: utf8[4...], as: UTF8.self)
  }

  /// The first fields of `=a=b=c…`; the last of them is the rest, separators and all.
  private static func fields(_ text: String, _ count: Int) -> [String]? {
    let fields = text.dropFirst().split(separator: "=", maxSplits: count - 1, omittingEmptySubsequences: false)
    return fields.count == count ? fields.map(String.init) : nil
  }

  // MARK: Hash

  private func hash(_ fields: [String], _ secret: [UInt8]) -> String {
    // Mail servers change the case of addresses; so it must not count.
    let message = fields.flatMap { Array($0.utf8).asciiLowercased }
    let text = Base64.encode(hmac(.sha1, key: secret, message: message))
    return String(decoding: text.prefix(Self.hashLength), as: UTF8.self)
  }

  private func matches(_ given: String, _ fields: [String]) -> Bool {
    let given = Array(given.utf8).asciiLowercased
    var isMatch = false
    for secret in secrets {
      if isEqualInConstantTime(given, Array(hash(fields, secret).utf8).asciiLowercased) { isMatch = true }
    }
    return isMatch
  }

  // MARK: Stamp

  /// Days after which stamps begin anew.
  private static let cycle = 1_024
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

  private static func day(_ time: Timestamp) -> Int { Int(time.seconds / 86_400) }

  private static func stamp(_ day: Int) -> String {
    String(decoding: [alphabet[day >> 5 & 31], alphabet[day & 31]], as: UTF8.self)
  }

  private static func day(ofStamp stamp: String) -> Int? {
    let digits = stamp.utf8.map { alphabet.firstIndex(of: $0.asciiUppercased) }
    guard digits.count == 2, let high = digits[0], let low = digits[1] else { return nil }
    return high << 5 | low
  }
}
