import Bytes
package import MailStore
package import MessageFormat

/// What the store is asked to do for those of a message's recipients who have mailboxes here: every account gets it
/// once, with its trace in front.
///
/// The trace of a final delivery, first line first (RFC 5321 §4.4): `Return-Path`, `Delivered-To` (the address that
/// was written to), `Received`. Recipients with equal traces (the members of an alias) share one message.
package struct LocalDeliveryPlan: Sendable {
  package let deliveries: [LocalDelivery]
  /// For each recipient, in order, the places of its accounts in `deliveries`.
  private let places: [[Int]]

  /// - Parameters:
  ///   - received: nil for what comes into being here.
  ///   - enforcesQuota: false lets the message in even where an account has become full since it was asked.
  package init(
    recipients: [AcceptedRecipient], from sender: EmailAddress?, received: ReceivedField?, enforcesQuota: Bool
  ) {
    var received = received
    // RFC 5321 §7.2: naming one of several would tell the others of it.
    received?.recipient = recipients.count == 1 ? recipients[0].address : nil
    let trace = received?.encoded() ?? []
    var returnPath: [UInt8] = []
    returnPath.append(literal: "Return-Path: <")
    returnPath.append(text: sender?.description ?? "")
    returnPath.append(literal: ">\r\n")

    var deliveries: [LocalDelivery] = []
    var placeOfAccount: [AccountID: Int] = [:]
    var places: [[Int]] = []
    deliveries.reserveCapacity(recipients.count)
    places.reserveCapacity(recipients.count)
    for recipient in recipients {
      var prefix: [UInt8] = []
      prefix.reserveCapacity(returnPath.count + trace.count + 64)
      prefix += returnPath
      prefix.append(literal: "Delivered-To: ")
      prefix.append(text: recipient.address.description)
      prefix.append(literal: "\r\n")
      prefix += trace
      var own: [Int] = []
      for account in recipient.accounts {
        if let place = placeOfAccount[account] {
          own.append(place)
        } else {
          placeOfAccount[account] = deliveries.count
          own.append(deliveries.count)
          deliveries.append(LocalDelivery(account: account, prefix: prefix, enforcesQuota: enforcesQuota))
        }
      }
      places.append(own)
    }
    self.deliveries = deliveries
    self.places = places
  }

  /// Turns the store's results, in the order of `deliveries`, into one outcome for each recipient: nil where all its
  /// accounts have the message, or it has none.
  /// - Parameter others: the outcome of those that have no account here.
  package func failures(
    from results: [Result<AppendResult, StoreError>], others: StoreError? = nil
  ) -> [StoreError?] {
    places.map { own in
      if own.isEmpty { return others }
      for place in own {
        if place < results.count, case .failure(let error) = results[place] { return error }
      }
      return nil
    }
  }
}
