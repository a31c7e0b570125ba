import JSON
import Runtime
import SagaCore
import Server
import Values
import Wire

/// The filters of `saga list`: each option with its query parameter.
let listFilters: [(option: OptionSpec, parameter: String)] = [
  (
    OptionSpec(
      "status", value: "STATUS", words: SagaStatus.allCases.map(\.rawValue), repeats: true,
      help: "running, compensating, stuck, completed, compensated, or abandoned; several with commas"), "status"
  ),
  (OptionSpec("workflow", value: "NAME", help: "only of this workflow"), "workflow"),
  (
    OptionSpec(
      "version", formerly: "workflow-version", value: "N", help: "only of this version of the workflow, or draft-3"),
    "version"
  ),
  (OptionSpec("step", value: "STEP", help: "at this step; with --step-status, where it has this status"), "step"),
  (
    OptionSpec(
      "step-status", value: "STATUS", words: StepStatus.allCases.map(\.rawValue),
      help: "with a step, or this step, in this status: undoFailed, waiting"),
    "stepStatus"
  ),
  (OptionSpec("error", value: "CODE", help: "with this error code, or with codes that begin like http.*"), "error"),
  (OptionSpec("cause", value: "CODE", help: "turned back because of this error code"), "cause"),
  (OptionSpec("incident", value: "ID", help: "in this incident of `saga incidents`"), "incident"),
  (OptionSpec("min-attempts", value: "N", help: "with a step that had at least N attempts"), "minAttempts"),
  (
    OptionSpec(
      "waiting-for", value: "WHAT", words: ["delay", "poll", "turn", "task", "child", "answer"],
      help: "a signal's name, delay, poll, turn, task, child, or answer"),
    "waitingFor"
  ),
  (OptionSpec("tag", value: "TAG", repeats: true, help: "with this tag; several options: with all of them"), "tag"),
  (
    OptionSpec(
      "label", value: "NAME=VALUE", repeats: true,
      help: "with this label, as patient=P-17; several options: with all of them"), "label"
  ),
  (OptionSpec("key", value: "KEY", help: "started with this idempotency key"), "key"),
  (OptionSpec("parent", value: "ID", help: "started by this saga, as its child"), "parent"),
  (
    OptionSpec(
      "q", formerly: "text", value: "TEXT", help: "words of titles, input, tags and errors, or their beginnings"),
    "q"
  ),
  (
    OptionSpec(
      "started-after", or: "since", value: "TIME",
      help: "started at this time or later: 1h (an hour ago), today, yesterday, 2026-11-29, 2026-11-29T10:00 (UTC)"),
    "startedAfter"
  ),
  (OptionSpec("started-before", or: "until", value: "TIME", help: "started before this time"), "startedBefore"),
  (
    OptionSpec("ended-after", formerly: "ended-since", value: "TIME", help: "ended at this time or later"), "endedAfter"
  ),
  (OptionSpec("ended-before", formerly: "ended-until", value: "TIME", help: "ended before this time"), "endedBefore"),
  (
    OptionSpec(
      "sort", value: "ORDER", words: ["-startedAt", "startedAt", "-updatedAt", "-endedAt"],
      help: "-startedAt (else), startedAt, -updatedAt, -endedAt"), "sort"
  ),
  (OptionSpec("seen", value: "TOKEN", help: "wait for the events of this Saga-Seen header"), "seen"),
]

let listFlags: [(option: OptionSpec, parameter: String)] = [
  (OptionSpec("stuck", help: "only sagas that need an operator"), "stuck"),
  (OptionSpec("overdue", help: "only sagas past their deadline, or with an overdue step"), "overdue"),
  (OptionSpec("paused", help: "only paused sagas"), "paused"),
  (OptionSpec("draft", help: "only sagas of drafts"), "draft"),
]

extension Invocation {
  /// Returns the value of a filter's parameter.
  /// - Throws: `UsageError` when the option's value is not one that the filter can have; the errors of `SagaLookup`.
  func value(_ value: String, ofFilter option: String) async throws -> String {
    switch option {
    case "status":
      try ListPages.check(value, self)
      return value
    case "version":
      guard case .number(let number)? = VersionWord(value) else {
        throw usage("--version wants a whole number from 1, or draft-3, not \"\(value)\"")
      }
      return "\(number)"
    case "label":
      let scalars = value.unicodeScalars
      guard let sign = scalars.firstIndex(of: "="), sign != scalars.startIndex else {
        throw usage("--label wants NAME=VALUE, as patient=P-17, not \"\(value)\"")
      }
      return "\(String(scalars[..<sign])):\(String(scalars[scalars.index(after: sign)...]))"
    case "parent": return try await sagaID(named: value)
    case let name where Self.timeFilters.contains(name): return try time(value, of: name).description
    default: return value
    }
  }

  /// The filters whose value is a time.
  static let timeFilters: Set<String> = ["started-after", "started-before", "ended-after", "ended-before"]
}

let listCommand = CommandSpec(
  "list", summary: "list sagas, the newest first",
  about: [
    "Shows a line for each saga, below it its title and labels, and the error of a saga that turned back or is stuck. A "
      + "running saga is shown as paused, retrying or waiting when it is that. A saga must match every filter. --facets "
      + "first counts the sagas by status, workflow, error, cause and step.",
    "The list has the beginnings of ids. Every command takes them.",
  ],
  options: listFilters.map(\.option) + listFlags.map(\.option) + [
    OptionSpec("facets", help: "count the sagas, too"),
    OptionSpec("limit", value: "N", help: "sagas a page, at most 200"),
    OptionSpec("cursor", value: "CURSOR", help: "the cursor of the page before"),
    OptionSpec("all", help: "all pages"),
    OptionSpec("full-ids", help: "whole ids; else so much of each that no other in the list begins with it"),
    .server, .json,
  ],
  examples: [
    .init(says: "Which sagas need an operator, and why?", line: "saga list --stuck --facets"),
    .init(
      says: "Errors of the storage service today",
      line: "saga list --error 'storage.*' --since today"),
    .init(says: "All compensated sagas, for a program", line: "saga list --status compensated --all --json"),
  ]
) { try await ListPages($0).run() }

/// Prints the pages of a list.
struct ListPages {
  private let invocation: Invocation
  private let query: [(name: String, value: String)]
  private let all: Bool

  init(_ invocation: Invocation) async throws {
    self.invocation = invocation
    all = invocation.arguments.has("all")
    var query: [(name: String, value: String)] = []
    for (option, parameter) in listFilters {
      for value in invocation.arguments.values(option.name) {
        query.append((parameter, try await invocation.value(value, ofFilter: option.name)))
      }
    }
    for (option, parameter) in listFlags where invocation.arguments.has(option.name) {
      query.append((parameter, "true"))
    }
    if let limit = try invocation.number("limit") {
      query.append(("limit", "\(limit)"))
    } else if all {
      query.append(("limit", "200"))
    }
    self.query = query
  }

  static func check(_ value: String, _ invocation: Invocation) throws(UsageError) {
    let statuses = SagaStatus.allCases.map(\.rawValue)
    for status in value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    where !statuses.contains(status) {
      let near = NearNames.nearest(to: status, among: statuses, completes: true).map { "; did you mean \($0)?" } ?? ""
      throw invocation.usage("\"\(status)\" is not a status of a saga\(near)")
    }
  }

  func run() async throws -> ExitStatus {
    var drawing = SagaLines(now: invocation.environment.now(), style: invocation.style)
    var cursor = invocation.arguments.value("cursor")
    var isFirst = true
    var collected: [JSON] = []
    var counted: JSON?
    // How far the lists were before the first page: a later page lacks no more.
    var lists: JSON?
    repeat {
      let answer = try await self.page(cursor, counts: isFirst && invocation.arguments.has("facets"))
      if invocation.json, !all {
        invocation.terminal.line(answer.json.text(.pretty))
        return .success
      }
      let page: SagaListResponse = try answer.read()
      cursor = page.next
      if isFirst {
        counted = answer.json["facets"]
        lists = answer.json["lists"]
        ListLag.warn(of: page.lists, at: invocation.environment.now(), invocation)
      }
      if invocation.json {
        collected += answer.json["sagas"]?.arrayValue ?? []
      } else {
        if !invocation.arguments.has("full-ids") { drawing.fit(page.sagas.map(\.id), isFirst: isFirst) }
        if isFirst { begin(page, drawing) }
        invocation.terminal.write(page.sagas.flatMap(drawing.lines).map { $0 + "\n" }.joined())
      }
      isFirst = false
    } while all && cursor != nil
    if invocation.json {
      var members: JSONObject = ["sagas": .array(collected)]
      members["facets"] = counted
      members["lists"] = lists
      invocation.terminal.line(JSON.object(members).text(.pretty))
    } else if let cursor {
      invocation.terminal.line(invocation.style.dim("More: --all, or --cursor \(cursor)"))
    }
    return .success
  }

  private func page(_ cursor: String?, counts: Bool) async throws -> EngineAnswer {
    var query = query
    if counts { query.append(("facets", "true")) }
    if let cursor { query.append(("cursor", cursor)) }
    return try await invocation.client.get(.listSagas, query: query)
  }

  private func begin(_ page: SagaListResponse, _ drawing: SagaLines) {
    if let facets = page.facets {
      for line in FacetLines(style: invocation.style).lines(of: facets) { invocation.terminal.line(line) }
      invocation.terminal.line("")
    }
    if page.behind { invocation.terminal.line("The list lacks recent events: `saga projections` says how many.") }
    invocation.terminal.line(page.sagas.isEmpty && page.next == nil ? "No sagas." : drawing.heading)
  }
}

/// The counts of `--facets`: a line for each facet, the largest count first.
struct FacetLines {
  let style: Style
  private static let shown = 6

  func lines(of facets: SagaListResponse.Facets) -> [String] {
    let named = [
      ("status", facets.status), ("workflow", facets.workflow), ("error", facets.error),
      ("cause", facets.cause ?? Counts([])), ("step", facets.step),
    ]
    return named.compactMap { name, counts in
      let counts = counts.all.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
      guard !counts.isEmpty else { return nil }
      var words = counts.prefix(Self.shown).map { "\($0.name) \($0.count)\(facets.atLeast ? "+" : "")" }
      if counts.count > Self.shown { words.append("and \(counts.count - Self.shown) more") }
      return Layout.clip("\(Layout.pad(name, to: 9)) \(words.joined(separator: ", "))", to: SagaLines.width)
    }
  }
}
