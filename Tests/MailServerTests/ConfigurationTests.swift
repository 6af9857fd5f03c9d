import Foundation
import Logging
import MessageFormat
import Testing

@testable import MailServer

@Suite struct ConfigurationTests {
  /// A file's text, and every problem that is found in it.
  static let files: [(text: String, problems: [String])] = [
    ("", []),
    ("# only a comment\n", []),
    ("hostname: mail.example.org\ndomain: example.org\n", []),
    ("limits:\n", []),
    ("listeners:\n  - imaps=127.0.0.1:993\n  - protocol: smtp\n    port: 25\n    proxies: [192.0.2.0/24]\n", []),
    ("listeners: [\"lmtp=/run/martlet/lmtp.sock\", \"imap=[::1]:1143\", pop3]\n", []),
    ("tls:\n  certificates:\n    - chain: /c.pem\n      key: /k.pem\n", []),

    ("hostnam: a.example\n", ["f:1:1: unknown key \"hostnam\"; did you mean hostname?"]),
    ("limits:\n  mesage_size: 5MB\n", ["f:2:3: limits: unknown key \"mesage_size\"; did you mean message_size?"]),
    (
      "limits:\n  message_size: huge\n  recipients: 3\nlog:\n  level: loud\n  format: jsno\n",
      [
        "f:2:17: limits.message_size: expected a size from 64KiB to 2GiB, not \"huge\"",
        "f:3:15: limits.recipients: expected a number from 100 to 100000, not \"3\"",
        "f:5:10: log.level: expected one of debug, info, notice, warning, error, not \"loud\"",
        "f:6:11: log.format: expected one of logfmt, json, not \"jsno\"; did you mean json?",
      ]
    ),
    ("listeners: 25\n", ["f:1:12: listeners: expected a list"]),
    (
      "listeners:\n  - imap\n  - ipap=143\n  - protocol: smtp\n    adress: 1.2.3.4\n  - protocol: smtp\n    port: 70000\n",
      [
        "f:5:5: listeners: unknown key \"adress\"; did you mean address?",
        "f:3:5: listeners: expected a protocol (smtp, submission, submissions, lmtp, imap, imaps, pop3, pop3s), "
          + "not \"ipap\"; did you mean imap?",
        "f:7:11: listeners.port: expected a port number from 0 (any free one) to 65535, not \"70000\"",
      ]
    ),
    (
      "tls:\n  certificates:\n    - chain: /c.pem\n",
      ["f:3:7: tls.certificates: expected key: the path of a PEM file with the private key"]
    ),
    ("hostname: [a, b]\n", ["f:1:11: hostname: expected one value such as mail.example.org"]),
    (
      "hostname: under_score!\n",
      ["f:1:11: hostname: expected a full host name such as mail.example.org, not \"under_score!\""]
    ),
    ("log: info\n", ["f:1:6: log: expected keys and values"]),
    ("limits:\n  stop_within: 2h\n", ["f:2:16: limits.stop_within: expected a time from 1s to 10m, not \"2h\""]),
    ("store:\n  keep_deleted: 0d\n", ["f:2:17: store.keep_deleted: expected a time from 1h to 36500d, not \"0d\""]),
    (
      "outbound:\n  transports:\n    - hub=smtps://mail.example.net\n    - name: archive\n      server: lmtp:///run/lmtp\n"
        + "    - name: no\n      refuse: Not to them.\n  routes:\n    - example.net=hub\n    - to: [a.example, .a.example]\n"
        + "      from: b.example\n      tls: dane\n    - to: \"*\"\n      transport: archive\n", []
    ),
    (
      "outbound:\n  routes: [example.net=hbu]\n  transports: [hub=smtp://mail.example.net]\n",
      [
        "f:2: outbound.routes: expected one of direct, hub, not \"hbu\"; did you mean hub? (example.net=hbu)"
      ]
    ),
    (
      "outbound:\n  transports:\n    - hub=ftp://x\n    - direct=smtp://x\n    - name: a b\n    - name: s\n"
        + "      server: lmtp:///run/s\n      tls: required\n    - name: u\n      server: smtp://me@x\n    - name: w\n"
        + "      server: smtp://me@x\n      password: p\n      tls: required\n    - name: r\n      refuse: no\n      tls: dane\n"
        + "    - name: t\n      tls: some\n",
      [
        "f:3:7: outbound.transports.server: expected smtps://user@host, smtp://host:587, lmtp://host:24 or lmtp:///path, "
          + "not \"ftp://x\"",
        "f:4:7: outbound.transports.name: expected another name: direct is there already",
        "f:5:13: outbound.transports.name: expected up to 32 letters, digits, - and _, not \"a b\"",
        "f:8:12: outbound.transports.tls: expected nothing: a socket has no TLS",
        "f:10:15: outbound.transports.server: expected password or password_file beside a user",
        "f:14:12: outbound.transports.tls: expected verified or dane: a password is for nobody else",
        "f:17:12: outbound.transports.tls: expected nothing beside refuse",
        "f:19:12: outbound.transports.tls: expected one of opportunistic, required, verified, dane, not \"some\"",
      ]
    ),
    (
      "outbound:\n  routes:\n    - transport: direct\n    - to: a.example\n    - to: a/b\n      transport: direct\n",
      [
        "f:3:7: outbound.routes: expected to or from: domains (example.net, .example.net for those below it, * for all)",
        "f:4:7: outbound.routes: expected transport: the name of one of outbound.transports, or direct",
        "f:5:11: outbound.routes.to: expected example.net, .example.net or *, not \"a/b\"",
      ]
    ),
    ("log:\n  trace: perhaps\n", ["f:2:10: log.trace: expected true or false, not \"perhaps\""]),
  ]

  @Test(arguments: files) func everyMistakeIsFoundAtItsPlace(text: String, problems: [String]) throws {
    try withFile(text) { path in
      let loaded = LoadedConfiguration(sources: ConfigurationSources(file: path))
      let found = loaded.problems.map { $0.description.replacingOccurrences(of: path, with: "f") }
      #expect(found == problems)
    }
  }

  @Test(arguments: ["hostname: a\n  b: c\n", "a: [\n", "\thostname: a\n", "hostname: a\nhostname: b\n"])
  func whatIsNotYAMLIsToldWithItsLine(text: String) throws {
    try withFile(text) { path in
      let problems = LoadedConfiguration(sources: ConfigurationSources(file: path)).problems
      #expect(problems.count == 1)
      #expect(problems.first?.place.hasPrefix("\(path):") == true)
    }
  }

  @Test func flagsOverrideTheEnvironmentAndThatTheFile() throws {
    try withFile("hostname: file.example.org\ndomain: file.example.org\ndata: /file\nlog:\n  level: error\n") { path in
      try withFile("secret.example.org\n") { named in
        let loaded = LoadedConfiguration(
          sources: ConfigurationSources(
            file: path,
            environment: [
              "MARTLET_HOSTNAME__FILE": named, "MARTLET_DATA": "/environment", "MARTLET_LOG_LEVEL": "debug",
              "MARTLET_LISTENERS": "imap=1143 smtp=127.0.0.1:1025", "MARTLET_LIMTS_RECIPIENTS": "200",
              "MARTLET_PORT_25_TCP": "tcp://10.0.0.1:25",
            ],
            overrides: [.init(flag: "--data", path: "data", values: ["/flag"])]))
        #expect(loaded.problems.isEmpty)
        #expect(loaded.configuration.hostname?.text == "secret.example.org")
        #expect(loaded.configuration.dataDirectory == "/flag")
        #expect(loaded.configuration.log.level == .debug)
        #expect(loaded.configuration.listeners.map(\.text) == ["imap=*:1143", "smtp=127.0.0.1:1025"])
        let origins = Dictionary(uniqueKeysWithValues: loaded.shown.map { ($0.path, $0.origin) })
        #expect(origins["hostname"] == "MARTLET_HOSTNAME__FILE (\(named))")
        #expect(origins["domain"] == "\(path):2")
        #expect(origins["data"] == "--data")
        #expect(origins["log.level"] == "MARTLET_LOG_LEVEL")
        #expect(origins["limits.recipients"] == "default")
        #expect(loaded.warnings.map(\.text) == ["unknown variable; did you mean MARTLET_LIMITS_RECIPIENTS?"])
      }
    }
  }

  @Test func whatWasShownIsWhatWouldBeRead() throws {
    let loaded = LoadedConfiguration(
      sources: ConfigurationSources(
        file: nil,
        overrides: [
          .init(flag: "--set", path: "limits.message_size", values: ["1.5MB"]),
          .init(flag: "--set", path: "limits.connection", values: ["5"]),
          .init(flag: "--listen", path: "listeners", values: ["smtp=localhost:25"]),
        ]))
    #expect(
      loaded.problems.map(\.description) == [
        "--set: limits.message_size: expected a size from 64KiB to 2GiB, not \"1.5MB\"",
        "--set: unknown key \"limits.connection\"; did you mean limits.connections?",
        "--listen: listeners: expected an IP address, or * for all, not \"localhost\"",
      ])
  }

  @Test func theReferenceFileSaysTheDefaults() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let path = root.appendingPathComponent("Config/martlet.yaml").path
    #expect(
      try String(contentsOfFile: path, encoding: .utf8) == exampleConfiguration(),
      "write it anew: martlet config example > Config/martlet.yaml")
    let loaded = LoadedConfiguration(sources: ConfigurationSources(file: path))
    #expect(loaded.problems.isEmpty)
    #expect(loaded.configuration.hostname?.text == "mail.example.org")
    #expect(settingsThatNeedRestart(loaded.configuration, Configuration()) == ["hostname", "domain"])
    for setting in Settings.all where setting.change == .live {
      #expect(setting.values(loaded.configuration) == setting.values(Configuration()), "\(setting.path)")
    }
    let dev = LoadedConfiguration(
      sources: ConfigurationSources(file: root.appendingPathComponent("Config/dev.yaml").path))
    #expect(dev.problems.isEmpty)
  }

  private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString).yaml").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }
}
