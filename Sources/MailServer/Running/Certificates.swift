import Cryptography
import Logging
import MessageFormat

/// The certificates that the configuration names, or a self-signed one that is kept in the data directory.
func loadCertificates(_ configuration: Configuration, hostname: String, clock: WallClock, logger: Logger)
  throws(StartupError) -> [TLSServerContext.Certificate]
{
  guard !configuration.certificates.isEmpty else {
    return [try selfSignedCertificate(for: hostname, in: configuration.dataDirectory, clock: clock, logger: logger)]
  }
  var certificates: [TLSServerContext.Certificate] = []
  for files in configuration.certificates {
    do throws(FileProblem) {
      certificates.append(
        TLSServerContext.Certificate(
          chain: try readFileBytes(files.chain, limit: 1 << 20), key: try readFileBytes(files.key, limit: 1 << 20)))
    } catch {
      throw StartupError("tls.certificates: \(error)")
    }
  }
  return certificates
}

/// The certificate that the server shows under its own name, with its chain: of those configured the one for that name,
/// else the first; or the one it has made for itself. Nil: it has none yet.
func certificateInUse(_ configuration: Configuration, hostname: String) throws(FileProblem) -> [UInt8]? {
  guard !configuration.certificates.isEmpty else {
    let path = selfSignedChainPath(for: hostname, in: configuration.dataDirectory)
    return fileExists(path) ? try readFileBytes(path, limit: 1 << 20) : nil
  }
  var first: [UInt8]?
  for files in configuration.certificates {
    let chain = try readFileBytes(files.chain, limit: 1 << 20)
    let names = (try? certificateNames(pem: chain)) ?? []
    if names.contains(hostname) || names.contains("*\(hostname.drop { $0 != "." })") { return chain }
    first = first ?? chain
  }
  return first
}

private func selfSignedChainPath(for hostname: String, in dataDirectory: String) -> String {
  "\(dataDirectory)/tls/self-signed-\(hostname).pem"
}

/// Whether clients are asked for a certificate, and whose they may be.
func loadClientAuthorities(_ configuration: Configuration) throws(FileProblem) -> TLSServerContext.ClientCertificates {
  guard let path = configuration.clientAuthorities else { return .notRequested }
  return .requested(trusted: [try readFileBytes(path, limit: 1 << 20)])
}

/// Ten years: nobody renews what nobody has asked for.
private let validDays = 3_650

/// It is kept, so that a client that was told to trust it once goes on doing so.
private func selfSignedCertificate(for hostname: String, in dataDirectory: String, clock: WallClock, logger: Logger)
  throws(StartupError) -> TLSServerContext.Certificate
{
  let directory = "\(dataDirectory)/tls"
  let chainPath = selfSignedChainPath(for: hostname, in: dataDirectory)
  let keyPath = "\(directory)/self-signed-\(hostname).key"
  logger.warning(
    "self_signed_certificate",
    metadata: [
      "path": "\(chainPath)",
      "text": "clients will not trust this certificate; name a real one under tls.certificates",
    ])
  do {
    if fileExists(chainPath), fileExists(keyPath) {
      let kept = TLSServerContext.Certificate(
        chain: try readFileBytes(chainPath, limit: 1 << 20), key: try readFileBytes(keyPath, limit: 1 << 20))
      if try certificateExpiry(pem: kept.chain) > clock.now().seconds + 86_400 { return kept }
    }
    let authority = try CertificateAuthority(name: "Martlet on \(hostname)", days: validDays)
    let certificate = try authority.issue(names: [hostname], days: validDays)
    try makePrivateDirectory(directory)
    // The key first: a chain without its key would be taken for a whole pair.
    try writeFileBytes(certificate.key, to: keyPath, mode: 0o600)
    try writeFileBytes(certificate.chain, to: chainPath, mode: 0o644)
    return certificate
  } catch {
    throw StartupError("the self-signed certificate: \(error)")
  }
}
