import Bytes

/// Makes every line end CRLF, as messages have it on the wire and in the store, of octets that come in pieces.
struct WireLineEnds {
  private var lastWasCarriageReturn = false

  mutating func convert(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    var start = 0
    while let feed = bytes.firstIndex(of: 0x0A, from: start) {
      let hasReturn = feed > 0 ? bytes[feed - 1] == 0x0D : lastWasCarriageReturn
      output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<feed]))
      if !hasReturn { output.append(0x0D) }
      output.append(0x0A)
      start = feed + 1
    }
    output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start...]))
    if let last = bytes.last { lastWasCarriageReturn = last == 0x0D }
  }
}

/// Makes every CRLF an LF, as messages have it in files, of octets that come in pieces. Other CRs stay.
struct FileLineEnds {
  private var isHoldingReturn = false

  mutating func convert(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) {
    guard let first = bytes.first else { return }
    if isHoldingReturn, first != 0x0A { output.append(0x0D) }
    isHoldingReturn = false
    var start = 0
    while let end = bytes.firstIndex(of: 0x0D, from: start) {
      output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      if end + 1 == bytes.count {
        isHoldingReturn = true
      } else if bytes[end + 1] != 0x0A {
        output.append(0x0D)
      }
      start = end + 1
    }
    output.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[start...]))
  }

  /// A CR at the very end.
  mutating func finish(into output: inout [UInt8]) {
    if isHoldingReturn { output.append(0x0D) }
    isHoldingReturn = false
  }
}
