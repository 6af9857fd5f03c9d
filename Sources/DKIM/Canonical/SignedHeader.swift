import Bytes
import MessageFormat

/// The header of a message, for picking the fields that a signature covers.  RFC 6376 §5.4.2.
struct SignedHeader: Sendable {
  let bytes: [UInt8]
  /// All fields from the top; lines that are no field are left out.
  let fields: [HeaderField]
  /// Indices into `fields` from the top, by lower-case name.
  private let places: [[UInt8]: [Int]]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    (fields, places) = bytes.withUnsafeBytes { bytes in
      var fields: [HeaderField] = []
      var places: [[UInt8]: [Int]] = [:]
      for field in HeaderFields(bytes) where !field.name.isEmpty {
        places[UnsafeRawBufferPointer(rebasing: bytes[field.name]).asciiLowercased, default: []].append(fields.count)
        fields.append(field)
      }
      return (fields, places)
    }
  }

  /// - Parameter name: in lower case.
  func places(of name: [UInt8]) -> [Int] { places[name] ?? [] }

  func count(of name: [UInt8]) -> Int { places[name]?.count ?? 0 }

  /// True if the header is internationalized.  RFC 6532 §3.
  var hasNonASCII: Bool { bytes.contains { $0 >= 0x80 } }

  func body(of field: Int) -> [UInt8] { Array(bytes[fields[field].body]) }

  /// The octets that a signature covers: the fields that `names` says, each name taking the lowest field of it that was
  /// not taken yet, or nothing; then the signature's own field with an empty `b=`, without its CRLF.  RFC 6376 §3.7.
  /// - Parameters:
  ///   - names: in lower case, in the order of `h=`.
  ///   - signature: the DKIM-Signature field with its value of `b=` taken out.
  ///   - own: the place of that field in this header, where it is in it: it does not cover itself as a field.
  func covered(
    by names: [[UInt8]], _ form: Canonicalization, signature: [UInt8], own: Int? = nil
  ) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(min(bytes.count, 16_384) + signature.count)
    var remaining: [[UInt8]: ArraySlice<Int>] = [:]
    bytes.withUnsafeBytes { bytes in
      for name in names {
        var left = remaining[name] ?? places(of: name).filter { $0 != own }[...]
        if let place = left.popLast() { form.append(fields[place], of: bytes, to: &output) }
        remaining[name] = left
      }
    }
    signature.withUnsafeBytes { bytes in
      var fields = HeaderFields(bytes)
      if let field = fields.next() { form.append(field, of: bytes, to: &output) }
    }
    output.removeLast(2)
    return output
  }
}
