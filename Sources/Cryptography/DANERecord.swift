import COpenSSL

/// What a TLSA record says that a server's certificate is to match.  RFC 6698 §2.1.
package struct DANERecord: Hashable, Sendable {
  package var usage: UInt8
  package var selector: UInt8
  package var matchingType: UInt8
  package var data: [UInt8]

  package init(usage: UInt8, selector: UInt8, matchingType: UInt8, data: [UInt8]) {
    self.usage = usage
    self.selector = selector
    self.matchingType = matchingType
    self.data = data
  }

  /// True if a certificate could match it: DANE-TA or DANE-EE (RFC 7672 §3.1.3: nobody says which authorities PKIX-TA
  /// and PKIX-EE would mean to a mail server), with data that is what selector and matching type say.
  package var isUsable: Bool {
    guard usage == 2 || usage == 3, selector <= 1 else { return false }
    switch matchingType {
    case 0: return selector == 0 ? isWhole(d2i_X509, X509_free) : isWhole(d2i_PUBKEY, EVP_PKEY_free)
    case 1: return data.count == 32
    case 2: return data.count == 64
    default: return false
    }
  }

  /// Certificates and keys of the real world stay far below.
  private static let mostOctets = 65_535

  /// True if the data is one DER value and nothing more.
  private func isWhole(
    _ decode: (
      UnsafeMutablePointer<OpaquePointer?>?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, Int
    ) -> OpaquePointer?, _ free: (OpaquePointer?) -> Void
  ) -> Bool {
    guard 1...Self.mostOctets ~= data.count else { return false }
    prepareOpenSSL()
    defer { ERR_clear_error() }
    return data.withUnsafeBufferPointer { bytes in
      var position = bytes.baseAddress
      guard let value = decode(nil, &position, bytes.count) else { return false }
      free(value)
      return position == bytes.baseAddress.map { $0 + bytes.count }
    }
  }
}

/// What DANE asks of a server's certificate.  RFC 7672 §3.
package struct DANEVerification: Hashable, Sendable {
  /// Those that are not usable are passed over. Without a usable one no certificate is good enough.
  package var records: [DANERecord]
  /// Names besides the server name that a certificate under a trust anchor (DANE-TA) may be for; DANE-EE asks for none.
  package var furtherNames: [String]

  package init(records: [DANERecord], furtherNames: [String]) {
    self.records = records
    self.furtherNames = furtherNames
  }

  /// Makes a session demand it, and sends `name` as SNI. If OpenSSL refuses, the session trusts nobody.
  func demand(of ssl: OpaquePointer, name: String) {
    guard SSL_dane_enable(ssl, name) > 0 else { return ERR_clear_error() }
    // RFC 7672 §3.1.1: what a DANE-EE record matches needs neither the right name nor to be valid still.
    _ = SSL_dane_set_flags(ssl, UInt(DANE_FLAG_NO_DANE_EE_NAMECHECKS_VALUE))
    SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
    for further in furtherNames { _ = SSL_add1_host(ssl, further) }
    for record in records where record.isUsable {
      _ = SSL_dane_tlsa_add(
        ssl, record.usage, record.selector, record.matchingType, record.data, record.data.count)
    }
    ERR_clear_error()
  }
}

// A macro with a cast that Swift does not know (openssl/ssl.h).
private let DANE_FLAG_NO_DANE_EE_NAMECHECKS_VALUE = 1
