import JSON
import Persistence
import Runtime
import Values

/// Finds the command, runs it, and prints its error.
struct CommandLineTool: Sendable {
  let groups: [CommandGroup]
  let terminal: Terminal
  let environment: Runtime.Environment
  let variables: [String: String]
  let send: APIClient.Send

  static let groups: [CommandGroup] = [
    CommandGroup(
      title: "Write workflows",
      commands: [
        checkCommand, testCommand, simulateCommand, graphCommand, diffCommand, queryCommand, validateCommand,
        schemaCommand,
      ]),
    CommandGroup(
      title: "Start and watch sagas",
      commands: [
        startCommand, listCommand, incidentsCommand, showCommand, itemsCommand, whyCommand, timelineCommand,
        eventsCommand, watchCommand,
        signalCommand, locksCommand, tasksCommand,
      ]),
    CommandGroup(
      title: "Act on sagas (each verb wants a reason, for the auditor)",
      commands: [
        retryCommand, resolveCommand, skipCommand, runNowCommand, extendCommand, rewindCommand, pauseCommand,
        resumeCommand, migrateCommand, compensateCommand, cancelCommand, abandonCommand, forgetCommand,
      ]),
    CommandGroup(
      title: "Act on many sagas, and approve",
      commands: [
        opsPreviewCommand, opsRunCommand, opsListCommand, opsShowCommand, opsStopCommand, opsApproveCommand,
        opsDeclineCommand,
      ]),
    CommandGroup(
      title: "The engine",
      commands: [
        serveCommand, statusCommand, noticesCommand, noticesTestCommand, noticesResendCommand, echoCommand,
        echoRewindCommand,
        projectionsCommand, projectionsRebuildCommand,
        workflowsListCommand, workflowsRegisterCommand,
        workflowsShowCommand,
      ]),
    CommandGroup(title: "Who may call the engine", commands: [keyCreateCommand, keyListCommand, keyRevokeCommand]),
    CommandGroup(
      title: "Seal sensitive values", commands: [sealKeyCreateCommand, sealKeyListCommand, sealKeyRemoveCommand]),
    CommandGroup(title: "Streams", commands: [streamsCommand, streamsCheckCommand, streamsResetCommand]),
    CommandGroup(
      title: "For the auditor",
      commands: [auditCommand, auditVerifyCommand, auditHeadCommand, auditKeygenCommand]),
    CommandGroup(title: "Try it out", commands: [demoCommand, labCommand, stubCommand]),
    CommandGroup(title: "Set up your shell", commands: [completionCommand, manCommand, versionCommand]),
  ]

  private var commands: [CommandSpec] { groups.flatMap(\.commands) }

  /// - Parameter words: the words after `saga`.
  func run(_ words: [String]) async -> ExitStatus {
    do {
      return try await dispatch(words)
    } catch {
      // A program reads standard output; the person beside it reads the same on standard error.
      if words.prefix(while: { $0 != "--" }).contains("--json") {
        terminal.line(ErrorDocument.json(of: error).text())
      }
      return complain(of: error)
    }
  }

  private func complain(of error: any Error) -> ExitStatus {
    switch error {
    case let error as UsageError:
      terminal.complain("saga: \(error.message)\n")
      let page = error.code == CLIErrorCode.usage ? error.command.map { " " + $0 } ?? "" : " " + error.code
      terminal.complain("See `saga help\(page)`.\n")
      return .usage
    default:
      terminal.complain(Complaint.text(of: error, style: terminal.errorStyle))
      return .failure
    }
  }

  private func dispatch(_ words: [String]) async throws -> ExitStatus {
    guard let first = words.first, first != "--help", first != "-h" else {
      terminal.write(Help.overview(of: groups, style: terminal.style))
      return .success
    }
    if first == "help" { return try help(Array(words.dropFirst())) }
    if first == "--version" {
      terminal.line("saga \(ProgramVersion.text)")
      return .success
    }
    guard let command = find(words) else { throw unknown(words) }
    let rest = words.dropFirst(command.path.count)
    let options = rest.prefix { $0 != "--" }
    if options.contains("--help") || options.contains("-h") {
      terminal.write(Help.text(of: command, style: terminal.style))
      return .success
    }
    let invocation = Invocation(
      command: command, arguments: try ParsedArguments(rest, for: command), terminal: terminal,
      environment: environment, variables: variables, send: send)
    return try await command.run(invocation)
  }

  private func help(_ words: [String]) throws -> ExitStatus {
    guard !words.isEmpty else {
      terminal.write(Help.overview(of: groups, style: terminal.style))
      return .success
    }
    if words.count == 1, let page = CodeHelp.text(words[0], style: terminal.style) {
      terminal.write(page)
      return .success
    }
    let meant = commands.filter { $0.path == words || $0.path.starts(with: words) }
    guard !meant.isEmpty else {
      guard words.count == 1, words[0].contains(".") else { throw unknown(words) }
      let near =
        NearNames.nearest(to: words[0], among: CodeHelp.codes, completes: true).map {
          "; did you mean `saga help \($0)`?"
        } ?? ""
      throw UsageError("there is no error code \"\(words[0])\"\(near)")
    }
    terminal.write(meant.map { Help.text(of: $0, style: terminal.style) }.joined(separator: "\n"))
    return .success
  }

  /// Returns the command whose name the words begin with: `echo rewind` rather than `echo`.
  private func find(_ words: [String]) -> CommandSpec? {
    let found = commands.filter { words.starts(with: $0.path) }.max { $0.path.count < $1.path.count }
    guard let found, found.operands.isEmpty, let next = words.dropFirst(found.path.count).first, !next.hasPrefix("-")
    else { return found }
    // The command takes no words. So the word was part of a longer name, if there is one.
    let isFamily = commands.contains { $0.path.count > found.path.count && $0.path.starts(with: found.path) }
    return isFamily ? nil : found
  }

  private func unknown(_ words: [String]) -> UsageError {
    let first = words.first ?? ""
    let family = commands.filter { $0.path.first == first }
    if !family.isEmpty {
      let names = family.compactMap { $0.path.dropFirst().first }
      guard words.count > 1 else {
        return UsageError("\(first) wants one of: \(names.joined(separator: ", "))", of: nil)
      }
      let near = NearNames.nearest(to: words[1], among: names, completes: true).map { "; did you mean \($0)?" } ?? ""
      return UsageError("\(first) has no \"\(words[1])\"\(near)", of: nil)
    }
    let near = NearNames.nearest(to: first, among: commands.compactMap(\.path.first) + ["help"], completes: true)
    return UsageError("there is no command \"\(first)\"\(near.map { "; did you mean `saga \($0)`?" } ?? "")")
  }
}

/// The text of an error: what happened, what to do, its code, and the command that explains the code.
enum Complaint {
  static func text(of error: any Error, style: Style) -> String {
    let red = { (text: String) in style.colour(text, .red) }
    switch error {
    case let refusal as APIRefusal:
      return lines(red("saga: ") + refusal.message, code: refusal.code, advice: refusal.advice)
    case let error as CLIError:
      return lines(red("saga: ") + error.message, code: error.code, advice: error.advice)
    case let error as StoreError:
      // The detail of a library, such as "connection refused", is for the person who starts the process.
      let words = error.detail?.split(whereSeparator: \.isWhitespace) ?? []
      return lines(
        red("saga: ") + error.message, code: error.code,
        advice: words.isEmpty ? [] : [Layout.printable(words.joined(separator: " "))])
    case let error as any CodedError:
      return lines(red("saga: ") + error.message, code: error.code, advice: [])
    default:
      return red("saga: ") + "\(error)\n"
    }
  }

  private static func lines(_ message: String, code: String, advice: [String]) -> String {
    var lines = [message]
    lines += advice.map { "  " + $0 }
    lines.append("  code \(code), see `saga help \(code)`")
    return lines.joined(separator: "\n") + "\n"
  }
}
