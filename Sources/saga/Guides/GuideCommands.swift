import Foundation
import Values

/// The shells that have a completion script.
enum CompletedShell: String, CaseIterable {
  case bash, zsh, fish

  func script(for places: [CompletionPlace]) -> String {
    switch self {
    case .bash: BashCompletion.script(for: places)
    case .zsh: ZshCompletion.script(for: places)
    case .fish: FishCompletion.script(for: places)
    }
  }
}

let completionCommand = CommandSpec(
  "completion", summary: "print a completion script for a shell",
  about: [
    "Prints a script that completes commands, options, and values that are words or files. It is made from the program's "
      + "own commands, so make it again after an update. It asks no engine.",
    "bash: source it in ~/.bashrc, or write it to ~/.local/share/bash-completion/completions/saga. zsh: write it to a "
      + "file _saga in a folder of fpath. fish: write it to ~/.config/fish/completions/saga.fish.",
  ],
  operands: [OperandSpec("SHELL", words: CompletedShell.allCases.map(\.rawValue), help: "bash, zsh, or fish")],
  examples: [
    .init(says: "In this bash", line: "source <(saga completion bash)"),
    .init(says: "In every fish", line: "saga completion fish > ~/.config/fish/completions/saga.fish"),
  ]
) { invocation in
  let name = try invocation.required(0)
  guard let shell = CompletedShell(rawValue: name) else {
    throw invocation.usage("completion knows bash, zsh and fish, not \"\(name)\"")
  }
  invocation.terminal.write(shell.script(for: CompletionPlace.all(of: CommandLineTool.groups)))
  return .success
}

let manCommand = CommandSpec(
  "man", summary: "print a page for man",
  about: [
    "Prints the manual page of a command, or of saga itself, as roff for `man -l -`. The pages are made from the "
      + "program's own commands.",
    "With --output it writes all pages to a folder. `man saga-list` and `man saga list` find them if the folder is named "
      + "man1 and the folder above it belongs to MANPATH, as ~/.local/share/man does.",
  ],
  operands: [OperandSpec("COMMAND", .anyNumber, help: "the words of a command, as ops run; else saga itself")],
  options: [OptionSpec("output", value: "DIR", help: "write all pages to this folder; it is made if it is missing")],
  examples: [
    .init(says: "Read one page", line: "saga man ops run | man -l -"),
    .init(says: "Install all pages for yourself", line: "saga man --output ~/.local/share/man/man1"),
  ]
) { invocation in
  let groups = CommandLineTool.groups
  let commands = groups.flatMap(\.commands)
  let words = invocation.arguments.operands
  if let folder = invocation.arguments.value("output") {
    guard words.isEmpty else { throw invocation.usage("man writes all pages to a folder: leave out COMMAND") }
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw CLIError(CLIErrorCode.fileUnwritable, "can't make the folder \(folder): \(error.localizedDescription)")
    }
    let place = folder.hasSuffix("/") ? folder : folder + "/"
    try ReplacedFile.write(Array(Manual.overview(of: groups).utf8), to: "\(place)saga.1")
    for command in commands {
      try ReplacedFile.write(Array(Manual.text(of: command).utf8), to: "\(place)\(Manual.page(of: command)).1")
    }
    invocation.terminal.line("\(folder): \(FileReport.count(commands.count + 1, "page"))")
    return .success
  }
  guard !words.isEmpty else {
    invocation.terminal.write(Manual.overview(of: groups))
    return .success
  }
  guard let command = commands.first(where: { $0.path == words }) else {
    let name = words.joined(separator: " ")
    let near = NearNames.nearest(to: name, among: commands.map(\.name), completes: true)
    throw invocation.usage("there is no command \"\(name)\"" + (near.map { "; did you mean \($0)?" } ?? ""))
  }
  invocation.terminal.write(Manual.text(of: command))
  return .success
}
