import Bytes

/// Writes a message in 7 bits as its plan has it: the second pass.
package struct SevenBitWriter: Sendable {
  private let plan: SevenBitPlan
  private var walk = EntityWalk()
  private var entityCount = 0
  private var body = Body.asItIs

  /// How the octets of the part at hand are written.
  private enum Body {
    case asItIs
    case quotedPrintable(QuotedPrintableEncoder)
    case base64(Base64LineEncoder)
    /// Characters of the line so far.
    case escaped(column: Int)
    case filtered
  }

  package init(_ plan: SevenBitPlan) { self.plan = plan }

  /// The message's own header is in what was written so far.
  package var hasPassedHeader: Bool { entityCount > 0 }

  package mutating func write(_ bytes: [UInt8], into output: inout [UInt8]) throws(SevenBitError) {
    try go(bytes, isLast: false, &output)
  }

  package mutating func finish(into output: inout [UInt8]) throws(SevenBitError) {
    try go([], isLast: true, &output)
    endBody(&output)
  }

  private mutating func go(_ bytes: [UInt8], isLast: Bool, _ output: inout [UInt8]) throws(SevenBitError) {
    var walk = walk
    self.walk = EntityWalk()
    try walk.walk(bytes, isLast: isLast) { (event) throws(SevenBitError) in
      switch event {
      case .header(let header, let entity):
        endBody(&output)
        begin(header, entity, &output)
      case .body(let bytes): put(bytes, &output)
      case .between(let bytes):
        endBody(&output)
        output += bytes.lazy.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }
      }
    }
    self.walk = walk
  }

  // MARK: Headers

  private mutating func begin(_ header: [UInt8], _ entity: EntityWalk.Entity, _ output: inout [UInt8]) {
    // The message is not the one that was planned for, if the plan ends before it does.
    let handling = entityCount < plan.handling.count ? plan.handling[entityCount] : .asItIs
    entityCount += 1
    switch handling {
    case .asItIs: output += header
    case .relabelled: output += labelled(header, entity, "7bit")
    case .quotedPrintable:
      body = .quotedPrintable(QuotedPrintableEncoder())
      output += labelled(header, entity, "quoted-printable")
    case .base64:
      body = .base64(Base64LineEncoder())
      output += labelled(header, entity, "base64")
    case .escaped:
      body = .escaped(column: 0)
      output += header
    case .filtered:
      body = .filtered
      output += header
    }
  }

  /// The header with another Content-Transfer-Encoding. What it says by saying nothing is written out where it would be
  /// untrue: without MIME-Version nobody looks for an encoding, and without a type there are no octets beyond ASCII
  /// (RFC 1428 §3).
  private func labelled(_ header: [UInt8], _ entity: EntityWalk.Entity, _ encoding: StaticString) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(header.count + 128)
    var hasVersion = false
    var end = header.count
    header.withUnsafeBytes { bytes in
      var fields = HeaderFields(bytes)
      var last = 0
      while let field = fields.next() {
        last = field.range.upperBound
        if bytes.equals("content-transfer-encoding", in: field.name) { continue }
        if bytes.equals("mime-version", in: field.name) { hasVersion = true }
        result += header[field.range]
      }
      end = last
    }
    if let last = result.last, last != 0x0A { result.append(literal: "\r\n") }
    if entity.isMessage, !hasVersion { result.append(literal: "MIME-Version: 1.0\r\n") }
    if !entity.hasContentType, entity.kind == .leaf {
      result.append(literal: "Content-Type: text/plain; charset=unknown-8bit\r\n")
    }
    result.append(literal: "Content-Transfer-Encoding: ")
    result.append(literal: encoding)
    result.append(literal: "\r\n")
    return result + (end < header.count ? Array(header[end...]) : [0x0D, 0x0A])
  }

  // MARK: Bodies

  private mutating func put(_ bytes: ArraySlice<UInt8>, _ output: inout [UInt8]) {
    switch body {
    case .asItIs: output += bytes
    case .quotedPrintable(var encoder):
      encoder.encode(bytes, into: &output)
      body = .quotedPrintable(encoder)
    case .base64(var encoder):
      // Taken out, so that what it holds is not copied.
      body = .asItIs
      encoder.encode(bytes, into: &output)
      body = .base64(encoder)
    case .escaped(var column):
      for byte in bytes { escape(byte, &column, &output) }
      body = .escaped(column: column)
    // Passed over by whoever reads base64. Without anything in their place, a delimiter could come of what is left.
    case .filtered: output += bytes.lazy.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }
    }
  }

  private func escape(_ byte: UInt8, _ column: inout Int, _ output: inout [UInt8]) {
    if byte < 0x80 {
      output.append(byte)
      column = byte == 0x0A ? 0 : column + 1
      return
    }
    if column > 72 {
      output.append(literal: "=\r\n")
      column = 0
    }
    let (high, low) = hexDigits(of: byte)
    output += [0x3D, high, low]
    column += 3
  }

  private mutating func endBody(_ output: inout [UInt8]) {
    switch body {
    case .quotedPrintable(var encoder): encoder.finish(into: &output)
    case .base64(var encoder): encoder.finish(into: &output)
    case .asItIs, .escaped, .filtered: break
    }
    body = .asItIs
  }
}
