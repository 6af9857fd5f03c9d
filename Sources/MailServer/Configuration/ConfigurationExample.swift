/// The commented reference file. `Config/martlet.yaml` is this text.
package func exampleConfiguration() -> String {
  var lines = [
    "# Martlet's configuration, all keys with their defaults (hostname and domain have none).",
    "# Flags override environment variables, which override this file: every key has a variable, such as",
    "# MARTLET_LIMITS_MESSAGE_SIZE for limits.message_size; with __FILE appended it names a file to read the value from.",
    "# `martlet config check` finds every mistake, `martlet config show` says where each value came from.",
    "# SIGHUP makes the server read it again; keys marked (live) take effect then, others at the next start.",
    "",
  ]
  var section = ""
  for setting in Settings.all {
    let parts = setting.path.split(separator: ".").map(String.init)
    if parts.count == 2, parts[0] != section {
      lines.append("\(parts[0]):")
      section = parts[0]
    }
    let indent = parts.count == 2 ? "  " : ""
    let live = setting.change == .live ? " (live)" : ""
    for (index, line) in setting.about.enumerated() {
      lines.append("\(indent)# \(line)\(index == setting.about.count - 1 && !line.hasPrefix(" ") ? live : "")")
    }
    let separator = setting.example.hasPrefix("\n") ? "" : " "
    lines.append("\(indent)\(parts.last ?? ""):\(separator)\(setting.example)")
    lines.append("")
  }
  return lines.dropLast().joined(separator: "\n") + "\n"
}
