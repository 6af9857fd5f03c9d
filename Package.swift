// swift-tools-version: 6.1
import PackageDescription

/// Swift 6 language mode is the default of this tools version. The features below are on for every target:
/// - `ExistentialAny`: an existential costs something, so it is written out.
/// - `InternalImportsByDefault`: an import is an implementation detail unless the file says otherwise.
/// - `MemberImportVisibility`: a file names every module whose members it uses, so the arrows between targets are visible.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

/// A target of ours, with the settings all of them share.
func target(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

/// The tests of a target, in a folder that mirrors its sources.
func tests(
  _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [], resources: [Resource] = []
) -> Target {
  .testTarget(
    name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, exclude: exclude, resources: resources,
    swiftSettings: settings)
}

let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")

let package = Package(
  name: "martlet",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "martlet", targets: ["martlet"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections.git", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
  ],
  targets: [
    // C libraries: each is imported by exactly one Swift target.
    .systemLibrary(name: "COpenSSL", path: "Sources/COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CSQLite", path: "Sources/CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CCyrusSASL", path: "Sources/CCyrusSASL", pkgConfig: "libsasl2", providers: [.apt(["libsasl2-dev"])]),

    // libunbound's .pc file asks for libevent's, which the library does without: the module map says what to link.
    .systemLibrary(name: "CUnbound", path: "Sources/CUnbound", providers: [.apt(["libunbound-dev"])]),
    .systemLibrary(name: "CPSL", path: "Sources/CPSL", pkgConfig: "libpsl", providers: [.apt(["libpsl-dev"])]),
    // libcurl is opened when it is needed; only its headers are, here.
    .target(name: "CCurl"),
    .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),

    // tools
    target("Bytes"),
    target("Threads"),
    target("Cryptography", ["Bytes", "COpenSSL"]),
    target("SQLite", ["CSQLite"]),
    target("Zlib", ["CZlib"]),

    // mail, net
    target("MessageFormat", ["Bytes"]),
    target(
      "Networking",
      [
        "Bytes", "Cryptography", log,
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
      ]),

    target("HTTPSClient", ["Bytes", "Cryptography", "Networking", "Threads", "CCurl"]),

    // know, keep
    target("SMTP", ["Bytes", "MessageFormat"]),
    target("DKIM", ["Bytes", "Cryptography", "MessageFormat"]),
    target("DNS", ["Bytes", "MessageFormat", "Networking", "Threads", "CUnbound", "CPSL"]),
    target(
      "MailStore",
      [
        "Bytes", "MessageFormat", "SQLite", "Threads", log, metrics,
        .product(name: "DequeModule", package: "swift-collections"),
      ]),

    target("MailTransfer", ["Bytes", "Cryptography", "MessageFormat", "Networking", "MailStore"]),

    // act, judge
    target("Authentication", ["Bytes", "Cryptography", "MailStore", "MessageFormat", "CCyrusSASL", log]),
    target("SMTPClient", ["Bytes", "Cryptography", "MessageFormat", "Networking", "SMTP"]),
    target(
      "Delivery",
      [
        "Bytes", "Cryptography", "DKIM", "MessageFormat", "Networking", "DNS", "HTTPSClient", "MailStore", "SMTP",
        "SMTPClient", "Zlib", log,
      ]),

    // talk
    target(
      "SMTPServer",
      [
        "Bytes", "Cryptography", "MessageFormat", "Networking", "SMTP", "MailStore", "Authentication", "Delivery", log,
        metrics,
      ]),
    target("IMAPServer", ["Bytes", "Cryptography", "MessageFormat", "Networking", "MailStore", "Authentication", log]),
    target("POP3Server", ["Bytes", "Cryptography", "MessageFormat", "Networking", "MailStore", "Authentication", log]),

    // tests
    .target(
      name: "TestSupport",
      dependencies: ["Bytes", "Cryptography", "MessageFormat", "Networking", "DNS", "MailStore", "Authentication", log],
      path: "Tests/TestSupport", exclude: ["README.md"], swiftSettings: settings),
    tests("TestSupport"),
    tests("SMTP", ["Bytes", "MessageFormat"]),
    tests("DKIM", ["Bytes", "Cryptography", "MessageFormat"], exclude: ["Cases"]),
    tests(
      "SMTPServer", ["Delivery", "MailStore", "MessageFormat", "Networking", "TestSupport", log], exclude: ["Transcripts"]),
    tests(
      "SMTPClient",
      [
        "Authentication", "Bytes", "Cryptography", "Delivery", "MailStore", "MessageFormat", "Networking", "SMTP",
        "SMTPServer", "TestSupport", log,
      ], exclude: ["Transcripts"]),
    tests("POP3Server", ["TestSupport", "Authentication", "MailStore", "Networking"], exclude: ["Transcripts"]),

    tests("Authentication", ["Bytes", "Cryptography", "MailStore", "MessageFormat", "TestSupport", log]),

    // wire, run
    target(
      "MailServer",
      [
        "Bytes", "Cryptography", "Threads", "MessageFormat", "Networking", "MailStore", "MailTransfer", "Authentication",
        "Delivery", "SMTPServer", "IMAPServer", "POP3Server", "DNS", "HTTPSClient", "SMTP", "SMTPClient", "DKIM", log,
        metrics,
        .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        .product(name: "Yams", package: "Yams"),
      ]),
    // Not a product: measures the store alone, and the SMTP sessions without it.
    .executableTarget(
      name: "martlet-bench",
      dependencies: [
        "MailStore", "MessageFormat", "Networking", "Authentication", "Delivery", "SMTP", "SMTPServer", log, metrics,
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "martlet",
      dependencies: [
        "MailServer", "MailStore", "MailTransfer", "MessageFormat", log,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    tests("Bytes"),
    tests("Cryptography"),
    tests("DNS", ["Bytes", "MessageFormat", "Networking", "TestSupport"]),
    tests(
      "Delivery",
      [
        "Bytes", "Cryptography", "DKIM", "DNS", "HTTPSClient", "MailStore", "MessageFormat", "Networking", "SMTP",
        "SMTPClient", "TestSupport", log,
      ]),
    tests("Networking", ["Cryptography", log]),
    tests(
      "IMAPServer", ["Authentication", "Bytes", "MailStore", "Networking", "TestSupport"], exclude: ["Transcripts"]),
    tests("MessageFormat", ["Bytes"]),
    tests("SQLite"),
    tests("Zlib", ["CZlib"]),
    tests(
      "MailServer",
      [
        "Cryptography", "Delivery", "DKIM", "DNS", "MailStore", "MessageFormat", "Networking", "TestSupport", log, metrics,
      ]),
    .testTarget(name: "RepositoryTests", swiftSettings: settings),
    tests("MailTransfer", ["Bytes", "Cryptography", "MailStore", "MessageFormat", "Networking", log]),
    tests("MailStore", ["Bytes", "MessageFormat", "SQLite", "StoreTorture", metrics], exclude: ["Stores"]),
    .target(
      name: "StoreTorture", dependencies: ["MailStore", "MessageFormat", log],
      path: "Tests/Torture/StoreTorture", swiftSettings: settings),
    // Not a product: what `Tests/Torture/power` runs.
    .executableTarget(
      name: "martlet-torture", dependencies: ["StoreTorture"], path: "Tests/Torture/martlet-torture",
      swiftSettings: settings),
  ]
)

// The fuzzers need libFuzzer's main and the insides of the targets: only `Tests/Fuzz/run` builds them.
if Context.environment["MARTLET_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "Fuzz",
      dependencies: [
        "Bytes", "Cryptography", "DKIM", "MessageFormat", "Networking", "SMTP", "DNS", "MailStore", "MailTransfer",
        "Authentication", "Delivery", "SMTPServer", "IMAPServer", "POP3Server",
      ],
      path: "Tests/Fuzz", exclude: ["run", "Seeds"], swiftSettings: settings))
}
