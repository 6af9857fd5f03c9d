import Bytes
import Logging

/// `ID`: who the client is, for the log.  RFC 2971.
struct Identify: AnyStateCommand {
  let fields: [(name: String, value: String?)]

  init(parsing arguments: inout ByteCursor, _ context: ParsingContext) throws(IMAPSyntaxError) {
    var fields: [(name: String, value: String?)] = []
    try arguments.expectSpace()
    if !arguments.skip(atom: "NIL") {
      // RFC 2971 §3.3 bounds them: 30 fields, names of 30 octets, values of 1,024.
      try arguments.list { (cursor: inout ByteCursor) throws(IMAPSyntaxError) in
        let name = try cursor.string()
        try cursor.expectSpace()
        let value = try cursor.nstring()
        guard fields.count < 30, name.count <= 30, value?.count ?? 0 <= 1024 else {
          throw cursor.expected("at most 30 short fields")
        }
        fields.append((String(decoding: name, as: UTF8.self), value.map { String(decoding: $0, as: UTF8.self) }))
      }
    }
    try arguments.expectEnd()
    self.fields = fields
  }

  func run(in session: inout IMAPSession) async throws(IMAPFailure) -> Completion {
    if !fields.isEmpty {
      let text = fields.map { "\($0.name)=\($0.value ?? "")" }.joined(separator: " ")
      session.logger.debug("client_id", metadata: ["client": "\(text.prefix(300))"])
    }
    session.output.append("* ID (\"name\" \"Martlet\")\r\n")
    return Completion("Pleased to meet you")
  }
}
