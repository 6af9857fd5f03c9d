import Yams

extension LoadedConfiguration {
  /// Reads the YAML file: every error with its line and column, none hides another.
  mutating func readFile(_ path: String) {
    let text: String
    do throws(FileProblem) {
      let bytes = try readFileBytes(path, limit: 1 << 20)
      guard let decoded = String(validating: bytes, as: UTF8.self) else {
        problems.append(ConfigurationProblem(place: path, path: "", text: "expected UTF-8 text"))
        return
      }
      text = decoded
    } catch {
      problems.append(ConfigurationProblem(place: path, path: "", text: error.description))
      return
    }
    do {
      // The basic resolver: values are texts here, and the settings say what they must be.
      guard let root = try Yams.compose(yaml: text, .basic) else { return }
      if case .scalar(let scalar) = root, scalar.string.isEmpty { return }
      var reader = FileReader(path: path, loaded: self)
      reader.section(root, prefix: "")
      self = reader.loaded
    } catch let error as YamlError {
      problems.append(ConfigurationProblem(yaml: error, file: path))
    } catch {
      problems.append(ConfigurationProblem(place: path, path: "", text: "expected YAML: \(error)"))
    }
  }
}

/// Walks the tree of a file along the table of settings.
private struct FileReader {
  let path: String
  var loaded: LoadedConfiguration

  mutating func section(_ node: Node, prefix: String) {
    guard case .mapping(let mapping) = node else {
      problem(node, at: String(prefix.dropLast()), "expected keys and values")
      return
    }
    for (keyNode, value) in mapping {
      let key = keyNode.scalar?.string ?? ""
      let full = prefix + key
      if let setting = Settings.byPath[full] {
        read(value, as: setting, keyNode)
      } else if Settings.all.contains(where: { $0.path.hasPrefix(full + ".") }) {
        if !isNull(value) { section(value, prefix: full + ".") }
      } else {
        problem(keyNode, at: String(prefix.dropLast()), unknown(key, among: siblings(prefix)))
      }
    }
  }

  private mutating func read(_ node: Node, as setting: Setting, _ keyNode: Node) {
    switch setting.form {
    case .scalar(let apply):
      guard case .scalar(let scalar) = node else {
        problem(node, at: setting.path, "expected one value such as \(setting.example)")
        return
      }
      do throws(EntryProblem) {
        try apply(&loaded.configuration, scalar.string)
      } catch {
        problem(node, at: setting.path, "expected \(error.expected)")
      }
    case .list(let fields, let apply):
      guard case .sequence(let sequence) = node else {
        if !isNull(node) { problem(node, at: setting.path, "expected a list") }
        return
      }
      let nodes = Array(sequence)
      let (entries, indices) = entries(nodes, fields: fields, of: setting)
      for (index, problem) in apply(&loaded.configuration, entries).sorted(by: { $0.key < $1.key }) {
        let node = nodes[indices[index]]
        let place = problem.field.flatMap { node.mapping?[$0] } ?? node
        let path = problem.field.map { "\(setting.path).\($0)" } ?? setting.path
        self.problem(place, at: path, "expected \(problem.expected)")
      }
    }
    loaded.origins[setting.path] = .file(path, line: keyNode.mark?.line ?? 0)
  }

  /// The entries that have the right shape, and where in `nodes` each one was.
  private mutating func entries(_ nodes: [Node], fields: [String], of setting: Setting) -> ([ListEntry], [Int]) {
    var entries: [ListEntry] = []
    var indices: [Int] = []
    for (index, node) in nodes.enumerated() {
      switch node {
      case .scalar(let scalar):
        entries.append(.text(scalar.string))
        indices.append(index)
      case .mapping(let mapping):
        var values: [String: [String]] = [:]
        for (keyNode, value) in mapping {
          let key = keyNode.scalar?.string ?? ""
          if !fields.contains(key) {
            problem(keyNode, at: setting.path, unknown(key, among: fields))
          } else if case .scalar(let scalar) = value {
            values[key] = [scalar.string]
          } else if case .sequence(let list) = value, list.allSatisfy({ $0.scalar != nil }) {
            values[key] = list.compactMap { $0.scalar?.string }
          } else {
            problem(value, at: "\(setting.path).\(key)", "expected one value or a list of values")
          }
        }
        entries.append(.fields(values))
        indices.append(index)
      default:
        problem(node, at: setting.path, "expected a short form or keys and values (\(fields.joined(separator: ", ")))")
      }
    }
    return (entries, indices)
  }

  /// The keys that exist on the level of `prefix`.
  private func siblings(_ prefix: String) -> [String] {
    var names: [String] = []
    for setting in Settings.all where setting.path.hasPrefix(prefix) {
      let name = String(setting.path.dropFirst(prefix.count).prefix { $0 != "." })
      if !names.contains(name) { names.append(name) }
    }
    return names
  }

  private func unknown(_ key: String, among names: [String]) -> String {
    let hint =
      suggestion(for: key, among: names).map { "did you mean \($0)?" } ?? "expected \(names.joined(separator: ", "))"
    return "unknown key \(quoted(key)); \(hint)"
  }

  private func isNull(_ node: Node) -> Bool {
    guard let scalar = node.scalar else { return false }
    return scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
  }

  private mutating func problem(_ node: Node, at path: String, _ text: String) {
    let place = node.mark.map { "\(self.path):\($0.line):\($0.column)" } ?? self.path
    loaded.problems.append(ConfigurationProblem(place: place, path: path, text: text))
  }
}

extension ConfigurationProblem {
  fileprivate init(yaml error: YamlError, file: String) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      self.init(place: "\(file):\(mark.line):\(mark.column)", path: "", text: "expected YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      self.init(
        place: "\(file):\(context.mark.line):\(context.mark.column)", path: "",
        text: "expected each key once, but \(duplicates.joined(separator: ", ")) is there again")
    default:
      self.init(place: file, path: "", text: "expected YAML: \(error)")
    }
  }
}
