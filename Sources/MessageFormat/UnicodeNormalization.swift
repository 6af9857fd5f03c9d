// The standard library normalises strings for their equality; these views are how it lets others see that.
@_spi(_Unicode) import Swift

extension String {
  /// Normalisation Form C: composed.  RFC 5198 §3.
  package var nfc: String {
    if utf8.allSatisfy({ $0 < 0x80 }) { return self }
    var result = ""
    result.unicodeScalars.append(contentsOf: _nfc)
    return result
  }

  /// Normalisation Form D: decomposed.
  package var nfd: String {
    if utf8.allSatisfy({ $0 < 0x80 }) { return self }
    var result = ""
    result.unicodeScalars.append(contentsOf: _nfd)
    return result
  }
}
