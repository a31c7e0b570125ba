/// The help, made from the commands' specs. Its lines have at most 80 columns.
enum Help {
  static let width = 80
  /// What the program is for, in one line.
  static let purpose = "run workflows of the laboratory, and undo what fails"

  /// The output of `saga` alone.
  static func overview(of groups: [CommandGroup], style: Style) -> String {
    var lines = ["saga: \(purpose)", ""]
    lines += ["usage: saga COMMAND [OPTION]…"]
    let column = groups.flatMap(\.commands).map { $0.name.count }.max() ?? 0
    for group in groups {
      lines += ["", style.bold(group.title)]
      lines += group.commands.map { "  " + Layout.pad($0.name, to: column) + "  " + $0.summary }
    }
    lines += ["", style.bold("Start here")]
    lines += [
      "  make demo                        a plate of 96 tubes; nothing to set up",
      "  saga check workflows/*.json      find mistakes in workflow files",
      "  saga help COMMAND                what a command takes, with examples",
      "  saga help CODE                   what an error code means, and what to do",
      "",
      "Exit status: 0 success; 1 failure or errors found; 2 wrong usage.",
    ]
    return lines.joined(separator: "\n") + "\n"
  }

  static func text(of command: CommandSpec, style: Style) -> String {
    var lines = ["saga \(command.name): \(command.summary)", ""]
    lines += usage(of: command)
    for paragraph in command.about { lines += [""] + Layout.wrap(paragraph, width: width) }
    if !command.operands.isEmpty || !command.options.isEmpty {
      lines.append("")
      let rows =
        command.operands.map { ($0.name, $0.help) }
        + command.options.map { ($0.shown, $0.wholeHelp) }
      lines += table(rows)
    }
    lines += ["", style.bold("Examples")]
    for example in command.examples {
      lines += Layout.wrap("# " + example.says, width: width - 2).map { "  " + style.dim($0) }
      lines += ["  " + example.line]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func usage(of command: CommandSpec) -> [String] {
    var words = ["saga", command.name]
    if !command.options.isEmpty { words.append("[OPTION]…") }
    for operand in command.operands {
      switch operand.count {
      case .one: words.append(operand.name)
      case .atMostOne: words.append("[\(operand.name)]")
      case .oneOrMore: words.append("\(operand.name)…")
      case .anyNumber: words.append("[\(operand.name)]…")
      }
    }
    return ["usage: " + words.joined(separator: " ")]
  }

  /// Returns names on the left and their meanings on the right. A name too long for its column gets its own line.
  private static func table(_ rows: [(name: String, help: String)]) -> [String] {
    let column = min(24, rows.map { $0.name.count }.max() ?? 0)
    return rows.flatMap { row -> [String] in
      let help = Layout.wrap(row.help, width: width - column - 4)
      let indent = String(repeating: " ", count: column + 4)
      if row.name.count > column { return ["  " + row.name] + help.map { indent + $0 } }
      return help.enumerated().map { index, line in
        index == 0 ? "  " + Layout.pad(row.name, to: column) + "  " + line : indent + line
      }
    }
  }
}

/// Commands that belong together.
struct CommandGroup: Sendable {
  let title: String
  let commands: [CommandSpec]
}
