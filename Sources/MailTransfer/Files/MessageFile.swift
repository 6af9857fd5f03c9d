import Cryptography

/// Reading a message that is a file of its own.
extension InputFile {
  /// Sends the octets, with CRLF for line ends.
  func send(to sink: ImportSink) async throws(TransferError) {
    var ends = WireLineEnds()
    var offset: Int64 = 0
    repeat {
      let chunk = try read(TransferLimits.chunk, at: offset)
      if offset == 0, let packing = packing(of: chunk) {
        throw .source("\(path) is \(packing), which is not unpacked here")
      }
      offset += Int64(chunk.count)
      var output: [UInt8] = []
      output.reserveCapacity(chunk.count + chunk.count / 16)
      chunk.withUnsafeBytes { ends.convert($0, into: &output) }
      try await sink.octets(output)
      if chunk.count < TransferLimits.chunk { break }
    } while true
  }

  /// The digest of `name` and the octets as they are.
  func digest(with name: [UInt8]) throws(TransferError) -> [UInt8] {
    var digester = Digester(.sha256)
    digester.update(name + [0])
    var offset: Int64 = 0
    while true {
      let chunk = try read(TransferLimits.chunk, at: offset)
      offset += Int64(chunk.count)
      digester.update(chunk)
      if chunk.count < TransferLimits.chunk { break }
    }
    return digester.finish()
  }
}

/// What mail servers do to messages in their files, by the first octets; nil for plain text.
private func packing(of bytes: [UInt8]) -> String? {
  let marks: [(String, [UInt8])] = [
    ("compressed (gzip)", [0x1F, 0x8B, 0x08]), ("compressed (bzip2)", [0x42, 0x5A, 0x68]),
    ("compressed (xz)", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]), ("compressed (zstd)", [0x28, 0xB5, 0x2F, 0xFD]),
    ("compressed (lz4)", Array("Dovecot-LZ4\r\u{2A}\u{9B}\u{C5}".unicodeScalars.map { UInt8($0.value) })),
    ("encrypted (mail-crypt)", Array("CRYPTED".utf8) + [0x03, 0x07]),
  ]
  return marks.first { bytes.starts(with: $0.1) }?.0
}
