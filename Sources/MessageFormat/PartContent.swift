import Bytes

/// What a body part says once its transfer encoding and its charset are taken off.  RFC 2045 §6, RFC 3516 §4.3.
extension MessagePart {
  package enum TransferEncoding: Hashable, Sendable {
    /// 7bit, 8bit, binary: the bytes are the content.
    case identity
    case base64
    case quotedPrintable
    case unknown
  }

  package var transferEncoding: TransferEncoding {
    if encoding.equalsIgnoringASCIICase("7bit") || encoding.equalsIgnoringASCIICase("8bit")
      || encoding.equalsIgnoringASCIICase("binary")
    {
      return .identity
    }
    if encoding.equalsIgnoringASCIICase("base64") { return .base64 }
    return encoding.equalsIgnoringASCIICase("quoted-printable") ? .quotedPrintable : .unknown
  }

  /// The content of `body`, the bytes of this part's `bodyRange`; nil where its encoding is not known.
  package func decodedContent(_ body: UnsafeRawBufferPointer) -> [UInt8]? {
    switch transferEncoding {
    case .identity: Array(body)
    case .base64: Base64.decodeLenient(body)
    case .quotedPrintable: QuotedPrintable.decode(body)
    case .unknown: nil
    }
  }

  /// The value of a Content-Type parameter as it is written.
  package func parameter(_ name: StaticString) -> [UInt8]? {
    parameters.first { $0.name.equalsIgnoringASCIICase(name) }?.value
  }

  package var isText: Bool { type.equalsIgnoringASCIICase("text") }
  package var isMultipart: Bool { if case .multipart = content { true } else { false } }
}
