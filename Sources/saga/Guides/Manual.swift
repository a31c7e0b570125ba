/// Pages for `man`, made from the commands' specs: roff with the macros of `man(7)`.
enum Manual {
  /// The page `saga(1)`: all commands.
  static func overview(of groups: [CommandGroup]) -> String {
    var lines = heading("saga")
    lines += ["saga \\- " + text(Help.purpose), ".SH SYNOPSIS", ".B saga", "\\fICOMMAND\\fR [\\fIOPTION\\fR]..."]
    lines.append(".SH COMMANDS")
    for group in groups {
      lines.append(".SS \"\(text(group.title))\"")
      for command in group.commands { lines += [".TP", bold("saga \(command.name)"), text(command.summary)] }
    }
    lines += ends + environment
    lines += [".SH SEE ALSO"] + references(groups.flatMap(\.commands).map(page))
    return lines.joined(separator: "\n") + "\n"
  }

  /// The page of one command, as `saga-ops-run(1)`.
  static func text(of command: CommandSpec) -> String {
    var lines = heading(page(of: command))
    lines.append("\(text(page(of: command))) \\- \(text(command.summary))")
    lines += [".SH SYNOPSIS", bold("saga \(command.name)")]
    if !command.options.isEmpty { lines.append("[\\fIOPTION\\fR]...") }
    for operand in command.operands {
      let name = "\\fI\(text(operand.name))\\fR"
      switch operand.count {
      case .one: lines.append(name)
      case .atMostOne: lines.append("[\(name)]")
      case .oneOrMore: lines.append("\(name)...")
      case .anyNumber: lines.append("[\(name)]...")
      }
    }
    lines.append(".SH DESCRIPTION")
    for (index, paragraph) in command.about.enumerated() { lines += (index == 0 ? [] : [".PP"]) + [text(paragraph)] }
    if !command.operands.isEmpty {
      lines.append(".SH OPERANDS")
      for operand in command.operands { lines += [".TP", "\\fI\(text(operand.name))\\fR", text(operand.help)] }
    }
    if !command.options.isEmpty {
      lines.append(".SH OPTIONS")
      for option in command.options {
        let value = option.value.map { " \\fI\(text($0))\\fR" } ?? ""
        lines += [".TP", "\\fB\(text("--" + option.name))\\fR\(value)", text(option.wholeHelp)]
      }
    }
    lines.append(".SH EXAMPLES")
    for example in command.examples {
      lines += [".PP", text(example.says), ".PP", ".RS 4", ".nf", text(example.line), ".fi", ".RE"]
    }
    lines += ends
    if command.options.contains(where: { $0.name == OptionSpec.server.name }) { lines += environment }
    lines += [".SH SEE ALSO"] + references(["saga"])
    return lines.joined(separator: "\n") + "\n"
  }

  /// `saga-ops-run`: the name of a command's page.
  static func page(of command: CommandSpec) -> String { "saga-" + command.path.joined(separator: "-") }

  private static func heading(_ page: String) -> [String] {
    [
      ".\\\" `saga man` writes this page.",
      ".TH \"\(text(page.uppercased()))\" \"1\" \"\" \"saga \(ProgramVersion.text)\" \"User Commands\"",
      // Neither blanks between words nor hyphens inside them, so that commands can be copied.
      ".ad l", ".nh", ".SH NAME",
    ]
  }

  private static let ends = [
    ".SH EXIT STATUS", ".TP", ".B 0", "The command succeeded.", ".TP", ".B 1",
    "The command failed, was refused, or found errors.", ".TP", ".B 2", "The command line itself was wrong.",
  ]

  private static let environment = [
    ".SH ENVIRONMENT", ".TP", ".B \(APIClient.serverVariable)",
    text("The engine's address, when --server is not given; else \(APIClient.defaultServer)."), ".TP",
    ".B \(APIClient.userVariable)", text("Your name for the history, when --user is not given; else USER."), ".TP",
    ".B NO_COLOR", "No colours, when it is not empty.",
  ]

  private static func references(_ pages: [String]) -> [String] {
    pages.enumerated().map { index, page in ".BR \(text(page)) (1)\(index == pages.count - 1 ? "" : ",")" }
  }

  private static func bold(_ words: String) -> String { "\\fB\(text(words))\\fR" }

  /// Returns a text as roff shows it unchanged. What is in backticks is shown in bold, without them.
  static func text(_ text: String) -> String {
    var roff = ""
    var isCode = false
    for scalar in text.unicodeScalars {
      switch scalar {
      case "`":
        isCode.toggle()
        roff += isCode ? "\\fB" : "\\fR"
      case "\\": roff += "\\e"
      case "-": roff += "\\-"
      case "'": roff += "\\(aq"
      case "\"": roff += "\\(dq"
      case "^": roff += "\\(ha"
      case "~": roff += "\\(ti"
      case "\u{2026}": roff += "..."
      case "\n": roff += " "
      case _ where scalar.isASCII: roff.unicodeScalars.append(scalar)
      default:
        let digits = String(scalar.value, radix: 16, uppercase: true)
        roff += "\\[u\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)]"
      }
    }
    if isCode { roff += "\\fR" }
    // A line that begins with a dot would be a request.
    return roff.hasPrefix(".") ? "\\&" + roff : roff
  }
}
