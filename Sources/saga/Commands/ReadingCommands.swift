import JSON
import Server
import Values
import Wire

let timelineCommand = CommandSpec(
  "timeline", summary: "show a saga's attempts, waits and delays in order of time",
  about: ["A line for each attempt, wait, delay and backoff with its duration, and for each other event."],
  operands: [.saga],
  options: [.server, .json],
  examples: [
    .init(says: "Where did the time go?", line: "saga timeline 019c8a5e-7b1c-7d2e-8f3a-0123456789ab"),
    .init(says: "The attempts alone, for a program", line: "saga timeline ID --json | saga query '$.spans'"),
  ]
) { invocation in
  let timeline = try await invocation.client.get(.getTimeline, try await invocation.sagaID())
  if invocation.json {
    invocation.terminal.line(timeline.json.text(.pretty))
  } else {
    for line in TimelineLines(style: invocation.style).lines(of: try timeline.read()) { invocation.terminal.line(line) }
  }
  return .success
}

let projectionsCommand = CommandSpec(
  "projections", summary: "show how far the lists are behind the events",
  about: [
    "The engine reads lists from tables that follow the events. Shows how many events the tables lack, which shards are "
      + "behind, and the progress of a rebuild."
  ],
  options: [.server, .json],
  examples: [
    .init(says: "Are the lists up to date?", line: "saga projections"),
    .init(says: "Every shard, for a program", line: "saga projections --json | saga query '$.shards[*]'"),
  ]
) { try await show($0, try await $0.client.get(.getProjections)) }

let projectionsRebuildCommand = CommandSpec(
  "projections", "rebuild", summary: "rebuild the tables that lists are read from",
  about: [
    "Fills new tables from the events. The old tables serve and follow the events until the new ones are complete. "
      + "A second request during the rebuild changes nothing."
  ],
  options: [.user, .server, .json],
  examples: [
    .init(says: "After a damaged disk, or doubts", line: "saga projections rebuild"),
    .init(says: "Then: how far is it?", line: "saga projections"),
  ]
) { try await show($0, try await $0.client.post(.rebuildProjections, body: .object([:]))) }

private func show(_ invocation: Invocation, _ projections: EngineAnswer) async throws -> ExitStatus {
  if invocation.json {
    invocation.terminal.line(projections.json.text(.pretty))
  } else {
    for line in ProjectionLines(projections: try projections.read()).lines() { invocation.terminal.line(line) }
  }
  return .success
}

/// `saga timeline`: spans and single events by time.
struct TimelineLines {
  let style: Style
  /// A pause from this length on has a line of its own.
  private static let longestGap: Duration = .seconds(3_600)

  func lines(of timeline: TimelineResponse) -> [String] {
    let spans = timeline.spans.map { (at: $0.from, text: Self.text($0)) }
    let marks = timeline.marks.map { (at: $0.at, text: mark($0)) }
    // Entries of the same time keep their order: an event comes before the span that it begins.
    let all = (marks + spans).enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
    var lines = [style.dim("from \(TimeText.full(timeline.start))")]
    var last = timeline.start
    for (_, line) in all {
      // The end of a span that began before is an event, too.
      let ended = timeline.spans.lazy.filter { $0.from < line.at }.compactMap(\.to).filter { $0 <= line.at }.max()
      let before = max(last, ended ?? last)
      if line.at - before >= Self.longestGap {
        lines.append(style.dim("        ⋮  \(TimeText.duration(line.at - before)) without an event"))
      }
      last = max(last, line.at)
      let after = Layout.padLeft("+" + TimeText.duration(line.at - timeline.start), to: 9)
      lines.append(Layout.trimmingEnd(Layout.clip("\(after)  \(line.text)", to: SagaLines.width)))
    }
    return lines + (timeline.leftOut.map { ["\($0) more of single items: the spans of their steps cover them"] } ?? [])
  }

  private static func text(_ span: TimelineResponse.Span) -> String {
    var words = [span.step]
    if span.phase == "undo" { words.append("undo") }
    words.append(span.kind)
    if let attempt = span.attempt { words.append("\(attempt)") }
    let name = Layout.pad(words.joined(separator: " "), to: 34)
    guard let to = span.to else { return "\(name) goes on" }
    let outcome = [span.outcome, span.code].compactMap { $0 }.joined(separator: " ")
    return "\(name) \(Layout.padLeft(TimeText.duration(to - span.from), to: 8))  \(outcome)"
  }

  private func mark(_ mark: TimelineResponse.Mark) -> String {
    let by = mark.by.map { " by \($0)" } ?? ""
    let reason = mark.reason.map { ": \($0)" } ?? ""
    return style.bold("· \(mark.what)\(by)\(reason)")
  }
}

/// How far the lists are behind, in events, and in time from one second on.
enum ListLag {
  /// Says on standard error that an answer is of an earlier time. Says nothing when the lists have every event.
  static func warn(of lists: StatsResponse.Lists?, at now: Timestamp, _ invocation: Invocation) {
    guard let lists, lists.lagEvents > 0 else { return }
    let since = TimeText.short(now + (.zero - lists.lagSeconds), besides: now)
    let events = FileReport.count(lists.lagEvents, "event")
    invocation.terminal.complain("As of \(since): lists and counts are \(events) behind.\n")
  }

  static func text(events: Int, time: Duration) -> String {
    let time = events > 0 && time >= .seconds(1) ? " and \(TimeText.duration(time))" : ""
    return "\(FileReport.count(events, "event"))\(time) behind"
  }
}

/// `saga projections`.
struct ProjectionLines {
  let projections: ProjectionsResponse

  func lines() -> [String] {
    let lag = projections.lagEvents
    let behind = projections.shards.filter { $0.lagEvents > 0 }
    var lines = [
      lag == 0
        ? "Lists show every stored event."
        : "Lists are \(ListLag.text(events: lag, time: projections.lagSeconds)).",
      "  store       \(projections.store), generation \(projections.generation)",
    ]
    for shard in behind.sorted(by: { $0.lagEvents > $1.lagEvents }).prefix(8) {
      lines.append("  shard \(Layout.padLeft("\(shard.shard)", to: 4))  at \(shard.position) of \(shard.head)")
    }
    if behind.count > 8 { lines.append("  and \(behind.count - 8) more shards") }
    if let rebuild = projections.rebuild {
      let (done, all) = (rebuild.events, rebuild.of)
      let share = all == 0 ? 100 : min(100, done * 100 / all)
      lines.append("  rebuild     \(share) %: \(done) of \(all) events, generation \(rebuild.generation)")
    }
    return lines
  }
}
