import DNS

extension MailIdentity {
  /// The records as a zone file, with what one should know about them in comments.  RFC 1035 §5.1.
  ///
  /// What belongs into another zone than the domain's is at the end, and a comment too: a zone file with names from
  /// elsewhere is refused whole.
  package var zoneText: String {
    var lines = [
      "; Mail for \(domain), received by \(hostname).",
      "; Compare with what is there already: “martlet dns check \(domain)”.",
    ]
    var foreign: [String] = []
    for purpose in ExpectedRecord.Purpose.allCases {
      var records = records(for: purpose).map { (name: $0.name, line: $0.zoneFileLine()) }
      if purpose == .address, records.isEmpty {
        records = ["A", "AAAA"].map { (hostname, "; \(hostname). 3600 IN \($0) (the server's public address)") }
      }
      let comment = comment(on: purpose).map { $0.isEmpty ? ";" : "; \($0)" }
      let own = records.filter { $0.name.isWithin(domain) }.map(\.line)
      let others = records.filter { !$0.name.isWithin(domain) }.map(\.line)
      if own.isEmpty, !others.isEmpty {
        foreign += [""] + comment + others.map { $0.hasPrefix(";") ? $0 : "; \($0)" }
      } else {
        lines += [""] + comment + own
      }
    }
    if !foreign.isEmpty {
      lines += [
        "", "; The rest belongs into the zone that \(hostname) is in; take the “; ” in front of each record away.",
      ]
      lines += foreign
    }
    return lines.joined(separator: "\n")
  }

  private func comment(on purpose: ExpectedRecord.Purpose) -> [String] {
    switch purpose {
    case .mailExchanger: ["MX: where mail for the domain goes."]
    case .address:
      [
        "Where \(hostname) is. The provider who gave you the addresses must also make",
        "PTR records that lead from each of them back to \(hostname).",
      ]
        + (addresses.isEmpty
          ? ["This machine has no public address of its own: name those it is reached at with --address."] : [])
    case .senderPolicy:
      ["SPF: only the hosts in the MX records send mail from the domain. Name others that do before -all."]
        + (smarthost.map { host in
          ["Mail leaves through \(host): put what its provider asks for, such as include:…, before -all."]
        } ?? [])
    case .signingKey:
      keyRecords.isEmpty
        ? ["DKIM: the domain's mail is not signed yet. Make its keys: martlet domain dkim \(domain)"]
        : ["DKIM: the keys that sign the domain's mail, once these records are there."]
    case .messagePolicy:
      [
        "DMARC: what receivers do with mail that neither SPF nor DKIM vouches for; reports go to \(reportAddress).",
        "p=none only watches, which is good for a start where others send for the domain too.",
      ]
    case .certificate:
      [
        "TLSA (DANE): the public key of the server's certificate. It counts only where the zone is signed by DNSSEC.",
        "It is to be renewed with the key: publish that of the new key some hours before you change it, and keep the",
        "key when the certificate is renewed (certbot: --reuse-key).",
      ] + (publicKeyDigest == nil ? ["There is no certificate yet: start the server once, or name one."] : [])
    case .transportPolicy:
      [
        "MTA-STS: tells that the domain has a policy, which must be served with a valid certificate as text/plain at",
        "https://mta-sts.\(domain)/.well-known/mta-sts.txt (so mta-sts.\(domain) needs an address too):",
        "",
      ] + transportPolicy.split(separator: "\r\n").map { "    \($0)" } + [
        "",
        "Once reports show no failures, mode: enforce. The id here must change whenever the policy does.",
      ]
    case .transportReports: ["TLSRPT: who is told when other servers had trouble with TLS."]
    case .service: ["SRV: by these, clients set themselves up. “.” says that IMAP without TLS is not there."]
    case .authority:
      [
        "CAA: only the authority you name may issue certificates. With Let's Encrypt:",
        "\(hostname). 3600 IN CAA 0 issue \"letsencrypt.org\"",
      ]
    }
  }
}

extension DomainName {
  /// True if it is `other` or below it.
  func isWithin(_ other: DomainName) -> Bool { self == other || text.hasSuffix(".\(other)") }
}
