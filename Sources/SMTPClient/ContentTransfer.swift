import SMTP

/// What the server said at the end of a message.
struct FinalReplies {
  var stage: DialogueStage
  /// One for all recipients that it took, or one for each of them in order.
  var isForEach = false
  var all: [SMTPReply] = []
  /// The session ended before the rest of the replies came (LMTP); those that came stand.
  var failure: HostFailure?

  /// Nil where the reply has not come.
  func of(_ place: Int) -> SMTPReply? {
    isForEach ? place < all.count ? all[place] : nil : all.first
  }
}

extension ClientSession {
  /// Octets of the message that are read and sent at a time.
  static let pieceSize = 65_536

  /// After DATA: waits for the go-ahead and sends the message.  RFC 5321 §4.1.1.4.
  mutating func sendData(_ content: MessageContent, recipientCount: Int) async throws(HostFailure) -> FinalReplies {
    let goAhead = try await dialogue.reply(.data, within: settings.limits.dataInitiation)
    guard goAhead.code == 354 else {
      guard goAhead.code >= 400 else { throw HostFailure(.data, .outOfStep(goAhead)) }
      return FinalReplies(stage: .data, all: [goAhead])
    }
    var pieces = ContentPieces(content, .dotted)
    let started = settings.clock.now()
    while let piece = try await pieces.next() {
      // Checked before the end goes out: after it a reply would be taken for the answer to it.
      try dialogue.expectSilence(.content)
      try await dialogue.send(piece.octets, .content, within: settings.limits.dataBlock)
      try checkRate(pieces.offset, since: started)
    }
    return await finalReplies(recipientCount)
  }

  /// Sends the message by BDAT. Where the server takes commands in advance, the chunks follow each other without a
  /// wait.  RFC 3030 §2.
  mutating func sendChunks(
    _ content: MessageContent, _ form: DataEncoder.Form, recipientCount: Int
  ) async throws(HostFailure) -> FinalReplies {
    let isPipelined = offered.contains(.pipelining)
    var pieces = ContentPieces(content, form)
    let started = settings.clock.now()
    /// Chunks that are not answered yet, the last one apart.
    var awaited = 0
    var refusal: SMTPReply?
    var hasSentLast = false
    while refusal == nil, let piece = try await pieces.next() {
      while awaited > 0, refusal == nil {
        let reply: SMTPReply
        if isPipelined {
          guard let atHand = try dialogue.replyAtHand(.content) else { break }
          guard atHand.code != 421 else { throw HostFailure(.content, .refused(atHand)) }
          reply = atHand
        } else {
          reply = try await dialogue.reply(.content, within: settings.limits.dataTermination)
        }
        awaited -= 1
        if !reply.isCompletion { refusal = reply }
      }
      if refusal != nil { break }
      if awaited == 0 { try dialogue.expectSilence(.content) }
      let command = Array("BDAT \(piece.octets.count)\(piece.isLast ? " LAST" : "")\r\n".utf8)
      try await dialogue.send(command + piece.octets, .content, within: settings.limits.dataBlock)
      try checkRate(pieces.offset, since: started)
      if piece.isLast { hasSentLast = true } else { awaited += 1 }
    }
    while awaited > 0 {
      let reply = try await dialogue.reply(.content, within: settings.limits.dataTermination)
      awaited -= 1
      if !reply.isCompletion, refusal == nil { refusal = reply }
    }
    if let refusal {
      guard refusal.code >= 400 else { throw HostFailure(.content, .outOfStep(refusal)) }
      // RFC 3030 §2: the rest of the chunks is refused as well. How often, LMTP does not say.
      if hasSentLast {
        guard settings.dialect == .smtp else { throw HostFailure(.content, .refused(refusal)) }
        _ = try await dialogue.reply(.content, within: settings.limits.dataTermination)
      }
      return FinalReplies(stage: .content, all: [refusal])
    }
    return await finalReplies(recipientCount)
  }

  private mutating func finalReplies(_ recipientCount: Int) async -> FinalReplies {
    var replies = FinalReplies(stage: .endOfData, isForEach: settings.dialect == .lmtp)
    do throws(HostFailure) {
      for _ in 0..<(replies.isForEach ? recipientCount : 1) {
        let reply = try await dialogue.reply(.endOfData, within: settings.limits.dataTermination)
        guard !(300..<400).contains(reply.code) else { throw HostFailure(.endOfData, .outOfStep(reply)) }
        replies.all.append(reply)
      }
    } catch {
      replies.failure = error
    }
    return replies
  }

  private func checkRate(_ octets: Int, since start: Duration) throws(HostFailure) {
    let elapsed = settings.clock.now() - start
    guard elapsed > settings.limits.rateGrace else { return }
    let seconds = max(1, Int(elapsed.components.seconds))
    if octets / seconds < settings.limits.leastRate { throw HostFailure(.content, .tooSlow) }
  }
}

/// A message as pieces for the wire.
struct ContentPieces {
  private let content: MessageContent
  private var encoder: DataEncoder
  /// Octets of the content that were read.
  private(set) var offset = 0
  private(set) var isFinished = false

  init(_ content: MessageContent, _ form: DataEncoder.Form) {
    self.content = content
    encoder = DataEncoder(form)
  }

  /// The next piece; the last one has the end in it. Nil after it.
  mutating func next() async throws(HostFailure) -> (octets: [UInt8], isLast: Bool)? {
    guard !isFinished else { return nil }
    var octets: [UInt8] = []
    if offset < content.size {
      let range = offset..<min(offset + ClientSession.pieceSize, content.size)
      let read: [UInt8]
      do {
        read = try await content.read(range)
      } catch {
        throw HostFailure(.content, .contentUnavailable("\(error)"))
      }
      guard !read.isEmpty, read.count <= range.count else {
        throw HostFailure(.content, .contentUnavailable("octets \(range) were asked for and \(read.count) came"))
      }
      offset += read.count
      encoder.encode(read, into: &octets)
    }
    isFinished = offset == content.size
    if isFinished { encoder.finish(into: &octets) }
    return (octets, isFinished)
  }
}
