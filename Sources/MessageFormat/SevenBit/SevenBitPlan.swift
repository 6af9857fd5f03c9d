import Bytes

/// How each part of a message is to be written so that the whole is in 7 bits: the first of two passes over it.
/// RFC 6152 §3, RFC 2045 §6.
///
/// The headers stay as they are, also where they have raw 8-bit text: that was not allowed to begin with, and nobody knows
/// what it means.
package struct SevenBitPlan: Sendable {
  enum Handling: UInt8, Sendable {
    case asItIs
    /// Its header says 8 bits, and all is in 7.
    case relabelled
    case quotedPrintable
    case base64
    /// Quoted-printable already, with raw octets in it.
    case escaped
    /// Base64 already, with octets in it that mean nothing.
    case filtered
  }

  /// One for each header, in order.
  let handling: [Handling]

  /// The first pass: the message in pieces, in order.
  package struct Scan: Sendable {
    private var walk = EntityWalk()
    private var entities: [Findings] = []

    package init() {}

    package mutating func scan(_ bytes: [UInt8]) throws(SevenBitError) { try go(bytes, isLast: false) }

    package mutating func finish() throws(SevenBitError) -> SevenBitPlan {
      try go([], isLast: true)
      var handling: [Handling] = []
      handling.reserveCapacity(entities.count)
      for entity in entities { handling.append(try entity.handling()) }
      return SevenBitPlan(handling: handling)
    }

    private mutating func go(_ bytes: [UInt8], isLast: Bool) throws(SevenBitError) {
      var walk = walk
      self.walk = EntityWalk()
      try walk.walk(bytes, isLast: isLast) { (event) throws(SevenBitError) in
        switch event {
        case .header(_, let entity): entities.append(Findings(entity))
        case .body(let bytes): entities[entities.count - 1].note(bytes)
        // Nobody reads it. What is signed has to stay all the same.
        case .between(let bytes):
          if entities.last?.isSigned == true, bytes.contains(where: { $0 >= 0x80 }) { throw .signed }
        }
      }
      self.walk = walk
    }
  }
}

/// What there is in an entity.
private struct Findings: Sendable {
  let isSigned: Bool
  private let kind: EntityWalk.Entity.Kind
  private let encoding: MessagePart.TransferEncoding
  private let isTextual: Bool
  private let saysEightBit: Bool
  private var size = 0
  /// Octets that quoted-printable writes with three.
  private var escapes = 0
  private var isEightBit = false
  private var hasNUL = false
  private var hasBareLineEnd = false
  private var isAfterCR = false

  init(_ entity: EntityWalk.Entity) {
    isSigned = entity.isSigned
    kind = entity.kind
    encoding = entity.part.transferEncoding
    isTextual = entity.part.isText || entity.part.type.equalsIgnoringASCIICase("message")
    saysEightBit =
      encoding == .identity && !entity.part.encoding.equalsIgnoringASCIICase("7bit")
  }

  mutating func note(_ bytes: ArraySlice<UInt8>) {
    size += bytes.count
    for byte in bytes {
      if (byte == 0x0A) != isAfterCR { hasBareLineEnd = true }
      isAfterCR = byte == 0x0D
      if byte >= 0x80 {
        isEightBit = true
        escapes += 1
      } else if byte < 0x20, byte != 0x0D, byte != 0x0A, byte != 0x09 {
        if byte == 0 { hasNUL = true }
        escapes += 1
      }
    }
  }

  func handling() throws(SevenBitError) -> SevenBitPlan.Handling {
    let isBinary = hasNUL || saysEightBit && (hasBareLineEnd || isAfterCR)
    if isSigned {
      if isEightBit || isBinary { throw .signed }
      return .asItIs
    }
    switch kind {
    case .composite: return saysEightBit ? .relabelled : .asItIs
    case .opaque:
      if isEightBit || isBinary { throw .opaque }
      return saysEightBit ? .relabelled : .asItIs
    case .leaf: break
    }
    switch encoding {
    case .identity where isEightBit || isBinary:
      return isTextual && !isBinary && escapes * 4 <= size ? .quotedPrintable : .base64
    case .identity: return saysEightBit ? .relabelled : .asItIs
    case .quotedPrintable: return isEightBit ? .escaped : .asItIs
    case .base64: return isEightBit ? .filtered : .asItIs
    case .unknown: return .asItIs
    }
  }
}
