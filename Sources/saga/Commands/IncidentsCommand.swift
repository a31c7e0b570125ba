import JSON
import Runtime
import Server
import Wire

let incidentsCommand = CommandSpec(
  "incidents", summary: "group the sagas that need a person, the oldest first",
  about: [
    "Groups the sagas that are stuck, held back, overdue, paused, or failing and being tried again, by workflow, "
      + "step, phase and code. The oldest incident comes first. Below each is the command that shows what a verb on "
      + "all its sagas would do. `saga list --incident ID` lists its sagas.",
    "A saga is in one incident at most: in what stops it, rather than in what delays it.",
  ],
  options: [
    OptionSpec(
      "kind", value: "KIND", repeats: true, help: "stuck, held, overdue, paused, or retrying; several with commas"),
    OptionSpec("workflow", value: "NAME", help: "only of this workflow"),
    OptionSpec("samples", value: "N", help: "sagas to name of each, at most 20; else 3"),
    OptionSpec("limit", value: "N", help: "incidents a page, at most 200; else 50"),
    OptionSpec("cursor", value: "CURSOR", help: "the cursor of the page before"),
    .server, .json,
  ],
  examples: [
    .init(says: "What needs me?", line: "saga incidents"),
    .init(says: "What is stuck in one workflow?", line: "saga incidents --kind stuck --workflow sample-processing"),
    .init(
      says: "Try all sagas of one again, after a look",
      line: "saga ops preview retry --incident stuck-0f3a5c7e9b1d2f40"),
  ]
) { invocation in
  var query: [(name: String, value: String)] = []
  for kind in invocation.arguments.values("kind") { query.append(("kind", kind)) }
  if let workflow = invocation.arguments.value("workflow") { query.append(("workflow", workflow)) }
  if let samples = try invocation.number("samples") { query.append(("samples", "\(samples)")) }
  if let limit = try invocation.number("limit") { query.append(("limit", "\(limit)")) }
  if let cursor = invocation.arguments.value("cursor") { query.append(("cursor", cursor)) }
  let answer = try await invocation.client.get(.listIncidents, query: query)
  if invocation.json {
    invocation.terminal.line(answer.json.text(.pretty))
    return .success
  }
  let page: IncidentsResponse = try answer.read()
  ListLag.warn(of: page.lists, at: page.at, invocation)
  let drawing = IncidentDrawing(
    page: page, isFiltered: query.contains { $0.name == "kind" || $0.name == "workflow" },
    isFirst: invocation.arguments.value("cursor") == nil, style: invocation.style)
  invocation.terminal.write(drawing.lines().map { $0 + "\n" }.joined())
  return .success
}
