import JSON
import Values

let timelineCommand = CommandSpec(
  "timeline", summary: "show when a saga did what, and for how long",
  about: ["A line for each attempt, wait, delay and backoff, and for what happened at a moment, in order of time."],
  operands: [OperandSpec("ID", help: "the saga's id")],
  options: [.server, .json],
  examples: [
    .init(says: "Where did the time go?", line: "saga timeline 019c8a5e-7b1c-7d2e-8f3a-0123456789ab"),
    .init(says: "The attempts alone, for a program", line: "saga timeline ID --json | saga query '$.spans'"),
  ]
) { invocation in
  let timeline = try await invocation.client.get("v1", "sagas", try invocation.sagaID(), "timeline")
  if invocation.json {
    invocation.terminal.line(timeline.text(.pretty))
  } else {
    for line in TimelineLines(style: invocation.style).lines(of: timeline) { invocation.terminal.line(line) }
  }
  return .success
}

let projectionsCommand = CommandSpec(
  "projections", summary: "how far are lists behind the events?",
  about: [
    "Lists are read from tables of their own, which follow the events. Shows how many events they lack, which shards are "
      + "behind, and how far a rebuild has come."
  ],
  options: [.server, .json],
  examples: [
    .init(says: "Are the lists up to date?", line: "saga projections"),
    .init(says: "Every shard, for a program", line: "saga projections --json | saga query '$.shards[*]'"),
  ]
) { try await show($0, try await $0.client.get("v1", "projections")) }

let projectionsRebuildCommand = CommandSpec(
  "projections", "rebuild", summary: "make what lists are read from anew",
  about: [
    "Fills new tables from the events while the old ones serve and are kept up to date; then the new ones take over. "
      + "Asked again meanwhile, it changes nothing."
  ],
  options: [.user, .server, .json],
  examples: [
    .init(says: "After a damaged disk, or doubts", line: "saga projections rebuild"),
    .init(says: "Then: how far is it?", line: "saga projections"),
  ]
) { try await show($0, try await $0.client.post(["v1", "projections", "rebuild"], body: .object([:]))) }

private func show(_ invocation: Invocation, _ projections: JSON) async throws -> ExitStatus {
  if invocation.json {
    invocation.terminal.line(projections.text(.pretty))
  } else {
    for line in ProjectionLines().lines(of: projections) { invocation.terminal.line(line) }
  }
  return .success
}

/// `saga timeline`: spans and marks by their moments.
struct TimelineLines {
  let style: Style

  func lines(of timeline: JSON) -> [String] {
    let start = timeline.moment("start") ?? Timestamp(milliseconds: 0)
    let spans = (timeline["spans"]?.arrayValue ?? []).map { (at: $0.moment("from") ?? start, text: Self.text($0)) }
    let marks = (timeline["marks"]?.arrayValue ?? []).map { (at: $0.moment("at") ?? start, text: mark($0)) }
    // Equal moments keep the order in which they were told: what happened first, then what it began.
    let all = (marks + spans).enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
    return all.map { _, line in
      let after = Layout.padLeft("+" + Moments.duration(line.at - start), to: 9)
      return Layout.trimmingEnd(Layout.clip("\(after)  \(line.text)", to: SagaLines.width))
    }
  }

  private static func text(_ span: JSON) -> String {
    var words = [span.text("step") ?? "?"]
    if span["phase"] == "undo" { words.append("undo") }
    words.append(span.text("kind") ?? "?")
    if let attempt = span["attempt"]?.intValue { words.append("\(attempt)") }
    let name = Layout.pad(words.joined(separator: " "), to: 34)
    guard let from = span.moment("from"), let to = span.moment("to") else { return "\(name) goes on" }
    let outcome = [span.text("outcome"), span.text("code")].compactMap { $0 }.joined(separator: " ")
    return "\(name) \(Layout.padLeft(Moments.duration(to - from), to: 8))  \(outcome)"
  }

  private func mark(_ mark: JSON) -> String {
    var text = "· " + (mark.text("what") ?? "?")
    if let by = mark.text("by") { text += " by \(by)" }
    if let reason = mark.text("reason") { text += ": \(reason)" }
    return style.bold(text)
  }
}

/// How far lists are behind, in words: in events, and in time where that is noticeable.
struct ListLag {
  let text: String

  init(_ lists: JSON) { self.init(lists, lists["lagEvents"]?.intValue ?? 0) }

  init(_ lists: JSON, _ events: Int) {
    let seconds = lists["lagSeconds"]?.doubleValue ?? 0
    let time = events > 0 && seconds >= 1 ? " and \(Moments.duration(.seconds(seconds)))" : ""
    text = "\(FileReport.count(events, "event"))\(time) behind"
  }
}

/// `saga projections`.
struct ProjectionLines {
  func lines(of projections: JSON) -> [String] {
    let lag = projections["lag"]?.intValue ?? 0
    let behind = (projections["shards"]?.arrayValue ?? []).filter { ($0["lag"]?.intValue ?? 0) > 0 }
    var lines = [
      lag == 0 ? "Lists show all that is stored." : "Lists are \(ListLag(projections, lag).text).",
      "  store       \(projections.text("store") ?? "?"), generation \(projections["generation"]?.intValue ?? 0)",
    ]
    for shard in behind.sorted(by: { ($0["lag"]?.intValue ?? 0) > ($1["lag"]?.intValue ?? 0) }).prefix(8) {
      lines.append(
        "  shard \(Layout.padLeft("\(shard["shard"]?.intValue ?? 0)", to: 4))  at \(shard["position"]?.intValue ?? 0) of "
          + "\(shard["head"]?.intValue ?? 0)")
    }
    if behind.count > 8 { lines.append("  and \(behind.count - 8) more shards") }
    if let rebuild = projections["rebuild"] {
      let (done, all) = (rebuild["events"]?.intValue ?? 0, rebuild["of"]?.intValue ?? 0)
      let share = all == 0 ? 100 : min(100, done * 100 / all)
      lines.append(
        "  rebuild     \(share) %: \(done) of \(all) events, generation \(rebuild["generation"]?.intValue ?? 0)")
    }
    return lines
  }
}
