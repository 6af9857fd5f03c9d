/// What is wrong with a command line. The server turns each into a reply.
package enum SMTPSyntaxError: Error, Hashable, Sendable {
  case unknownCommand
  /// HTTP, most likely by way of a browser: the connection is not to be trusted any further.
  case foreignProtocol
  /// A CR or LF alone.
  case bareLineEnd
  case nullOctet
  case unexpectedArgument
  case invalidHelloName
  /// No `FROM:` or `TO:`.
  case missingPath(PathDirection)
  case missingBrackets(PathDirection)
  case invalidPath(PathDirection)
  case unknownParameter(String)
  case invalidParameter(String)
  case repeatedParameter(String)
  case invalidMechanism
  /// Nobody knows how many octets follow, so the dialogue cannot go on.  RFC 3030 §2.
  case invalidChunkSize
}
