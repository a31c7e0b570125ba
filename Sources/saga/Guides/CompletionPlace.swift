/// What can follow the words `saga ROUTE` on a command line. A completion script has one of these for each command.
struct CompletionPlace: Sendable {
  /// The words of a command's name, or the first of them: `ops`, `ops run`; empty for `saga` alone.
  let route: String
  /// The words that may come next, each with its meaning: the rest of a name, or an operand.
  var next: [(word: String, summary: String)] = []
  /// Whether the next word may be the name of a file.
  var takesFile = false
  var options: [OptionSpec] = []

  /// What the value of an option is.
  enum Value: Sendable, Equatable {
    case words([String])
    case file
    /// A completion can't know it, as a key.
    case other
  }

  /// Returns what the value of an option is; nil for an option without a value.
  static func value(of option: OptionSpec) -> Value? {
    guard let name = option.value else { return nil }
    if !option.words.isEmpty { return .words(option.words) }
    return isFile(name) ? .file : .other
  }

  /// Returns a shell's `case` that sets `kind` and `values` for each option with a value; nothing without such an option.
  /// - Parameter list: writes words as the shell has a list of them.
  func optionCases(_ list: ([String]) -> String) -> [String] {
    let branches = options.compactMap { option -> String? in
      let pattern = option.names.map { "--\($0)" }.joined(separator: " | ")
      return switch Self.value(of: option) {
      case .words(let words): "\(pattern)) kind=words values=\(list(words)) ;;"
      case .file: "\(pattern)) kind=file ;;"
      case .other: "\(pattern)) kind=other ;;"
      case nil: nil
      }
    }
    if branches.isEmpty { return [] }
    return ["      case $option in"] + branches.map { "        " + $0 } + ["      esac"]
  }

  private static func isFile(_ name: String) -> Bool {
    ["FILE", "DIR", "OUT", "JSON", "PATH", "RULES", "SCHEMA", "DATA", "FOLDER"].contains(name)
  }

  /// Returns a place for each command, for each word that begins a name of several, and for `saga help`.
  static func all(of groups: [CommandGroup]) -> [CompletionPlace] {
    let commands = groups.flatMap(\.commands)
    let builtIn = [(word: "help", summary: "explain a command or an error code"), (word: "version", summary: "")]
    var places = [CompletionPlace(route: "", next: names(after: [], of: commands) + builtIn)]
    var seen: Set<String> = []
    for command in commands {
      for length in 1...command.path.count {
        let path = Array(command.path.prefix(length))
        guard seen.insert(path.joined(separator: " ")).inserted else { continue }
        var place = CompletionPlace(route: path.joined(separator: " "), next: names(after: path, of: commands))
        if let exact = commands.first(where: { $0.path == path }) {
          place.options = exact.options
          place.next += exact.operands.flatMap(\.words).map { ($0, "") }
          place.takesFile = exact.operands.contains { $0.words.isEmpty && isFile($0.name) }
        }
        places.append(place)
      }
    }
    let families = Set(commands.filter { $0.path.count > 1 }.map { $0.path[0] })
    places.append(CompletionPlace(route: "help", next: names(after: [], of: commands)))
    places += families.sorted().map { CompletionPlace(route: "help \($0)", next: names(after: [$0], of: commands)) }
    return places
  }

  /// Returns the words that follow these in the names of commands, each once.
  private static func names(after path: [String], of commands: [CommandSpec]) -> [(word: String, summary: String)] {
    var names: [(word: String, summary: String)] = []
    for command in commands where command.path.count > path.count && command.path.starts(with: path) {
      let word = command.path[path.count]
      let isWhole = command.path.count == path.count + 1
      if let index = names.firstIndex(where: { $0.word == word }) {
        if isWhole { names[index].summary = command.summary }
      } else {
        let family = commands.filter { $0.path.starts(with: path + [word]) }.compactMap { $0.path.last }
        names.append((word, isWhole ? command.summary : family.joined(separator: ", ")))
      }
    }
    return names
  }
}
