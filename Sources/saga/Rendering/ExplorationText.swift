import Rehearsal
import SagaCore
import Workflows

/// How every failure of a workflow comes out, as a person reads it: step by step, in 80 columns.
struct ExplorationText {
  let exploration: Exploration
  let style: Style

  private static let width = 80
  /// The most runs that are named for one broken invariant, and the most pairs that are named.
  private static let mostNamed = 5
  private static let mostPairs = 20

  private var definition: WorkflowDefinition { exploration.definition }

  func lines() -> [String] {
    let title = style.bold("\(definition.name) v\(definition.version), every failure of each step")
    return [title] + routes() + steps() + gaps() + neverUndone() + leftBehind() + invariants() + pairs() + [
      counts(), "",
    ]
  }

  // MARK: Routes and steps

  private func routes() -> [String] {
    var lines: [String] = []
    for (route, run) in zip(exploration.routes, exploration.routeRuns) {
      guard let step = route.step else {
        lines += row(["nothing fails"], run)
        continue
      }
      let words = run.skipped.contains(step) ? "\(step) is skipped" : "\(step) runs"
      lines += row(["\(words), with \(route.changes.joined(separator: " and "))"], run)
    }
    return lines
  }

  private func steps() -> [String] {
    definition.steps.flatMap { step -> [String] in
      let runs = exploration.runs.filter { $0.faults.first.map { ItemID.step(of: $0.step) } == step.id }
      guard !runs.isEmpty else { return [] }
      // Faults that come out alike share a row.
      var groups: [[ExploredRun]] = []
      for run in runs {
        let group = groups.firstIndex { $0[0].cameOut(as: run) && $0[0].causes == run.causes }
        if let group { groups[group].append(run) } else { groups.append([run]) }
      }
      return [style.bold(step.id)] + groups.flatMap { row(Self.words($0), $0[0]) }
    }
  }

  /// Two kinds of faults that one phrase names when both come out alike.
  private static let joined: [(one: Fault.Kind, other: Fault.Kind, words: String)] = [
    (
      .timesOut(happened: false), .timesOut(happened: true), "times out, whether it happened or not"
    ),
    (
      .crashes(beforeRecord: true), .crashes(beforeRecord: false),
      "the engine crashes before or after it records the answer"
    ),
    (
      .undoTimesOut(happened: true), .undoTimesOut(happened: false), "its undo times out, whether it happened or not"
    ),
    (
      .undoCrashes(beforeRecord: true), .undoCrashes(beforeRecord: false),
      "the engine crashes before or after it records the undo"
    ),
  ]

  /// The faults of runs of one step in words, without the step.
  private static func words(_ runs: [ExploredRun]) -> [String] {
    let kinds = runs.flatMap(\.faults).map(\.kind)
    let pairs = joined.filter { kinds.contains($0.one) && kinds.contains($0.other) }
    return runs.flatMap(\.faults).compactMap { fault in
      let pair = pairs.first { $0.one == fault.kind }
      if pair == nil, pairs.contains(where: { $0.other == fault.kind }) { return nil }
      return (ItemID(fault.step) == nil ? "" : "one item: ") + (pair?.words ?? fault.words)
    }
  }

  private func row(_ words: [String], _ run: ExploredRun) -> [String] {
    var left = words.joined(separator: "; ")
    if !run.causes.isEmpty { left += " (\(Self.because(run.causes)))" }
    var lines = wrapped(left, indent: "  ", further: "    ")
    let right = result(of: run)
    let colour: Style.Colour? =
      switch run.end {
      case .completed: .green
      case .compensated: run.leftBehind(of: definition).isEmpty ? nil : .yellow
      case .stuck, .abandoned, nil: .red
      }
    lines += wrapped("→ " + right, indent: "    ", further: "      ").map { style.colour($0, colour) }
    for broken in run.broken {
      lines += wrapped("breaks: " + definition.invariants[broken].text, indent: "    ", further: "      ")
        .map { style.colour($0, .red) }
    }
    return lines
  }

  private static func because(_ causes: [Fault]) -> String {
    "when \(list(causes.map { "\($0.step) \($0.words)" }))"
  }

  /// What is undone, how the saga ends, and what remains: `undone: store, create → compensated`.
  private func result(of run: ExploredRun) -> String {
    var parts: [String] = []
    if !run.stuckUntilTimeout.isEmpty {
      parts.append("stuck on \(Self.list(run.stuckUntilTimeout)) until a timeout")
    }
    if !run.undone.isEmpty { parts.append("undone: \(run.undone.joined(separator: ", "))") }
    switch run.end {
    case .completed:
      let passed = run.passedFailures.isEmpty ? "" : ", although \(Self.list(run.passedFailures)) failed"
      parts.append("completed\(passed)")
    case .compensated:
      if run.undone.isEmpty { parts.append(run.inEffect.isEmpty ? "nothing to undo" : "nothing is undone") }
      parts.append("compensated" + remaining(run))
    case .stuck:
      let steps = run.stuckOn.map { $0.phase == .undo ? "the undo of \($0.step)" : $0.step }
      parts.append("stuck on \(Self.list(steps))" + remaining(run))
    case .abandoned: parts.append("abandoned" + remaining(run))
    case nil: parts.append("never comes to rest" + remaining(run))
    }
    return parts.joined(separator: " → ")
  }

  private func remaining(_ run: ExploredRun) -> String {
    run.inEffect.isEmpty ? "" : "; still in effect: \(run.inEffect.joined(separator: ", "))"
  }

  private static func list(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " and " + last
  }

  private func wrapped(_ text: String, indent: String, further: String) -> [String] {
    let lines = Layout.wrap(Layout.printable(text), width: Self.width - further.count)
    return lines.enumerated().map { ($0.offset == 0 ? indent : further) + $0.element }
  }

  // MARK: What an author should know

  private func gaps() -> [String] {
    let words = exploration.gaps.map { gap in
      switch gap {
      case .incomplete(let step, let message):
        "The saga does not complete with the made answers\(step.map { ": step \($0) fails" } ?? ""). \(message) "
          + "Give better ones: --input FILE, --answers FILE."
      case .neverRuns(let step): "\(step) runs in no run: no answer was found with which its condition holds."
      case .neverSkipped(let step): "\(step) is skipped in no run: no answer was found with which its condition fails."
      case .undoNeverRuns(let step): "The undo of \(step) runs in no run: no single failure makes the saga use it."
      case .bodyNotFound(let fault): "no body was found with which this happens: \(fault.step): \(fault.words)."
      }
    }
    return section("Not explored", words)
  }

  private func neverUndone() -> [String] {
    let words = exploration.neverUndone.map { step, why in
      switch why {
      case .pivot: "\(step): it is the pivot"
      case .behindPivot: "\(step): it comes behind a pivot"
      case .saysNone: "\(step): the file says \"compensation\": \"none\""
      case .noCompensation: "\(step): the file has no compensation for it"
      case .neverTurnsBack: "\(step): no single failure makes the saga use its undo"
      }
    }
    return section("Never undone in any run", words)
  }

  private func leftBehind() -> [String] {
    let words = exploration.leftBehind.map { run in
      "\(run.leftBehind(of: definition).joined(separator: ", ")), \(Self.because(run.faults + run.causes))"
    }
    return section("Left in effect by a compensated saga, although it has an undo", words)
  }

  private func invariants() -> [String] {
    let runs = exploration.all.count
    return definition.invariants.enumerated().flatMap { index, invariant -> [String] in
      let broken = exploration.runs(breaking: index)
      guard !broken.isEmpty else {
        return wrapped("Holds in all \(runs) runs: \(invariant.text)", indent: "", further: "  ")
          .map { style.colour($0, .green) }
      }
      let head = "Broken in \(broken.count) of \(runs) runs: \(invariant.text)"
      var lines = wrapped(head, indent: "", further: "  ").map { style.colour($0, .red) }
      for run in broken.prefix(Self.mostNamed) {
        lines += wrapped("by: \(Self.sentence(run)) → \(result(of: run))", indent: "  ", further: "    ")
      }
      if broken.count > Self.mostNamed { lines.append("  and \(broken.count - Self.mostNamed) more") }
      return lines
    }
  }

  /// The faults of a run as a sentence.
  private static func sentence(_ run: ExploredRun) -> String {
    guard !run.faults.isEmpty else { return "nothing fails" }
    let faults = run.faults.map { "\($0.step): \($0.words)" }.joined(separator: "; ")
    return run.causes.isEmpty ? faults : "\(faults) (\(because(run.causes)))"
  }

  private func section(_ title: String, _ words: [String]) -> [String] {
    words.isEmpty
      ? [] : [style.bold(title)] + words.flatMap { wrapped($0, indent: "  ", further: "    ") }
  }

  // MARK: Pairs and counts

  private func pairs() -> [String] {
    guard let pairs = exploration.pairs else { return [] }
    let played =
      pairs.played == pairs.count ? "\(pairs.count) pairs" : "\(pairs.played) of \(pairs.count) pairs, evenly spread"
    let ends = Invariant.End.allCases.compactMap { end in pairs.ends[end].map { "\($0) \(end.rawValue)" } }
    var lines = [style.bold("Two failures at a time: ") + "\(played): \(ends.joined(separator: ", "))"]
    guard !pairs.news.isEmpty else {
      return lines + ["  No pair comes out worse than its two failures alone."]
    }
    for news in pairs.news.prefix(Self.mostPairs) {
      lines += wrapped("\(Self.sentence(news.run)) → \(result(of: news.run))", indent: "  ", further: "    ")
      for broken in news.broken {
        lines += wrapped("breaks: " + definition.invariants[broken].text, indent: "    ", further: "      ")
          .map { style.colour($0, .red) }
      }
    }
    let more = pairs.news.count + pairs.omitted - min(pairs.news.count, Self.mostPairs)
    if more > 0 { lines.append("  and \(more) more that come out worse than their two failures alone") }
    return lines
  }

  private func counts() -> String {
    let ends = Invariant.End.allCases.map { ($0, exploration.count($0)) }.filter { $0.1 > 0 }
    let runs = exploration.routeRuns.count + exploration.runs.count
    return "\(FileReport.count(runs, "run")): " + ends.map { "\($0.1) \($0.0.rawValue)" }.joined(separator: ", ")
  }
}
