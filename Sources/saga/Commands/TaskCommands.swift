import JSON
import Runtime
import Server
import Wire

let tasksCommand = CommandSpec(
  "tasks", summary: "list the tasks that workers have, or could take",
  about: [
    "Shows a line for each queue: its tasks, the workers that wait, and when a worker last asked. Below are the tasks, "
      + "the first offered first: which worker has each, and its last heartbeat."
  ],
  operands: [OperandSpec("QUEUE", .atMostOne, help: "only this queue")],
  options: [
    OptionSpec("limit", value: "N", help: "the most tasks, at most 1000; otherwise 100"), .server, .json,
  ],
  examples: [
    .init(says: "Who works on the queue of the robots?", line: "saga tasks robot"),
    .init(says: "All tasks, for a program", line: "saga tasks --limit 1000 --json"),
  ]
) { invocation in
  var query: [(name: String, value: String)] = []
  if let queue = invocation.arguments.operand(0) { query.append(("queue", queue)) }
  if let limit = try invocation.number("limit") { query.append(("limit", "\(limit)")) }
  let answer = try await invocation.client.get(.listTasks, query: query)
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
    return .success
  }
  let tasks: TasksResponse = try answer.read()
  let drawing = TaskLines(now: invocation.environment.now(), style: invocation.style)
  invocation.terminal.write(drawing.lines(of: tasks).map { $0 + "\n" }.joined())
  return .success
}
