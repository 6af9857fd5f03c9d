package import Cryptography

/// A self-signed certificate for `mail.example.test` and `localhost`, with its key. For tests only; nothing trusts it.
package enum TestCertificate {
  package static let certificate = TLSServerContext.Certificate(chain: Array(chain.utf8), key: Array(key.utf8))

  package static let chain = """
    -----BEGIN CERTIFICATE-----
    MIIBuDCCAV6gAwIBAgIUV/AHyIjov53cBPFKqxi8sYDERDQwCgYIKoZIzj0EAwIw
    HDEaMBgGA1UEAwwRbWFpbC5leGFtcGxlLnRlc3QwIBcNMjYxMTIyMjE1NDQ2WhgP
    MjEyNjEwMjkyMTU0NDZaMBwxGjAYBgNVBAMMEW1haWwuZXhhbXBsZS50ZXN0MFkw
    EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUywd/FqaxM4JWr72omNCbtqCxPT9/cn/
    0ZS4yQKxmnOuQrRfiUGGZsvU5IwgJDXeAOjv/LD076+faRGcwPkToqN8MHowHQYD
    VR0OBBYEFAzci/+3KaQCLaV6x6BRdJiMvkXHMB8GA1UdIwQYMBaAFAzci/+3KaQC
    LaV6x6BRdJiMvkXHMA8GA1UdEwEB/wQFMAMBAf8wJwYDVR0RBCAwHoIRbWFpbC5l
    eGFtcGxlLnRlc3SCCWxvY2FsaG9zdDAKBggqhkjOPQQDAgNIADBFAiEAye0TvpSR
    p13I1Cw82WC5iXsUKvAziC/LxoUI35eJ6OACIB+j/13JncWeIFx3TCu/Cx1IUIoN
    B2vUscRvMzxoxOna
    -----END CERTIFICATE-----

    """

  package static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghsFmQCZ0B61vwVPK
    u6ZFqcj4/AejjfK+dYH5kwZFbnOhRANCAARTLB38WprEzglavvaiY0Ju2oLE9P39
    yf/RlLjJArGac65CtF+JQYZmy9TkjCAkNd4A6O/8sPTvr59pEZzA+ROi
    -----END PRIVATE KEY-----

    """
}
