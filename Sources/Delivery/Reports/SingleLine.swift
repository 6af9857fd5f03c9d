extension String {
  /// The beginning of what a stranger says, without what could end a line or do more than be read.
  func singleLine(upTo length: Int) -> String {
    let scalars = unicodeScalars.prefix(length).map { scalar -> Unicode.Scalar in
      scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) ? " " : scalar
    }
    return String(String.UnicodeScalarView(scalars))
  }
}
