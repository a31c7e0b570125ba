/// The completion script of fish.
enum FishCompletion {
  static func script(for places: [CompletionPlace]) -> String {
    let routes = places.map(\.route).filter { !$0.isEmpty }
    var lines = [
      "# Completion of saga in fish. `saga completion fish` writes this file.",
      "function __saga_is_at",
      "    set -l route ''",
      "    set -l words (commandline -opc)",
      "    set -e words[1]",
      "    for word in $words",
      "        set -l longer (string trim -- \"$route $word\")",
      "        contains -- \"$longer\" \(routes.map(quoted).joined(separator: " ")); or break",
      "        set route \"$longer\"",
      "    end",
      "    test \"$route\" = \"$argv[1]\"",
      "end",
      "complete -c saga -f",
    ]
    for place in places {
      let at = "complete -c saga -n " + quoted("__saga_is_at \(quoted(place.route))")
      for (word, summary) in place.next {
        lines.append("\(at) -a \(quoted(word))" + (summary.isEmpty ? "" : " -d \(quoted(summary))"))
      }
      if place.takesFile { lines.append("\(at) -F") }
      for option in place.options {
        var line = at
        for name in [option.name, option.shortName].compactMap({ $0 }) { line += " -l \(name)" }
        switch CompletionPlace.value(of: option) {
        case .words(let words): line += " -x -a \(quoted(words.joined(separator: " ")))"
        case .file: line += " -r -F"
        case .other: line += " -x"
        case nil: break
        }
        lines.append("\(line) -d \(quoted(option.help))")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func quoted(_ text: String) -> String {
    "'" + text.replacing("\\", with: "\\\\").replacing("'", with: "\\'") + "'"
  }
}
