import Cryptography

/// A key of an import from whatever names a message in its mailbox: as it is, or its digest where it is long.
func messageKey(_ name: some Collection<UInt8>) -> [UInt8] {
  name.count <= 40 && !name.isEmpty ? Array(name) : [0] + digest(Array(name), .sha256).prefix(20)
}
