import NIOCore
import Synchronization

extension PeerAddress {
  /// What NIO knows of a socket's other end.
  init(_ address: SocketAddress?) {
    let ip = (address?.ipAddress).flatMap { IPAddress($0) }
    self = ip.map { .internet($0, port: UInt16(clamping: address?.port ?? 0)) } ?? .local
  }
}

private let connectionCounter = Atomic<UInt64>(0)

/// Unique in this process and, by its beginning, almost surely among its restarts; short enough to need no memory of its
/// own.
func newConnectionID() -> String {
  let number = connectionCounter.wrappingAdd(1, ordering: .relaxed).newValue
  return processPrefix + String(number, radix: 36)
}

private let processPrefix = String(UInt32.random(in: 46_656..<1_679_616), radix: 36)
