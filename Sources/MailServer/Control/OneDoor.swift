package import Logging
package import MailStore
package import MessageFormat

/// Has an operation done: by the server that holds the store, else by opening the store here. Either way it is the same
/// code that does it.
package func administer(
  _ operation: AdministrativeOperation, dataDirectory: String, clock: WallClock, logger: Logger,
  sendingLimits: SendingLimits = .standard, progress: @escaping ProgressHandler = { _ in }
) async -> AdministrativeReply {
  if let reply = askServer(operation, dataDirectory: dataDirectory, progress: progress) { return reply }
  if operation == .status { return .failed("no server is running on \(dataDirectory)") }
  let store: MailStore
  do throws(StoreError) {
    store = try await MailStore.open(at: dataDirectory, options: StoreOptions(clock: clock, logger: logger))
  } catch .locked {
    return .failed("another process holds \(dataDirectory) and does not answer on its control socket")
  } catch .corrupt(let text) where operation.isVerification {
    return .verification(.unopened(text))
  } catch {
    return .failed("\(dataDirectory): \(error.inWords)")
  }
  let administration = Administration(
    store: store, clock: clock, logger: logger, isAlone: true, sendingLimits: sendingLimits)
  let reply = await administration.perform(operation, progress: progress)
  await store.close()
  return reply
}

extension AdministrativeOperation {
  fileprivate var isVerification: Bool { if case .verifyStore = self { true } else { false } }
}
