import Bytes
import FoundationEssentials
package import Logging
package import MailStore
package import MailTransfer
package import MessageFormat
import Networking

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Brings the mail of a source to an account. The source is read here, with the rights of whoever runs this; the
/// store's holder may have others.
/// - Parameter messageSize: octets of one message, where no server holds the store; else its own limit counts.
package func importMail(
  _ plan: ImportPlan, to address: String, dataDirectory: String, messageSize: Int, clock: WallClock, logger: Logger,
  progress: @escaping ProgressHandler
) async throws(TransferError) -> ImportReport {
  try await transferMail(
    .importMail(address: address, isRehearsal: plan.isRehearsal), dataDirectory: dataDirectory,
    messageSize: messageSize, clock: clock, logger: logger
  ) { (connection) throws(TransferError) in
    try await runImport(plan, to: ImportSink(connection), progress: progress)
  }
}

/// Writes mailboxes of an account, all where none is named, to a directory: here, so that the files belong to whoever
/// runs this.
package func exportMail(
  of address: String, mailboxes: [String], to path: String, format: MailFormat, dataDirectory: String,
  clock: WallClock, logger: Logger, progress: @escaping ProgressHandler
) async throws(TransferError) -> ExportReport {
  try await transferMail(
    .exportMail(address: address, mailboxes: mailboxes), dataDirectory: dataDirectory,
    messageSize: ServerLimits().messageSize, clock: clock, logger: logger
  ) { (connection) throws(TransferError) in
    try await runExport(to: path, format: format, from: connection, progress: progress)
  }
}

/// Opens a stream of mail and lends its connection to `body`: to the server that holds the store, else to a door that
/// is opened here for as long as it takes. Other commands come in by that door too, as they would by the server's.
private func transferMail<Result>(
  _ operation: AdministrativeOperation, dataDirectory: String, messageSize: Int, clock: WallClock, logger: Logger,
  _ body: (Connection) async throws(TransferError) -> Result
) async throws(TransferError) -> Result {
  let path = controlSocketPath(in: dataDirectory)
  if let connection = try? await ClientConnection.connect(to: .local(path: path)) {
    return try await stream(operation, on: connection, body)
  }
  let store: MailStore
  do throws(StoreError) {
    store = try await MailStore.open(at: dataDirectory, options: StoreOptions(clock: clock, logger: logger))
  } catch .locked {
    throw .store("another process holds \(dataDirectory) and does not answer on its control socket")
  } catch {
    throw .store("\(dataDirectory): \(error.inWords)")
  }
  let door: Listener
  do {
    door = try await listenForCommands(
      at: path,
      Administration(store: store, clock: clock, logger: logger, isAlone: true, messageSize: messageSize),
      logger: logger)
  } catch {
    await store.close()
    throw .store("\(error)")
  }
  let outcome: Swift.Result<Result, TransferError>
  do throws(TransferError) {
    let connection: Connection
    do throws(ConnectionError) {
      connection = try await ClientConnection.connect(to: .local(path: path))
    } catch {
      throw .store("\(path) cannot be reached")
    }
    outcome = .success(try await stream(operation, on: connection, body))
  } catch {
    outcome = .failure(error)
  }
  await door.stopAccepting()
  await door.drain(within: .seconds(10))
  unlink(path)
  await store.close()
  return try outcome.get()
}

/// Asks for the stream and waits until it is open.
private func stream<Result>(
  _ operation: AdministrativeOperation, on connection: Connection,
  _ body: (Connection) async throws(TransferError) -> Result
) async throws(TransferError) -> Result {
  defer { connection.close() }
  guard let request = try? JSONEncoder().encode(operation) else { throw .store("the request cannot be written") }
  do throws(ConnectionError) {
    try await connection.send(Array(request) + [0x0A])
  } catch {
    throw .store("the server has gone away")
  }
  while true {
    switch connection.received.takeLine(limit: 1 << 20, ending: .crlfOrLF) {
    case .line(let line):
      switch try? JSONDecoder().decode(AdministrativeReply.self, from: Data(line)) {
      case .stream?: return try await body(connection)
      case .failed(let text)?: throw .store(text)
      default: throw .store("the server's reply is not one that this version knows")
      }
    case .tooLong: throw .store("the server's reply is not one that this version knows")
    case .needsMore:
      guard case .bytes = await connection.waitForInput(timeout: .seconds(60)) else {
        throw .store("the server took the request and gave no reply")
      }
    }
  }
}
