import CPSL

/// Where registries end and the domains of organisations begin, after the Public Suffix List.
package enum PublicSuffixes {
  /// The system's list or libpsl's own, whichever is newer. It is only read, by any thread.
  private struct List: @unchecked Sendable {
    let pointer: OpaquePointer?
  }
  private static let list = List(pointer: psl_latest(nil))

  /// The domain that an organisation has registered: `example.co.uk` for `mail.example.co.uk`. A name that is a public
  /// suffix itself has none and is returned as it is.  RFC 7489 §3.2.
  package static func organisationalDomain(of name: DomainName) -> DomainName {
    guard let list = list.pointer else { return name }
    return name.text.withCString { text in
      // Points into the text.
      psl_registrable_domain(list, text).flatMap { DomainName(String(cString: $0)) } ?? name
    }
  }

  /// `com`, `co.uk`, `github.io`: names that anybody may register below.
  package static func contains(_ name: DomainName) -> Bool {
    guard let list = list.pointer else { return false }
    return psl_is_public_suffix(list, name.text) == 1
  }
}
