import Foundation
import Testing

/// The rules of the sources that no compiler checks.
@Suite struct RepositoryTests {
  /// Which targets a target may import. Arrows go down only: whoever is asked to add one here adds it to the picture in
  /// `MailServer.docc` too.
  private static let arrows: [String: Set<String>] = [
    "Bytes": [],
    "Threads": [],
    "SQLite": ["CSQLite"],
    "Zlib": ["CZlib"],
    "Cryptography": ["Bytes", "COpenSSL"],
    "MessageFormat": ["Bytes"],
    "Networking": ["Bytes", "Cryptography"],
    "SMTP": ["Bytes", "MessageFormat"],
    "DKIM": ["Bytes", "Cryptography", "MessageFormat"],
    "DNS": ["Bytes", "MessageFormat", "Networking", "Threads", "CUnbound", "CPSL"],
    "HTTPSClient": ["Bytes", "Cryptography", "Networking", "Threads", "CCurl"],
    "MailStore": ["Bytes", "MessageFormat", "SQLite", "Threads"],
    "MailTransfer": ["Bytes", "Cryptography", "MessageFormat", "Networking", "MailStore"],
    "Authentication": ["Bytes", "Cryptography", "MailStore", "MessageFormat", "CCyrusSASL"],
    "SMTPClient": ["Bytes", "Cryptography", "MessageFormat", "Networking", "SMTP"],
    "Delivery": [
      "Bytes", "Cryptography", "DKIM", "MessageFormat", "Networking", "DNS", "HTTPSClient", "MailStore", "SMTP",
      "SMTPClient", "Zlib",
    ],
    "SMTPServer": [
      "Bytes", "Cryptography", "MessageFormat", "Networking", "SMTP", "MailStore", "Authentication", "Delivery",
    ],
    "IMAPServer": ["Bytes", "Cryptography", "MessageFormat", "Networking", "MailStore", "Authentication"],
    "POP3Server": ["Bytes", "Cryptography", "MessageFormat", "Networking", "MailStore", "Authentication"],
    "MailServer": [
      "Bytes", "Threads", "Cryptography", "MessageFormat", "Networking", "MailStore", "MailTransfer", "Authentication",
      "Delivery", "SMTPServer", "IMAPServer", "POP3Server", "DNS", "HTTPSClient", "SMTP", "SMTPClient", "DKIM",
    ],
    "martlet": ["MailServer", "MailStore", "MailTransfer", "MessageFormat"],
    "martlet-bench": [
      "MailStore", "MessageFormat", "Networking", "Authentication", "Delivery", "SMTP", "SMTPServer",
    ],
  ]

  /// Modules from outside, and the targets that may import them: all others reach them through those.
  private static let outside: [String: Set<String>] = [
    "NIOCore": ["Networking"], "NIOPosix": ["Networking"], "NIOConcurrencyHelpers": ["Networking"],
    "Yams": ["MailServer"], "UnixSignals": ["MailServer"], "ArgumentParser": ["martlet"],
    "FoundationEssentials": ["MailServer", "martlet"],
  ]

  @Test func importsGoDownOnly() throws {
    for file in try Self.sources() {
      for module in file.imports {
        let allowed = try #require(Self.arrows[file.target], "\(file.target) is not in the table of targets")
        if Self.arrows[module] != nil || module.hasPrefix("C") && Self.isOurs(module) {
          #expect(allowed.contains(module), "\(file.path) imports \(module): arrows go down only")
        } else if let users = Self.outside[module] {
          #expect(users.contains(file.target), "\(file.path) imports \(module), which is for \(users.sorted())")
        } else {
          #expect(module != "Foundation", "\(file.path) imports Foundation, which is 40 MB of executable")
        }
      }
    }
  }

  @Test func filesAreOfOneIdea() throws {
    for file in try Self.sources() {
      #expect(file.lines.count <= 600, "\(file.path) has \(file.lines.count) lines: it holds more than one idea")
      for (index, line) in file.lines.enumerated() {
        let place = "\(file.path):\(index + 1)"
        let words = line.split(separator: " ")
        #expect(words.first != "public" && words.first != "open", "\(place): what crosses targets is `package`")
        for word in ["TODO", "FIXME", "XXX:", "fatalError(\"skeleton\")"] {
          #expect(!line.contains(word), "\(place): \(word)")
        }
      }
    }
  }

  // MARK: Reading the sources

  private struct SourceFile {
    var target: String
    var path: String
    var lines: [Substring]

    var imports: [String] {
      lines.compactMap { line in
        var words = line.split(separator: " ").filter { !$0.hasPrefix("@") }
        if let first = words.first, ["package", "internal", "private", "fileprivate", "public"].contains(first) {
          words.removeFirst()
        }
        guard words.count >= 2, words[0] == "import" else { return nil }
        // `import struct Foundation.Data` names the module before the dot.
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "let", "var", "typealias"]
        let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
        return String(name.prefix { $0 != "." })
      }
    }
  }

  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static func isOurs(_ module: String) -> Bool {
    ["COpenSSL", "CSQLite", "CCyrusSASL", "CUnbound", "CPSL", "CCurl", "CZlib"].contains(module)
  }

  private static func sources() throws -> [SourceFile] {
    let folder = root.appendingPathComponent("Sources")
    let paths = try #require(FileManager.default.enumerator(atPath: folder.path))
    var files: [SourceFile] = []
    for case let path as String in paths where path.hasSuffix(".swift") {
      let text = try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
      let target = String(path.prefix { $0 != "/" })
      files.append(
        SourceFile(target: target, path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false)))
    }
    try #require(files.count > 50, "the sources were not found at \(folder.path)")
    return files.sorted { $0.path < $1.path }
  }
}
