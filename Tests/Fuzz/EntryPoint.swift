import Glibc

/// What libFuzzer runs: one parser, with a property or two that must hold whatever it is fed. A broken property traps,
/// and libFuzzer keeps the input.
struct EntryPoint: Sendable {
  /// The name given to `Tests/Fuzz/run`, and of the folder its seeds are in.
  let name: String
  let body: @Sendable ([UInt8]) -> Void

  static let all: [EntryPoint] = [
    .structure, .encodedStructure, .header, .text, .addresses, .dates, .transferEncodings,
    .receivedBytes, .proxyHeader, .smtpCommand, .smtpParameters, .smtpData, .smtpHeader, .smtpReply, .smtpEncoding,
    .imapCommand, .pop3Command, .packRecord, .sasl, .tagList, .keyRecord, .dkimMessage, .recordData, .mtaSTS,
    .tlsReporting, .imapResponse, .mbox, .maildir, .transferFrame, .sevenBit,
  ]
}

/// Chosen once: libFuzzer has no arguments left for us.
private let chosen: EntryPoint = {
  let name = getenv("MARTLET_FUZZ_ENTRY").map { String(cString: $0) } ?? ""
  guard let entry = EntryPoint.all.first(where: { $0.name == name }) else {
    print("MARTLET_FUZZ_ENTRY must be one of", EntryPoint.all.map(\.name).joined(separator: " "))
    exit(64)
  }
  return entry
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  chosen.body(Array(UnsafeBufferPointer(start: start, count: count)))
  return 0
}

/// Names of all entry points, for the script that runs them.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<CInt>?,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
  if getenv("MARTLET_FUZZ_LIST") != nil {
    for entry in EntryPoint.all { print(entry.name) }
    exit(0)
  }
  return 0
}
