import JSON
import Runtime
import Server
import Values
import Wire
import Workflows

let startCommand = CommandSpec(
  "start", summary: "start a saga of a workflow",
  about: [
    "Starts a saga and prints its id. With --wait it waits for the end and draws the saga. The exit status is then 0 only "
      + "if the saga completed.",
    "A key makes a repeat harmless: requests with the same key start one saga. Use the order number of the LIMS. Without "
      + "--key the command makes a new key, and repeats a request without an answer safely.",
  ],
  operands: [OperandSpec("WORKFLOW", help: "its name, as registered")],
  options: [
    OptionSpec("input", value: "JSON", help: "the input: JSON, a file, or - for standard input"),
    OptionSpec(
      "set", value: "NAME=VALUE", repeats: true,
      help: "one member of the input (a.b for b inside a); a VALUE that isn't JSON is text"),
    OptionSpec("key", value: "KEY", help: "the Idempotency-Key"),
    OptionSpec("tag", value: "TAG", repeats: true, help: "a word to find the saga by"),
    OptionSpec("version", value: "N", help: "the workflow's version, or draft-3; else the latest released one"),
    OptionSpec("draft", help: "start the latest draft of the workflow"),
    OptionSpec("wait", value: "TIME", help: "wait for the end, up to this time: 10s, 1m"),
    .user, .server, .json,
  ],
  examples: [
    .init(
      says: "Process one tube and show the result",
      line: "saga start sample-processing --input workflows/examples/tube.json --wait 10s"),
    .init(says: "The order from a file, once", line: "saga start incoming-qc --input order.json --key ORD-2026-0417"),
  ]
) { invocation in
  var input: JSON = [:]
  if let text = invocation.arguments.value("input") { input = try invocation.value(of: text, option: "input") }
  for pair in invocation.arguments.values("set") {
    guard let equals = pair.firstIndex(of: "=") else {
      throw invocation.usage("--set wants NAME=VALUE, not \"\(pair)\"")
    }
    let text = String(pair[pair.index(after: equals)...])
    let value = (try? JSON(parsing: text)) ?? .string(text)
    guard input.set(pair[..<equals].split(separator: ".", omittingEmptySubsequences: false)[...], to: value) else {
      throw invocation.usage("--set \(pair) leads into a value that is not an object")
    }
  }
  var version = try invocation.version("version")
  if invocation.arguments.has("draft") {
    if version != nil { throw invocation.usage("--draft and --version exclude each other") }
    version = .latestDraft
  }
  let request = SagaStart(
    workflow: try invocation.required(0), version: version, input: input,
    key: invocation.arguments.value("key") ?? invocation.environment.newID().description,
    tags: invocation.arguments.values("tag"), wait: try invocation.wait())
  let answer = try await request.send(with: try invocation.client)
  let saga: SagaResponse = try answer.read()
  if invocation.json || request.wait != nil {
    try invocation.show(answer)
  } else {
    invocation.terminal.line(saga.id)
    if invocation.terminal.isTerminal {
      invocation.terminal.complain(invocation.terminal.errorStyle.dim("saga show \(saga.id)") + "\n")
    }
  }
  guard request.wait != nil else { return .success }
  return saga.status == "completed" ? .success : .failure
}

extension Invocation {
  /// `--wait`, as the API takes it and as a duration.
  fileprivate func wait() throws(UsageError) -> (text: String, duration: Duration)? {
    guard let text = arguments.value("wait"), let duration = try time("wait") else { return nil }
    return (text, duration)
  }
}

/// The start of a saga. Its key makes a repeat harmless.
struct SagaStart: Sendable {
  let workflow: String
  /// Nil for the latest released version.
  var version: VersionWord?
  let input: JSON
  let key: String
  var tags: [String] = []
  var wait: (text: String, duration: Duration)?

  func send(with client: APIClient) async throws -> EngineAnswer {
    let number: Int? = if case .number(let number)? = version { number } else { nil }
    let body = StartSagaRequest(
      input: input, version: number, wantsDraft: version == .latestDraft, tags: tags)
    var request = APIRequest(
      .startSaga, workflow, headers: [("Idempotency-Key", key)], body: body.json.bytes())
    if let wait {
      request.query.append(("wait", wait.text))
      request.timeout += wait.duration
    }
    return try await client.answer(to: request, again: 2)
  }
}
