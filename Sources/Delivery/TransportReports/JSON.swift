import Bytes

/// A value to be written as JSON.  RFC 8259.
enum JSON {
  case text(String)
  case number(Int)
  case list([JSON])
  /// In this order.
  case object([(name: String, value: JSON)])

  var encoded: [UInt8] {
    var output: [UInt8] = []
    append(to: &output)
    return output
  }

  private func append(to output: inout [UInt8]) {
    switch self {
    case .text(let text): Self.append(text, to: &output)
    case .number(let number): output.append(decimal: number)
    case .list(let values):
      output.append(literal: "[")
      for (index, value) in values.enumerated() {
        if index > 0 { output.append(literal: ",") }
        value.append(to: &output)
      }
      output.append(literal: "]")
    case .object(let members):
      output.append(literal: "{")
      for (index, member) in members.enumerated() {
        if index > 0 { output.append(literal: ",") }
        Self.append(member.name, to: &output)
        output.append(literal: ":")
        member.value.append(to: &output)
      }
      output.append(literal: "}")
    }
  }

  /// RFC 8259 §7.
  private static func append(_ text: String, to output: inout [UInt8]) {
    output.append(literal: "\"")
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): output += [UInt8(ascii: "\\"), byte]
      case 0x00..<0x20:
        output.append(literal: "\\u00")
        output.append(text: (byte < 0x10 ? "0" : "") + String(byte, radix: 16))
      default: output.append(byte)
      }
    }
    output.append(literal: "\"")
  }
}
