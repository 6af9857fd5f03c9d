import Foundation

/// A name server on loopback with a signed zone `example.`, an unsigned one below it, and one whose signatures have
/// expired. It needs `nsd` and `ldnsutils` of Debian.
final class SignedZones {
  private static let programs = ["/usr/sbin/nsd", "/usr/bin/ldns-keygen", "/usr/bin/ldns-signzone"]
  static let isPossible = programs.allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }

  /// As settings of a resolver name it.
  let address: String
  /// The DS record of `example.`.
  let trustAnchor: String

  private let folder: URL
  private let server: Process

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("zones-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let key = try Self.run("ldns-keygen", ["-a", "ECDSAP256SHA256", "-k", "example"], in: folder)
    let expiredKey = try Self.run("ldns-keygen", ["-a", "ECDSAP256SHA256", "-k", "expired.example"], in: folder)
    trustAnchor = try Self.text(of: "\(key).ds", in: folder)

    let manyHosts = (0..<1_000).map { "many MX \(1_000 - $0) mx\($0).example." }.joined(separator: "\n")
    let parent = Self.zone("example.") + """
      ns A 127.0.0.1
      secure A 192.0.2.1
      secure AAAA 2001:db8::1
      secure MX 10 secure.example.
      text TXT "one " "text"
      _25._tcp.secure TLSA 3 1 1 \(String(repeating: "ab", count: 32))
      tampered A 192.0.2.66
      alias CNAME secure
      away CNAME host.insecure
      nowhere CNAME missing
      insecure NS ns.example.
      expired NS ns.example.
      \(try Self.text(of: "\(expiredKey).ds", in: folder))
      \(manyHosts)

      """
    try Self.write(parent, "example", in: folder)
    try Self.write(Self.zone("insecure.example.") + "host A 192.0.2.2\n", "insecure.example", in: folder)
    try Self.write(Self.zone("expired.example.") + "host A 192.0.2.3\n", "expired.example", in: folder)
    _ = try Self.run("ldns-signzone", ["-n", "example", key], in: folder)
    _ = try Self.run(
      "ldns-signzone", ["-i", "20200101000000", "-e", "20200201000000", "expired.example", expiredKey], in: folder)
    // Changed after it was signed.
    let signed = try Self.text(of: "example.signed", in: folder)
    try Self.write(signed.replacingOccurrences(of: "192.0.2.66", with: "192.0.2.67"), "example.signed", in: folder)

    let port = try Self.freePort()
    address = "127.0.0.1@\(port)"
    try Self.write(Self.configuration(port: port, folder: folder.path), "nsd.conf", in: folder)
    server = Process()
    server.executableURL = URL(fileURLWithPath: "/usr/sbin/nsd")
    server.arguments = ["-d", "-c", folder.appendingPathComponent("nsd.conf").path]
    let words = Pipe()
    server.standardError = words
    server.standardOutput = words
    try server.run()
    var said = ""
    while !said.contains("nsd started") {
      let more = words.fileHandleForReading.availableData
      guard !more.isEmpty else { throw Problem(description: "nsd did not start: \(said)") }
      said += String(decoding: more, as: UTF8.self)
    }
  }

  func stop() {
    // Swift's threads have signals blocked, and so has what they start: only this one arrives. `Process` has made it the
    // leader of a group, in which its children are.
    kill(-server.processIdentifier, SIGKILL)
    server.waitUntilExit()
    try? FileManager.default.removeItem(at: folder)
  }

  struct Problem: Error, CustomStringConvertible {
    let description: String
  }

  private static func zone(_ origin: String) -> String {
    """
    $ORIGIN \(origin)
    $TTL 300
    @ SOA ns.example. admin.example. 1 3600 600 86400 300
    @ NS ns.example.

    """
  }

  private static func configuration(port: UInt16, folder: String) -> String {
    let zones = [
      ("example", "example.signed"), ("insecure.example", "insecure.example"),
      ("expired.example", "expired.example.signed"),
    ].map { "zone:\n  name: \"\($0.0)\"\n  zonefile: \"\($0.1)\"\n" }.joined()
    return """
      server:
        ip-address: 127.0.0.1
        port: \(port)
        username: ""
        zonesdir: "\(folder)"
        pidfile: ""
        database: ""
        xfrdfile: ""
        xfrdir: "\(folder)"
        zonelistfile: "\(folder)/zonelist"
        rrl-ratelimit: 0
        server-count: 1
        verbosity: 1
      remote-control:
        control-enable: no
      \(zones)
      """
  }

  /// Runs a program and returns what it prints. That goes through a file: a pipe would end only with the last process that
  /// was started meanwhile.
  private static func run(_ program: String, _ arguments: [String], in folder: URL) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/\(program)")
    process.arguments = arguments
    process.currentDirectoryURL = folder
    try write("", "output", in: folder)
    process.standardOutput = try FileHandle(forWritingTo: folder.appendingPathComponent("output"))
    try process.run()
    process.waitUntilExit()
    let text = try Self.text(of: "output", in: folder)
    guard process.terminationStatus == 0 else { throw Problem(description: "\(program) failed: \(text)") }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static func text(of name: String, in folder: URL) throws -> String {
    try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
  }

  private static func write(_ text: String, _ name: String, in folder: URL) throws {
    try text.write(to: folder.appendingPathComponent(name), atomically: false, encoding: .utf8)
  }
}

extension SignedZones {
  /// A port that nobody has for TCP or UDP just now.
  static func freePort() throws -> UInt16 {
    for _ in 0..<50 {
      let port = UInt16.random(in: 20_000..<30_000)
      let isFree = [Int32(SOCK_STREAM.rawValue), Int32(SOCK_DGRAM.rawValue)].allSatisfy { kind in
        let candidate = socket(AF_INET, kind, 0)
        defer { close(candidate) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(candidate, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
          }
        }
      }
      if isFree { return port }
    }
    throw Problem(description: "there is no free port")
  }
}
