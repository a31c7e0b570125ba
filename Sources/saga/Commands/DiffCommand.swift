import Authoring
import JSON
import JSONSchema
import Server
import Values
import Wire
import Workflows

let diffCommand = CommandSpec(
  "diff", summary: "say what changed between two versions of a workflow",
  about: [
    "Prints the steps that were added, removed and changed, member by member, and the changes of input, output and "
      + "timeout. Then it says which running sagas of A could move to B: those whose history fits B. A step that a saga "
      + "has begun must have the same action and the same compensation in B, and the same steps before it.",
    "A and B are files, or registered versions as NAME@1. NAME@draft is the latest draft, and NAME@draft-2 is draft 2. "
      + "With --sagas the command reads the open sagas of A from the engine and counts which of them could move. It moves "
      + "none: see `saga migrate`.",
  ],
  operands: [
    OperandSpec("A", help: "the older version: a file, or NAME@VERSION of the engine"),
    OperandSpec("B", help: "the newer version"),
  ],
  options: [
    OptionSpec("sagas", help: "count the open sagas of A that could move; A is NAME@VERSION"),
    .server,
    OptionSpec("json", help: "print the differences as JSON, for programs"),
  ],
  examples: [
    .init(says: "Before a registration", line: "saga diff store-tube@3 workflows/store-tube.json"),
    .init(says: "Which open sagas of version 3 fit version 4?", line: "saga diff store-tube@3 store-tube@4 --sagas"),
  ]
) { invocation in
  let (from, to) = (try WorkflowPlace(invocation, 0), try WorkflowPlace(invocation, 1))
  let counts = invocation.arguments.has("sagas")
  if counts, !from.isRegistered {
    throw invocation.usage("--sagas wants A as NAME@VERSION, because the engine has the sagas of that version")
  }
  guard let before = try await from.definition(), let after = try await to.definition() else { return .failure }
  let comparison = WorkflowComparison(from: before, to: after)
  let sagas = counts ? try await OpenSagas.read(comparison, invocation) : nil
  if invocation.json {
    var members = comparison.json.objectValue ?? [:]
    members["sagas"] = sagas?.json
    invocation.terminal.line(JSON.object(members).text(.pretty))
  } else {
    let lines = ComparisonLines(comparison: comparison, style: invocation.style).lines()
    let counted = sagas.map { [""] + $0.lines(comparison) } ?? []
    invocation.terminal.write((lines + counted).map { $0 + "\n" }.joined())
  }
  return .success
}

/// The differences for people.
private struct ComparisonLines {
  let comparison: WorkflowComparison
  let style: Style
  private static let width = 80

  func lines() -> [String] {
    let (before, after) = (comparison.before, comparison.after)
    var lines = [style.bold("\(Self.named(before)) → \(Self.named(after))"), ""]
    if comparison.isSame { lines.append("Both do the same.") }
    lines += comparison.removed.flatMap { head("-", .red, $0.id, "removed") }
    lines += comparison.added.flatMap { head("+", .green, $0.id, "added, \(place(of: $0))") }
    for step in comparison.changed { lines += head("~", .yellow, step.id, "changed") + details(step.changes) }
    if !comparison.changes.isEmpty {
      lines += head("~", .yellow, "the workflow", "changed") + details(comparison.changes)
    }
    return lines + [""] + move()
  }

  private static func named(_ definition: WorkflowDefinition) -> String {
    "\(definition.name) \(VersionName.short(definition.version))"
  }

  private func place(of step: Step) -> String {
    let group = step.group.map { "in group \($0), " } ?? ""
    return group + (step.dependsOn.isEmpty ? "starts at once" : "follows \(step.dependsOn.joined(separator: ", "))")
  }

  private func head(_ sign: String, _ colour: Style.Colour, _ name: String, _ words: String) -> [String] {
    Layout.wrap(Layout.printable("\(name): \(words)"), width: Self.width - 2).enumerated().map { index, line in
      (index == 0 ? style.colour(sign, colour) + " " : "  ") + line
    }
  }

  private func details(_ changes: [Change]) -> [String] {
    changes.flatMap { change in
      Layout.wrap(Layout.printable(change.text), width: Self.width - 6).enumerated().map { index, line in
        (index == 0 ? "    " : "      ") + line
      }
    }
  }

  private func move() -> [String] {
    let (before, rule) = (comparison.before, comparison.rule)
    guard rule.isSameWorkflow else {
      return ["No saga could move: a saga stays in its workflow."]
    }
    var lines: [String] = []
    let version = VersionName.short(before.version)
    if rule.firstObstacles.isEmpty, rule.grownGroups.isEmpty {
      lines.append("Every running saga of \(version) could move.")
    }
    if !rule.firstObstacles.isEmpty {
      lines.append("A running saga of \(version) could move when it has not yet begun:")
      lines += rule.firstObstacles.flatMap(shown)
    }
    if !rule.grownGroups.isEmpty {
      let also = rule.firstObstacles.isEmpty ? "A running saga of \(version) could move" : "And"
      lines.append("\(also) when this is not yet over:")
      lines += rule.grownGroups.flatMap(shown)
    }
    if comparison.checksInput { lines.append("Its input must meet the new schema.") }
    return lines
  }
}

extension ComparisonLines {
  private func shown(_ obstacle: MoveRule.Obstacle) -> [String] {
    let words = Layout.printable("\(obstacle.step) (\(obstacle.reason))")
    return Layout.wrap(words, width: Self.width - 6).enumerated().map {
      ($0.offset == 0 ? "  " : "    ") + $0.element
    }
  }
}

/// The open sagas of a version, by whether they could move.
private struct OpenSagas {
  /// Why sagas could not move, and which they are.
  private struct Group {
    let step: String?
    let reason: String
    var ids: [String]
  }

  private var movable = 0
  private var groups: [Group] = []
  private var total = 0
  /// Whether more sagas are open than were read.
  private var hasMore = false

  /// The most sagas that are read: each takes a request.
  private static let most = 10_000
  /// The most ids that the JSON lists for one reason.
  private static let mostListed = 1_000

  static func read(_ comparison: WorkflowComparison, _ invocation: Invocation) async throws -> OpenSagas {
    var open = OpenSagas()
    var cursor: String?
    repeat {
      var query: [(name: String, value: String)] = [
        ("workflow", comparison.before.name), ("version", "\(comparison.before.version)"),
        ("status", "running,compensating,stuck"), ("sort", "startedAt"), ("limit", "200"),
      ]
      if let cursor { query.append(("cursor", cursor)) }
      let page: SagaListResponse = try await invocation.client.get(.listSagas, query: query).read()
      for summary in page.sagas {
        guard open.total < most else {
          open.hasMore = true
          return open
        }
        let saga: SagaResponse = try await invocation.client.get(.getSaga, summary.id).readUnchanged()
        // It may have ended since the list was made.
        if saga.endedAt == nil { open.take(saga, comparison) }
      }
      cursor = page.next
    } while cursor != nil
    return open
  }

  private mutating func take(_ saga: SagaResponse, _ comparison: WorkflowComparison) {
    total += 1
    let begun = saga.steps.filter { $0.status != "pending" || $0.round > 1 || $0.attempt > 0 }.map(\.id)
    let over = saga.steps.filter { ["succeeded", "skipped", "failed"].contains($0.status) }.map(\.id)
    if let obstacle = comparison.rule.obstacle(begun: Set(begun), over: Set(over)) {
      note(saga.id, step: obstacle.step, obstacle.reason)
    } else if !comparison.rule.isSameWorkflow {
      note(saga.id, step: nil, "a saga stays in its workflow")
    } else if comparison.checksInput, !Self.meets(comparison.after.inputSchema, saga.input) {
      note(saga.id, step: nil, "its input doesn't meet the new schema")
    } else {
      movable += 1
    }
  }

  /// A schema that can't be compiled refuses nothing. An input whose check takes too long is not known to meet it.
  private static func meets(_ schema: WorkflowSchema?, _ input: JSON) -> Bool {
    guard let compiled = schema?.compiled else { return true }
    do { return try compiled.accepts(input) } catch { return false }
  }

  private mutating func note(_ id: String, step: String?, _ reason: String) {
    if let index = groups.firstIndex(where: { $0.step == step && $0.reason == reason }) {
      groups[index].ids.append(id)
    } else {
      groups.append(Group(step: step, reason: reason, ids: [id]))
    }
  }

  func lines(_ comparison: WorkflowComparison) -> [String] {
    let name = "\(comparison.before.name) \(VersionName.short(comparison.before.version))"
    guard total > 0 else { return ["No saga of \(name) is open."] }
    var lines = ["\(FileReport.count(total, "open saga")) of \(name)\(hasMore ? ", and more" : ""):"]
    lines.append("  \(Layout.padLeft("\(movable)", to: 5))  could move now")
    for group in groups.sorted(by: { $0.ids.count > $1.ids.count }) {
      let why = group.step.map { "has begun \($0): \(group.reason)" } ?? group.reason
      lines += Layout.wrap(Layout.printable("could not: \(why)"), width: 71).enumerated().map { index, line in
        "  \(Layout.padLeft(index == 0 ? "\(group.ids.count)" : "", to: 5))  \(line)"
      }
    }
    return lines
  }

  var json: JSON {
    let groups = groups.map { group -> JSON in
      var members: JSONObject = [:]
      members["step"] = group.step.map { .string($0) }
      members["reason"] = .string(group.reason)
      members["count"] = .int(group.ids.count)
      members["sagas"] = .array(group.ids.prefix(Self.mostListed).map { .string($0) })
      return .object(members)
    }
    return ["open": .int(total), "more": .bool(hasMore), "couldMove": .int(movable), "couldNot": .array(groups)]
  }
}
