import JSON
import Runtime
import Server
import Wire

let whyCommand = CommandSpec(
  "why", summary: "say why a saga is stuck, waiting or late",
  about: ["Prints one sentence that says what the saga waits for, and the commands that help, ready to copy."],
  operands: [.saga], options: [OptionSpec("all", help: "every command that helps; else at most 10"), .server, .json],
  examples: [
    .init(says: "Why is this saga not done?", line: "saga why ID"),
    .init(says: "Every stuck saga", line: "saga list --status stuck"),
  ]
) { invocation in
  let saga: SagaResponse = try await invocation.client.get(.getSaga, try await invocation.sagaID()).read()
  let why = Why(saga: saga, now: invocation.environment.now())
  if invocation.json {
    let commands = why.commands.map { JSON.string($0.line) }
    invocation.terminal.line(JSON.object(["why": .string(why.sentence), "commands": .array(commands)]).text(.pretty))
    return .success
  }
  for line in Layout.wrap(why.paragraph, width: 80) { invocation.terminal.line(line) }
  let most = invocation.arguments.has("all") ? .max : Why.mostCommands
  for command in why.commands.prefix(most) {
    invocation.terminal.line("")
    invocation.terminal.line("  " + invocation.style.dim("# \(command.purpose)"))
    invocation.terminal.line("  " + command.line)
  }
  for line in why.more(than: most) { invocation.terminal.line("\n  " + invocation.style.dim(line)) }
  return .success
}
