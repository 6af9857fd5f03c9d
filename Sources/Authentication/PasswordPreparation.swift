import MessageFormat

/// The octets a password is hashed as: prepared by SASLprep where it is text, as they are where it is not.
///
/// SCRAM clients prepare the password before they hash it (RFC 5802 §2.2), so what is stored is derived from the
/// prepared form and PLAIN's password is prepared before it is compared (RFC 4616 §4). Characters that SASLprep
/// forbids are let through: a password that a client sends unprepared then still is the same as the one that was set.
func preparedPassword(_ octets: [UInt8]) -> [UInt8] {
  if octets.allSatisfy({ $0 < 0x80 }) { return octets }
  guard let text = String(validating: octets, as: UTF8.self) else { return octets }
  return Array(saslPrepared(text).utf8)
}

/// SASLprep's mapping and normalisation.  RFC 4013 §2.1, §2.2.
func saslPrepared(_ text: String) -> String {
  var mapped = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    if scalar.isASCII {
      mapped.append(scalar)
    } else if isSpace(scalar) {
      mapped.append(" ")
    } else if !isMappedToNothing(scalar) {
      mapped.append(contentsOf: CompatibilityMappings.mapping(of: scalar) ?? [scalar])
    }
  }
  return String(mapped).nfc
}

/// RFC 3454 table C.1.2, without U+200B, which table B.1 has too and clients drop.
private func isSpace(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0xA0, 0x1680, 0x2000...0x200A, 0x202F, 0x205F, 0x3000: true
  default: false
  }
}

/// RFC 3454 table B.1.
private func isMappedToNothing(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0xAD, 0x34F, 0x1806, 0x180B...0x180D, 0x200B...0x200D, 0x2060, 0xFE00...0xFE0F, 0xFEFF: true
  default: false
  }
}
