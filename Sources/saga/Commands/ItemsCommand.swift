import JSON
import Runtime
import SagaCore
import Server
import Values
import Wire

/// The statuses of an item that has begun.
private let begunStatuses = StepStatus.allCases.filter { $0 != .pending }.map(\.rawValue)

let itemsCommand = CommandSpec(
  "items", summary: "list the items of a step that has forEach",
  about: [
    "A step with forEach does its action once for each item of a list. Prints a line for each item that has begun, in "
      + "their order: its key, status, time and attempts, and below it the error or the output.",
    "The verbs retry, resolve and skip take one item as 'STEP[KEY]'. The quotes keep the brackets from the shell.",
  ],
  operands: [.saga, OperandSpec("STEP", help: "the step")],
  options: [
    OptionSpec(
      "status", value: "STATUS", words: begunStatuses,
      help: "only items with this status: failed, undoFailed, running, …"),
    OptionSpec("limit", value: "N", help: "items a page, at most 200"),
    OptionSpec("cursor", value: "CURSOR", help: "the cursor of the page before"),
    OptionSpec("all", help: "all pages; with --json a line of JSON for each item"),
    .server, .json,
  ],
  examples: [
    .init(says: "Which libraries failed, and why?", line: "saga items ID demultiplex --status failed"),
    .init(says: "Try one of them again", line: "saga retry ID 'demultiplex[LIB-7]' --reason 'sheet fixed'"),
    .init(says: "All of them, for a program", line: "saga items ID demultiplex --all --json"),
  ]
) { invocation in
  let status = try invocation.arguments.value("status").map { try invocation.status($0) }
  return try await ItemPages(
    invocation, id: try await invocation.sagaID(), step: try invocation.required(1), status: status
  )
  .run()
}

extension Invocation {
  /// Returns the value of `--status`.
  fileprivate func status(_ text: String) throws(UsageError) -> String {
    if begunStatuses.contains(text) { return text }
    let near = NearNames.nearest(to: text, among: begunStatuses, completes: true).map { "; did you mean \($0)?" } ?? ""
    throw usage("\"\(text)\" is not a status of an item that has begun\(near)")
  }
}

/// Prints the pages of the items of a step.
private struct ItemPages {
  private let invocation: Invocation
  private let id: String
  private let step: String
  private let query: [(name: String, value: String)]
  private let all: Bool

  init(_ invocation: Invocation, id: String, step: String, status: String?) throws {
    self.invocation = invocation
    self.id = id
    self.step = step
    let all = invocation.arguments.has("all")
    self.all = all
    var query: [(name: String, value: String)] = []
    if let status { query.append(("status", status)) }
    if let limit = try invocation.number("limit") {
      query.append(("limit", "\(limit)"))
    } else if all {
      query.append(("limit", "200"))
    }
    self.query = query
  }

  func run() async throws -> ExitStatus {
    let lines = ItemLines(now: invocation.environment.now(), style: invocation.style)
    var cursor = invocation.arguments.value("cursor")
    var shown = 0
    /// The first item that an operator can retry.
    var retryable: String?
    repeat {
      var query = query
      if let cursor { query.append(("cursor", cursor)) }
      let answer = try await invocation.client.get(.listItems, id, step, query: query)
      if invocation.json, !all {
        invocation.terminal.line(answer.json.text(.pretty))
        return .success
      }
      let page: ItemsResponse = try answer.read()
      if invocation.json {
        for item in answer.json["items"]?.arrayValue ?? [] { invocation.terminal.line(item.text()) }
      } else {
        if shown == 0, !page.items.isEmpty { invocation.terminal.line(lines.heading) }
        invocation.terminal.write(page.items.flatMap(lines.lines).map { $0 + "\n" }.joined())
        retryable = retryable ?? page.items.first { $0.verbs.contains("retry") }?.id
      }
      shown += page.items.count
      // A page without items would not end the loop.
      cursor = page.items.isEmpty ? nil : page.next
    } while all && cursor != nil
    if !invocation.json { end(shown, cursor, retryable) }
    return .success
  }

  private func end(_ shown: Int, _ cursor: String?, _ retryable: String?) {
    if shown == 0 {
      let status = invocation.arguments.value("status").map { " with the status \($0)" } ?? ""
      invocation.terminal.line("No item of step \(step)\(status).")
    }
    if let cursor { invocation.terminal.line(invocation.style.dim("More: --all, or --cursor \(cursor)")) }
    guard let retryable else { return }
    invocation.terminal.line("")
    invocation.terminal.line("  " + invocation.style.dim("# Try an item again, after the cause is fixed."))
    invocation.terminal.line("  saga retry \(id) \\")
    invocation.terminal.line("    \(Shell.quoted(retryable)) --reason '…'")
  }
}

/// The failed items that `saga show` names.
enum FailedItems {
  static let statuses = ["failed", "undoFailed"]
  /// The most items of one status and one step.
  private static let mostItems = 5
  /// The most steps whose items are read.
  private static let mostSteps = 10

  /// Reads some failed items of each step of a saga that has failed items.
  static func read(
    of saga: SagaResponse, _ client: APIClient
  ) async throws -> [String: [SagaResponse.Step]] {
    var found: [String: [SagaResponse.Step]] = [:]
    let failing = saga.steps.filter { step in
      step.items?.statuses.contains { statuses.contains($0.status) && $0.count > 0 } == true
    }
    for step in failing.prefix(mostSteps) {
      for status in statuses where step.items?.statuses.contains(where: { $0.status == status }) == true {
        let page: ItemsResponse = try await client.get(
          .listItems, saga.id, step.id, query: [("status", status), ("limit", "\(mostItems)")]
        ).read()
        found[step.id, default: []] += page.items
      }
    }
    return found
  }
}
