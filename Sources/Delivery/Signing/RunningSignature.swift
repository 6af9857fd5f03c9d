package import DKIM
package import MessageFormat
import Synchronization

/// A signature that comes into being while a message comes in.
package final class RunningSignature: Sendable {
  private let signer: Mutex<MessageSigner?>

  /// Nil where the message can't be signed.
  /// - Parameter header: as it will be sent, to the end of the header.
  package init?(header: [UInt8], keys: [SigningIdentifier], now: Timestamp) {
    guard !keys.isEmpty, let signer = try? MessageSigner(header: header, keys: keys, now: now) else { return nil }
    self.signer = Mutex(signer)
  }

  /// More of the body.
  package func update(_ bytes: some Collection<UInt8>) {
    let bytes = Array(bytes)
    signer.withLock { $0?.update(bytes) }
  }

  /// The DKIM-Signature fields; empty where there can be none. To be called once.
  package func finish() -> [UInt8] {
    let signer = signer.withLock { $0.take() }
    guard let signer else { return [] }
    return (try? signer.finish()) ?? []
  }
}
