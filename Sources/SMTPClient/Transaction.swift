import SMTP

extension ClientSession {
  /// Puts a message to the server. Returns when every recipient is decided, or the session has ended.
  package mutating func deliver(_ message: OutboundMessage) async -> MessageResult {
    var decided = DecidedRecipients(count: message.recipients.count)
    var failure: HostFailure?
    do {
      dialogue.deadline = settings.clock.now() + settings.limits.message
      try await deliver(message, &decided)
      dialogue.deadline = nil
    } catch {
      failure = error
      decided.fail(error)
      await leave(after: error)
    }
    return MessageResult(
      outcomes: decided.outcomes, failure: failure,
      passedOnDSN: offered.contains(.dsn), passedOnDeliverBy: offered.shortestDeliverBy != nil)
  }

  private mutating func deliver(
    _ message: OutboundMessage, _ decided: inout DecidedRecipients
  ) async throws(HostFailure) {
    let message = try await suited(message)
    let plan: TransactionPlan
    do throws(TransactionPlan.Refusal) {
      plan = try TransactionPlan(
        message, offered: offered, security: security, usesChunking: settings.usesChunking)
    } catch {
      return decided.refuseAll(error.problem)
    }
    var waiting: [Candidate] = []
    for (index, recipient) in message.recipients.enumerated() {
      if let command = plan.recipient(recipient) {
        waiting.append(Candidate(index: index, command: command))
      } else {
        decided[index] = RecipientOutcome(.utf8AddressNotSupported)
      }
    }
    let most = min(offered.recipientLimit ?? .max, settings.limits.recipientsInTransaction)
    while !waiting.isEmpty {
      // Also after a transaction that went well: it tells whether the server is still there.
      if transactionCount > 0 { try await reset() }
      transactionCount += 1
      let group = Array(waiting.prefix(max(1, most)))
      waiting.removeFirst(group.count)
      waiting = try await transact(plan, group, &decided) + waiting
      if decided.isRefused { return }
    }
  }

  /// In a form that the server takes, if there is one.
  private func suited(_ message: OutboundMessage) async throws(HostFailure) -> OutboundMessage {
    guard TransactionPlan.needsConversion(message.content, offered), let convert = message.sevenBitContent else {
      return message
    }
    var message = message
    do {
      if let converted = try await convert() { message.content = converted }
    } catch {
      throw HostFailure(.mail, .contentUnavailable("\(error)"))
    }
    return message
  }

  private mutating func reset() async throws(HostFailure) {
    let reply = try await ask("RSET", .reset)
    guard reply.isCompletion else { throw refusal(.reset, reply) }
  }

  /// One mail transaction.  RFC 5321 §3.3, RFC 2920 §3.1.
  /// - Returns: recipients to ask for again in another transaction, because this one had enough.
  private mutating func transact(
    _ plan: TransactionPlan, _ group: [Candidate], _ decided: inout DecidedRecipients
  ) async throws(HostFailure) -> [Candidate] {
    let limits = settings.limits
    let isPipelined = offered.contains(.pipelining)
    // BDAT has no go-ahead to wait for, so it waits until it is known that somebody is there to receive.
    let asksAtOnce = isPipelined && plan.form == .dotted
    let data = Array("DATA\r\n".utf8)

    try dialogue.expectSilence(.mail)
    let first = isPipelined ? plan.mail + group.flatMap(\.command) + (asksAtOnce ? data : []) : plan.mail
    try await dialogue.send(first, .mail, within: limits.mail)
    let mailReply = try await dialogue.reply(.mail, within: limits.mail)
    guard mailReply.isCompletion else {
      guard mailReply.code >= 400 else { throw HostFailure(.mail, .outOfStep(mailReply)) }
      decided.refuseAll(DeliveryProblem(.mail, refusedBy: mailReply))
      guard isPipelined else { return [] }
      var hasRecipient = false
      for _ in group {
        let reply = try await dialogue.reply(.recipient, within: limits.recipient)
        hasRecipient = hasRecipient || reply.isCompletion
      }
      if asksAtOnce { try await withdraw(hasRecipient: hasRecipient) }
      return []
    }

    var accepted: [Candidate] = []
    var tooMany: [Candidate] = []
    for candidate in group {
      if !isPipelined {
        try dialogue.expectSilence(.recipient)
        try await dialogue.send(candidate.command, .recipient, within: limits.recipient)
      }
      let reply = try await dialogue.reply(.recipient, within: limits.recipient)
      switch reply.code {
      case 200..<300: accepted.append(candidate)
      case 300..<400: throw HostFailure(.recipient, .outOfStep(reply))
      // RFC 5321 §4.5.3.1.10: 452 means that those so far may have the message first.
      case 452 where !accepted.isEmpty && reply.status?.subject ?? 5 == 5:
        tooMany.append(candidate)
        decided[candidate.index] = RecipientOutcome(DeliveryProblem(.recipient, refusedBy: reply))
      default: decided[candidate.index] = RecipientOutcome(DeliveryProblem(.recipient, refusedBy: reply))
      }
    }
    guard !accepted.isEmpty else {
      if asksAtOnce { try await withdraw(hasRecipient: false) }
      return []
    }
    decided.asked = accepted.map(\.index)
    let replies: FinalReplies
    if plan.form == .dotted {
      if !asksAtOnce {
        try dialogue.expectSilence(.data)
        try await dialogue.send(data, .data, within: limits.dataInitiation)
      }
      replies = try await sendData(plan.content, recipientCount: accepted.count)
    } else {
      replies = try await sendChunks(plan.content, plan.form, recipientCount: accepted.count)
    }
    for (place, candidate) in accepted.enumerated() {
      guard let reply = replies.of(place) else { continue }
      decided[candidate.index] =
        reply.isCompletion ? .delivered(reply) : RecipientOutcome(DeliveryProblem(replies.stage, refusedBy: reply))
    }
    if let failure = replies.failure { throw failure }
    decided.asked = []
    guard replies.all.contains(where: \.isCompletion) else { return [] }
    return tooMany
  }

  /// A DATA went out with the recipients, and nobody is left to receive: if the server wants the message all the same,
  /// it gets none.  RFC 2920 §3.1.
  private mutating func withdraw(hasRecipient: Bool) async throws(HostFailure) {
    let reply = try await dialogue.reply(.data, within: settings.limits.dataInitiation)
    guard reply.code == 354 else { return }
    // A server that refuses the sender and takes recipients would deliver the empty message.
    guard !hasRecipient else { throw HostFailure(.data, .outOfStep(reply)) }
    try await dialogue.send(Array(".\r\n".utf8), .content, within: settings.limits.dataBlock)
    _ = try await dialogue.reply(.endOfData, within: settings.limits.dataTermination)
  }
}

/// A recipient that can be told to the server, with its command.
struct Candidate {
  /// In the message's recipients.
  var index: Int
  var command: [UInt8]
}

/// What is known of a message's recipients while it is under way.
struct DecidedRecipients {
  private var decided: [RecipientOutcome?]
  /// The server has taken them, and is being given the message.
  var asked: [Int] = []
  /// Nobody else need be asked for.
  private(set) var isRefused = false

  init(count: Int) { decided = Array(repeating: nil, count: count) }

  subscript(index: Int) -> RecipientOutcome? {
    get { decided[index] }
    set { decided[index] = newValue }
  }

  /// All that are not decided yet.
  mutating func refuseAll(_ problem: DeliveryProblem) {
    isRefused = true
    for index in decided.indices where decided[index] == nil { decided[index] = RecipientOutcome(problem) }
  }

  /// The session has ended. What the server said about the message is about those it was given for; the others have not
  /// been asked for yet.
  mutating func fail(_ failure: HostFailure) {
    for index in decided.indices where decided[index] == nil {
      let problem = DeliveryProblem(failure)
      decided[index] = failure.isPermanent && !asked.contains(index) ? .temporary(problem) : RecipientOutcome(problem)
    }
  }

  /// Every recipient is decided when the session is done with the message, or has failed.
  var outcomes: [RecipientOutcome] {
    decided.map { $0 ?? .temporary(DeliveryProblem(HostFailure(.mail, .connectionLost))) }
  }
}
