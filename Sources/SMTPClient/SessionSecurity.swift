import Cryptography
package import SMTP

/// What protected a session, for the log line and TLS reports (RFC 8460).
package enum SessionSecurity: Hashable, Sendable, CustomStringConvertible {
  case plaintext(PlaintextReason)
  case tls(TLSUse)

  /// True if nobody else can have answered in the server's place.
  package var isVerified: Bool {
    if case .tls(let use) = self { use.verification != .none && use.isNameSure } else { false }
  }

  package var isEncrypted: Bool {
    if case .tls = self { true } else { false }
  }

  /// `TLSv1.3 TLS_AES_256_GCM_SHA384 dane`, `TLSv1.3 TLS_AES_256_GCM_SHA384 none: certificate has expired`,
  /// `plaintext: not offered`.
  package var description: String {
    switch self {
    case .plaintext(let reason): "plaintext: \(reason)"
    case .tls(let use):
      "\(use.version) \(use.cipher) \(use.verification.rawValue)" + (use.problem.map { ": \($0)" } ?? "")
    }
  }
}

package struct TLSUse: Hashable, Sendable {
  package var version: String
  /// OpenSSL's name of the cipher suite.
  package var cipher: String
  package var verification: TLSVerification
  /// What is wrong with the certificate, in OpenSSL's words, where that stops nothing: under MTA-STS in `testing`, or
  /// where nobody demands a good one.
  package var problem: String?
  /// As ``ClientTLS/isNameSure``.
  package var isNameSure: Bool

  /// What the handshake has shown, whatever was hoped for.
  init(_ info: TLSInfo, _ wanted: ClientTLS) {
    version = info.version
    cipher = info.cipher
    verification =
      switch info.peerAuthentication {
      case .nobody: .none
      case .authority: .authority
      case .tlsa: .dane
      }
    problem = info.certificateProblem?.description
    isNameSure = wanted.isNameSure
  }
}

/// How it was made sure who the server is.
package enum TLSVerification: String, Hashable, Sendable {
  /// Not at all: nobody listens in, but anybody may have answered.
  case none
  /// By a certification authority, for the server's name.
  case authority = "pkix"
  /// By records in signed DNS.  RFC 7672.
  case dane
}

/// Why there is no TLS where it was not required.
package enum PlaintextReason: Hashable, Sendable, CustomStringConvertible {
  case policy
  case notOffered
  case refused(SMTPReply)
  /// In an earlier connection to the same host; the text is for the log.
  case handshakeFailed(String)

  package var description: String {
    switch self {
    case .policy: "not wanted"
    case .notOffered: "not offered"
    case .refused(let reply): "refused: \(reply)"
    case .handshakeFailed(let reason): "the handshake failed: \(reason)"
    }
  }
}
