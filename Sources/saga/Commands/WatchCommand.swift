import JSON
import Runtime
import Server
import Values
import Wire

let watchCommand = CommandSpec(
  "watch", summary: "print changes as they happen",
  about: [
    "With an ID, draws the saga as it is now, and then prints its events until it ends. Without, prints the time, the "
      + "number of sagas in each status, and the sagas that match; and then a line for each that changes: its new status, "
      + "and the error. The filters are those of `saga list`. End it with Ctrl-C.",
    "With --json the first line for one saga is {\"now\": …}; `saga events ID --follow --json` prints all events.",
  ],
  operands: [OperandSpec("ID", .atMostOne, help: OperandSpec.saga.help)],
  options: listFilters.map(\.option).filter { !["sort", "seen"].contains($0.name) } + listFlags.map(\.option) + [
    OptionSpec("rounds", value: "N", help: "end after N reads of the list"), .server, .json,
  ],
  examples: [
    .init(says: "Which sagas need a person?", line: "saga watch --stuck"),
    .init(says: "One saga, to its end", line: "saga watch 019c8a5e-7b1c-7d2e-8f3a-0123456789ab"),
  ]
) { invocation in
  if invocation.arguments.operand(0) != nil { return try await watchOne(invocation) }
  var query: [(name: String, value: String)] = [("sort", "-updatedAt"), ("limit", "200")]
  for (option, parameter) in listFilters {
    for value in invocation.arguments.values(option.name) {
      query.append((parameter, try await invocation.value(value, ofFilter: option.name)))
    }
  }
  for (option, parameter) in listFlags where invocation.arguments.has(option.name) { query.append((parameter, "true")) }
  let rounds = try invocation.number("rounds")
  /// The last state that was shown, by the saga's id.
  var shown: [String: String] = [:]
  var round = 0
  while true {
    round += 1
    let answer = try await invocation.client.get(
      .listSagas, query: query + (round == 1 && !invocation.json ? [("facets", "true")] : []))
    let page: SagaListResponse = try answer.read()
    let drawing = SagaLines(now: invocation.environment.now(), style: invocation.style)
    if round == 1, !invocation.json { begin(page, drawing, invocation) }
    let lines = zip(page.sagas, answer.json["sagas"]?.arrayValue ?? [])
    // The oldest change comes first.
    for (saga, json) in lines.reversed() {
      let state = "\(saga.status) \(saga.paused) \(saga.retrying) \(saga.overdue)"
      if shown.updateValue(state, forKey: saga.id) == state { continue }
      if invocation.json {
        invocation.terminal.line(json.text())
      } else {
        for line in drawing.lines(of: saga) { invocation.terminal.line(line) }
      }
    }
    // A saga that no longer matches is shown again when it matches again.
    let present = Set(page.sagas.map(\.id))
    if page.sagas.count < 200 { shown = shown.filter { present.contains($0.key) } }
    if let rounds, round >= rounds { return .success }
    if round == 1, !invocation.json {
      invocation.terminal.line(invocation.style.dim("What changes from now on:"))
    }
    try await invocation.environment.sleep(for: .seconds(1))
  }
}

/// Prints the time and the counts with which a watch begins.
private func begin(_ page: SagaListResponse, _ drawing: SagaLines, _ invocation: Invocation) {
  invocation.terminal.line("now  \(TimeText.full(drawing.now))")
  if let status = page.facets.flatMap({ FacetLines(style: invocation.style).lines(of: $0).first }) {
    invocation.terminal.line(status)
  }
  ListLag.warn(of: page.lists, at: drawing.now, invocation)
  if page.behind { invocation.terminal.line("The list lacks recent events: `saga projections` says how many.") }
  invocation.terminal.line(page.sagas.isEmpty ? "No sagas." : drawing.heading)
}

/// Draws a saga as it is now, and then prints its events until it ends.
private func watchOne(_ invocation: Invocation) async throws -> ExitStatus {
  let id = try await invocation.sagaID()
  let answer = try await invocation.client.get(.getSaga, id)
  let saga: SagaResponse = try answer.read()
  if invocation.json {
    invocation.terminal.line(JSON.object(["now": answer.json]).text())
  } else {
    invocation.terminal.line("now  \(TimeText.full(invocation.environment.now()))")
    try invocation.show(answer)
    if saga.endedAt == nil { invocation.terminal.line(invocation.style.dim("What happens from now on:")) }
  }
  if saga.endedAt != nil { return .success }
  return try await followEvents(invocation, of: id, after: saga.lastEvent, follow: true)
}
