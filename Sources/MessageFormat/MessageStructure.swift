/// What FETCH, SEARCH and POP3 need to know of a message without reading it again: the envelope and the tree of MIME
/// parts with byte offsets.  RFC 5322, RFC 2045–2047, RFC 9051 §2.3.5 and §2.3.6.
///
/// Offsets count from the first byte of the message as it was given to the parser. The store adds trace fields in front
/// (`prefix`), which are not part of this.
package struct MessageStructure: Hashable, Sendable {
  package var envelope: Envelope
  package var root: MessagePart

  package init(envelope: Envelope, root: MessagePart) {
    self.envelope = envelope
    self.root = root
  }
}

/// The envelope of RFC 9051 §7.5.2: header field bodies, unfolded, not decoded (encoded words stay as they are).
package struct Envelope: Hashable, Sendable {
  /// Nil where the field is absent. Bytes, because real mail has raw 8-bit here.
  package var date: [UInt8]?
  package var subject: [UInt8]?
  package var from: [EnvelopeAddress] = []
  /// Empty where absent: the reader falls back to `from`.
  package var sender: [EnvelopeAddress] = []
  package var replyTo: [EnvelopeAddress] = []
  package var to: [EnvelopeAddress] = []
  package var cc: [EnvelopeAddress] = []
  package var bcc: [EnvelopeAddress] = []
  package var inReplyTo: [UInt8]?
  package var messageID: [UInt8]?
  /// The `References` field: threading needs it, the IMAP ENVELOPE does not show it.
  package var references: [UInt8]?

  package init() {}
}

/// One element of an IMAP address list. Groups are written with their start (`host` nil, `mailbox` the group's name)
/// and end (both nil), as RFC 9051 §7.5.2 says.
package struct EnvelopeAddress: Hashable, Sendable {
  package var name: [UInt8]?
  package var route: [UInt8]?
  package var mailbox: [UInt8]?
  package var host: [UInt8]?

  package init(name: [UInt8]? = nil, route: [UInt8]? = nil, mailbox: [UInt8]? = nil, host: [UInt8]? = nil) {
    self.name = name
    self.route = route
    self.mailbox = mailbox
    self.host = host
  }
}

/// A node of the MIME tree.
package struct MessagePart: Hashable, Sendable {
  /// Where the part's header begins (for the root: the message's first byte).
  package var headerRange: Range<Int>
  /// Header with its blank line ends where the body begins; the body excludes the line end before a boundary.
  package var bodyRange: Range<Int>
  /// Number of lines in the body.  BODYSTRUCTURE `body-fld-lines`.
  package var lineCount: Int
  /// Lower-case media type and subtype, `text/plain` where absent or broken (absent inside `multipart/digest`:
  /// `message/rfc822`).
  package var type: [UInt8]
  package var subtype: [UInt8]
  /// Content-Type parameters in order; names lower-case, values unquoted, RFC 2231 continuations joined.
  package var parameters: [MIMEParameter]
  package var id: [UInt8]?
  package var description: [UInt8]?
  /// Lower-case Content-Transfer-Encoding, `7bit` where absent.
  package var encoding: [UInt8]
  package var md5: [UInt8]?
  package var disposition: [UInt8]?
  package var dispositionParameters: [MIMEParameter]
  package var languages: [[UInt8]]
  package var location: [UInt8]?
  package var content: Content

  package enum Content: Hashable, Sendable {
    case leaf
    /// At least one child.
    case multipart([MessagePart])
    /// message/rfc822 or message/global: the envelope and the tree of the message inside.
    indirect case message(MessageStructure)
  }

  package init(headerRange: Range<Int>, bodyRange: Range<Int>) {
    self.headerRange = headerRange
    self.bodyRange = bodyRange
    lineCount = 0
    type = Array("text".utf8)
    subtype = Array("plain".utf8)
    parameters = []
    encoding = Array("7bit".utf8)
    dispositionParameters = []
    languages = []
    content = .leaf
  }
}

package struct MIMEParameter: Hashable, Sendable {
  package var name: [UInt8]
  package var value: [UInt8]
  package init(name: [UInt8], value: [UInt8]) {
    self.name = name
    self.value = value
  }
}
