/// Why a transfer cannot go on, in words for a person.
package enum TransferError: Error, Sendable, CustomStringConvertible {
  /// What is read from, or written to, is at fault.
  case source(String)
  /// The connection to the source broke; another may do.
  case sourceLost(String)
  /// The server that holds the store says no, or is gone.
  case store(String)

  package var description: String {
    switch self {
    case .source(let text), .sourceLost(let text), .store(let text): text
    }
  }
}
