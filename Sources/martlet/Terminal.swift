import ArgumentParser
import FoundationEssentials

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How a command ended, for the shell.
extension ExitCode {
  static let done = ExitCode(0)
  static let failed = ExitCode(1)
  /// Checks found something odd.
  static let warnings = ExitCode(2)
  static let usage = ExitCode(64)
  /// The configuration is at fault: EX_CONFIG of sysexits.h.
  static let configuration = ExitCode(78)
}

/// Writes to standard error.
func complain(_ text: String) {
  let bytes = Array("martlet: \(text)\n".utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Writes to standard output at once, so that a waiting script sees it.
func say(_ text: String) {
  let bytes = Array("\(text)\n".utf8)
  _ = bytes.withUnsafeBytes { buffer in
    var done = 0
    while done < buffer.count {
      let count = write(STDOUT_FILENO, buffer.baseAddress! + done, buffer.count - done)
      guard count > 0 else { break }
      done += count
    }
    return done
  }
}

/// Asks a person a question that is answered with yes or no; where nobody can answer, the answer is no.
func confirms(_ question: String) -> Bool {
  guard isatty(STDIN_FILENO) == 1 else { return false }
  let bytes = Array("\(question) [y/N] ".utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
  guard let answer = readLine() else { return false }
  return ["y", "yes"].contains(answer.lowercased())
}

/// A value as JSON on one line, keys in order.
func json(_ value: some Encodable) -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  guard let data = try? encoder.encode(value) else { return "null" }
  return String(decoding: data, as: UTF8.self)
}

/// Where a new password comes from. Never from an argument: those can be read by everybody on the machine.
struct PasswordOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Read the password from the first line of a file.", valueName: "file"))
  var passwordFile: String?

  @Flag(help: "Read the password from standard input (also without this where it is not a terminal).")
  var passwordStdin = false

  /// - Parameter isNew: at a terminal it is asked for twice.
  func password(for name: String, isNew: Bool = true) throws -> String {
    if let passwordFile {
      let file = open(passwordFile, O_RDONLY | O_CLOEXEC)
      guard file >= 0 else {
        complain("cannot read \(passwordFile): \(String(cString: strerror(errno)))")
        throw ExitCode.failed
      }
      defer { close(file) }
      return try firstLine(of: file)
    }
    if passwordStdin || isatty(STDIN_FILENO) == 0 { return try firstLine(of: STDIN_FILENO) }
    let first = try prompt("Password for \(name): ")
    guard isNew else { return first }
    guard try prompt("Once more: ") == first else {
      complain("the two are not the same")
      throw ExitCode.failed
    }
    return first
  }

  /// Byte by byte, so that what follows the line stays for the next prompt.
  private func firstLine(of descriptor: Int32) throws -> String {
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while line.count < 4_096, read(descriptor, &byte, 1) == 1, byte != 0x0A { line.append(byte) }
    if line.last == 0x0D { line.removeLast() }
    guard !line.isEmpty else {
      complain("there is no password to read")
      throw ExitCode.failed
    }
    return String(decoding: line, as: UTF8.self)
  }

  /// Asks at the terminal without showing what is typed.
  private func prompt(_ question: String) throws -> String {
    let bytes = Array(question.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
    var old = termios()
    tcgetattr(STDIN_FILENO, &old)
    var quiet = old
    quiet.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(STDIN_FILENO, TCSANOW, &quiet)
    defer {
      tcsetattr(STDIN_FILENO, TCSANOW, &old)
      _ = write(STDERR_FILENO, "\n", 1)
    }
    return try firstLine(of: STDIN_FILENO)
  }
}
