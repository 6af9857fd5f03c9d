extension Domain {
  /// The domain as DNS knows it, with A-labels for labels that are not ASCII; nil where that is no name for DNS: an
  /// address literal, or labels that become too long.  RFC 5890 §2.3.2.1, RFC 1035 §2.3.4.
  package var asciiText: String? {
    if isAddressLiteral { return nil }
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.utf8.count <= 253 ? text : nil }
    var labels: [String] = []
    for label in text.split(separator: ".", omittingEmptySubsequences: false) {
      if label.utf8.allSatisfy({ $0 < 0x80 }) {
        labels.append(String(label))
      } else {
        guard let encoded = Punycode.encode(label.unicodeScalars), encoded.utf8.count <= 59 else { return nil }
        labels.append("xn--" + encoded)
      }
    }
    let name = labels.joined(separator: ".")
    return name.utf8.count <= 253 ? name : nil
  }
}

/// Bootstring with the parameters of RFC 3492 §5.
private enum Punycode {
  /// Nil where the numbers do not fit, which no label of DNS's length comes near.
  static func encode(_ scalars: Substring.UnicodeScalarView) -> String? {
    var output: [UInt8] = scalars.filter(\.isASCII).map { UInt8($0.value) }
    let basicCount = output.count
    var handled = basicCount
    if basicCount > 0 { output.append(0x2D) }
    let count = scalars.count
    var (n, delta, bias) = (UInt32(128), UInt32(0), UInt32(72))
    while handled < count {
      guard let next = scalars.lazy.map(\.value).filter({ $0 >= n }).min() else { return nil }
      let (product, isTooBig) = (next - n).multipliedReportingOverflow(by: UInt32(handled + 1))
      guard !isTooBig, delta <= UInt32.max - product else { return nil }
      delta += product
      n = next
      for scalar in scalars {
        if scalar.value < n {
          guard delta < UInt32.max else { return nil }
          delta += 1
        }
        guard scalar.value == n else { continue }
        append(delta, bias: bias, to: &output)
        bias = adapted(delta, count: UInt32(handled + 1), isFirst: handled == basicCount)
        delta = 0
        handled += 1
      }
      delta += 1
      n += 1
    }
    return String(decoding: output, as: UTF8.self)
  }

  /// A number as a variable-length integer.  RFC 3492 §3.3.
  private static func append(_ number: UInt32, bias: UInt32, to output: inout [UInt8]) {
    var rest = number
    var k: UInt32 = 36
    while true {
      let threshold = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias
      if rest < threshold { break }
      output.append(digit(threshold + (rest - threshold) % (36 - threshold)))
      rest = (rest - threshold) / (36 - threshold)
      k += 36
    }
    output.append(digit(rest))
  }

  private static func digit(_ value: UInt32) -> UInt8 { UInt8(value < 26 ? 0x61 + value : 0x30 + value - 26) }

  /// RFC 3492 §3.4.
  private static func adapted(_ delta: UInt32, count: UInt32, isFirst: Bool) -> UInt32 {
    var delta = isFirst ? delta / 700 : delta / 2
    delta += delta / count
    var k: UInt32 = 0
    while delta > 455 {
      delta /= 35
      k += 36
    }
    return k + 36 * delta / (delta + 38)
  }
}
