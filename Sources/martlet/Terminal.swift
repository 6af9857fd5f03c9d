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

  func password(for name: String) throws -> String {
    if let passwordFile {
      guard let file = fopen(passwordFile, "r") else {
        complain("cannot read \(passwordFile): \(String(cString: strerror(errno)))")
        throw ExitCode.failed
      }
      defer { fclose(file) }
      return try firstLine(of: file)
    }
    if passwordStdin || isatty(STDIN_FILENO) == 0 { return try firstLine(of: stdin) }
    let first = try prompt("Password for \(name): ")
    guard try prompt("Once more: ") == first else {
      complain("the two are not the same")
      throw ExitCode.failed
    }
    return first
  }

  private func firstLine(of file: UnsafeMutablePointer<FILE>) throws -> String {
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    let count = getline(&line, &capacity, file)
    guard count > 0, let line else {
      complain("there is no password to read")
      throw ExitCode.failed
    }
    let bytes = UnsafeBufferPointer(start: line, count: count).map { UInt8(bitPattern: $0) }
    let text = String(decoding: bytes, as: UTF8.self).filter { !$0.isNewline }
    guard !text.isEmpty else {
      complain("an empty password is none")
      throw ExitCode.failed
    }
    return text
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
    return try firstLine(of: stdin)
  }
}
