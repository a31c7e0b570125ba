import JSON
import Runtime
import Server
import Wire

let watchCommand = CommandSpec(
  "watch", summary: "print changes as they happen",
  about: [
    "With an ID, prints the events of a saga until it ends. Without, prints a line for each saga that changes: its new "
      + "status, and the error. The filters are those of `saga list`. End it with Ctrl-C."
  ],
  operands: [OperandSpec("ID", .atMostOne, help: "the saga's id")],
  options: listFilters.map(\.option).filter { !["sort", "seen"].contains($0.name) } + listFlags.map(\.option) + [
    OptionSpec("rounds", value: "N", help: "end after N reads of the list"), .server, .json,
  ],
  examples: [
    .init(says: "Which sagas need a person?", line: "saga watch --stuck"),
    .init(says: "One saga, to its end", line: "saga watch 019c8a5e-7b1c-7d2e-8f3a-0123456789ab"),
  ]
) { invocation in
  if invocation.arguments.operand(0) != nil { return try await followEvents(invocation, follow: true) }
  var query: [(name: String, value: String)] = [("sort", "-updatedAt"), ("limit", "200")]
  for (option, parameter) in listFilters {
    for value in invocation.arguments.values(option.name) {
      query.append((parameter, try invocation.value(value, ofFilter: option.name)))
    }
  }
  for (option, parameter) in listFlags where invocation.arguments.has(option.name) { query.append((parameter, "true")) }
  let rounds = try invocation.number("rounds")
  let drawing = SagaLines(now: invocation.environment.now(), style: invocation.style)
  if !invocation.json { invocation.terminal.line(drawing.heading) }
  /// The last state that was shown, by the saga's id.
  var shown: [String: String] = [:]
  var round = 0
  while true {
    round += 1
    let answer = try await invocation.client.get(.listSagas, query: query)
    let page: SagaListResponse = try answer.read()
    let lines = zip(page.sagas, answer.json["sagas"]?.arrayValue ?? [])
    // The oldest change comes first.
    for (saga, json) in lines.reversed() {
      let state = "\(saga.status) \(saga.paused) \(saga.overdue)"
      if shown.updateValue(state, forKey: saga.id) == state { continue }
      if invocation.json {
        invocation.terminal.line(json.text())
      } else {
        for line in SagaLines(now: invocation.environment.now(), style: invocation.style).lines(of: saga) {
          invocation.terminal.line(line)
        }
      }
    }
    // A saga that no longer matches is shown again when it matches again.
    let present = Set(page.sagas.map(\.id))
    if page.sagas.count < 200 { shown = shown.filter { present.contains($0.key) } }
    if let rounds, round >= rounds { return .success }
    try await invocation.environment.sleep(for: .seconds(1))
  }
}
