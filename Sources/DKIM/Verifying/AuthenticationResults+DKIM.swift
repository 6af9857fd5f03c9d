import Bytes
import Cryptography

extension VerificationReport {
  /// One `resinfo` for each signature, or the one that says there is none, as Authentication-Results has them behind
  /// its semicolons: unfolded, and free of line ends whatever the message holds.  RFC 8601 §2.2, §2.7.1.
  package var authenticationResults: [String] {
    results.isEmpty ? ["dkim=none"] : results.map(\.authenticationResult)
  }
}

extension SignatureResult {
  package var authenticationResult: String {
    var text = "dkim=\(result.rawValue)"
    var comments: [String] = []
    if let keyBits, algorithm == .rsa { comments.append("\(keyBits)-bit key") }
    if isTesting { comments.append("test mode") }
    if problem == nil, unsignedOctets > 0 { comments.append("\(unsignedOctets) octets of the body are not signed") }
    if !comments.isEmpty { text += " (\(comments.joined(separator: ", ")))" }
    if let problem { text += " reason=\"\(problem)\"" }
    if let domain { text += " header.d=\(domain)" }
    if let identity { text += " header.i=\(identity.propertyValue)" }
    if let selector { text += " header.s=\(selector)" }
    if let algorithm { text += " header.a=\(algorithm.signatureName)" }
    if let signaturePrefix { text += " header.b=\(pvalue(signaturePrefix))" }
    return text
  }
}

extension SignatureAlgorithm {
  /// What `a=` says.  RFC 6376 §3.3, RFC 8463 §3.
  var signatureName: String { self == .rsa ? "rsa-sha256" : "ed25519-sha256" }
}

extension SigningIdentity {
  /// `[ [ local-part ] "@" ] domain-name` needs no quotes, unless the local part does.
  fileprivate var propertyValue: String {
    let isAtoms = localPart.utf8.allSatisfy { $0.isIn(.atext) || $0 == 0x2E }
    return isAtoms ? description : quoted(description)
  }
}

/// A `token` or a quoted string.  RFC 2045 §5.1, RFC 5322 §3.2.4.
private func pvalue(_ text: String) -> String {
  text.utf8.allSatisfy { $0.isIn(.token) } && !text.isEmpty ? text : quoted(text)
}

private func quoted(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars where !(scalar.isASCII && UInt8(scalar.value).isIn(.ctl)) {
    if scalar == "\"" || scalar == "\\" { result += "\\" }
    result.unicodeScalars.append(scalar)
  }
  return result + "\""
}
