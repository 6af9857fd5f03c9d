import Cryptography
import Logging

/// The certificates that the configuration names, or a self-signed one that is kept in the data directory.
func loadCertificates(_ configuration: Configuration, hostname: String, logger: Logger) throws(StartupError)
  -> [TLSServerContext.Certificate]
{
  guard !configuration.certificates.isEmpty else {
    return [try selfSignedCertificate(for: hostname, in: configuration.dataDirectory, logger: logger)]
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

/// It is kept, so that a client that was told to trust it once goes on doing so.
private func selfSignedCertificate(for hostname: String, in dataDirectory: String, logger: Logger)
  throws(StartupError) -> TLSServerContext.Certificate
{
  let directory = "\(dataDirectory)/tls"
  let chainPath = "\(directory)/self-signed-\(hostname).pem"
  let keyPath = "\(directory)/self-signed-\(hostname).key"
  logger.warning(
    "self_signed_certificate",
    metadata: [
      "path": "\(chainPath)",
      "text": "clients will not trust this certificate; name a real one under tls.certificates",
    ])
  do {
    if fileExists(chainPath), fileExists(keyPath) {
      return TLSServerContext.Certificate(
        chain: try readFileBytes(chainPath, limit: 1 << 20), key: try readFileBytes(keyPath, limit: 1 << 20))
    }
    let certificate = try makeSelfSignedCertificate(names: [hostname])
    try makePrivateDirectory(directory)
    // The key first: a chain without its key would be taken for a whole pair.
    try writeFileBytes(certificate.key, to: keyPath, mode: 0o600)
    try writeFileBytes(certificate.chain, to: chainPath, mode: 0o644)
    return certificate
  } catch {
    throw StartupError("the self-signed certificate: \(error)")
  }
}
