import NIOCore

/// Sizes the buffers that NIO reads into, so that an idle connection holds next to none.
///
/// NIO keeps the first buffer of a connection for its whole life. So the first is tiny; by always announcing that the
/// next may be larger, every later read gets a fresh buffer, which is freed as soon as its bytes have been handed on.
/// (Together with one read per wake-up, which makes NIO's own pool that one buffer.)
struct ReceiveBuffers: RecvByteBufferAllocator {
  private static let kept = 256
  private static let smallest = 4_096
  private static let largest = 65_536

  private var size = ReceiveBuffers.kept

  func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { allocator.buffer(capacity: size) }

  mutating func record(actualReadBytes count: Int) -> Bool {
    if count >= size {
      size = min(max(size * 4, Self.smallest), Self.largest)
    } else {
      size = max(Self.smallest, count < size / 4 ? size / 2 : size)
    }
    return true
  }
}
