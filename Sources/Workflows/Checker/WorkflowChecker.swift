import JSON

/// Reads a workflow file and reports all its errors.
public enum WorkflowChecker {
  /// The size of the largest accepted file.
  public static let maxBytes = 1 << 20
  /// The most steps of a workflow.
  public static let maxSteps = 1_000
  /// The most `${…}` of a workflow. Each one needs a thousand times its length in memory.
  public static let maxExpressions = 10_000

  /// - Parameters:
  ///   - bytes: the file.
  ///   - file: the name of the file, for the findings.
  ///   - services: the services that `http` may name; nil when they are unknown, and then every name is accepted.
  ///   - kafkaServices: the services that `kafka` may name; an empty set means that Kafka is not configured.
  public static func check(
    _ bytes: [UInt8], file: String? = nil, services: Set<String>? = nil, kafkaServices: Set<String>? = nil
  ) -> CheckResult {
    let opened: OpenedFile
    do throws(UnreadableFile) {
      opened = try OpenedFile(
        bytes, file: file, atMost: maxBytes, tooLarge: WorkflowErrorCode.tooLarge, codes: .workflow)
    } catch {
      return CheckResult(definition: nil, findings: [error.finding])
    }
    let (document, report) = (opened.document, opened.report)
    let expressions = countExpressions(in: document.root)
    guard expressions <= maxExpressions else {
      report.error(
        WorkflowErrorCode.tooLarge,
        "the file has \(expressions) expressions, \(maxExpressions) are the most that a workflow may have", at: .root)
      return CheckResult(definition: nil, findings: report.inOrder())
    }
    let known = KnownServices(http: services, kafka: kafkaServices)
    let definition = WorkflowReader(services: known, report: report).workflow(document.root)
    return CheckResult(
      definition: report.hasErrors ? nil : definition, findings: report.inOrder(), omitted: report.omitted)
  }

  /// Returns the number of `${` in the strings of a file.
  private static func countExpressions(in json: JSON) -> Int {
    switch json {
    case .null, .bool, .number: return 0
    case .string(let text):
      var count = 0
      var last: UInt8 = 0
      for byte in text.utf8 {
        if byte == UInt8(ascii: "{"), last == UInt8(ascii: "$") { count += 1 }
        last = byte
      }
      return count
    case .array(let values): return values.reduce(0) { $0 + countExpressions(in: $1) }
    case .object(let members): return members.reduce(0) { $0 + countExpressions(in: $1.value) }
    }
  }
}

/// The configured services of each kind; nil when they are unknown.
struct KnownServices {
  let http: Set<String>?
  let kafka: Set<String>?
}

/// Reads a whole workflow file.
struct WorkflowReader {
  let services: KnownServices
  let report: Report

  private static let keys = [
    "$schema", "name", "version", "description", "owner", "title", "labels", "timeout", "concurrency", "inputSchema",
    "defaults", "steps", "output", "invariants",
  ]

  /// - Returns: nil when there are too many errors. The report says whether the workflow may be used.
  func workflow(_ json: JSON) -> WorkflowDefinition? {
    let what = "a workflow"
    guard
      let reader = ObjectReader(
        json, at: .root, what: what, keys: Self.keys, meant: Meant.workflow, report: report)
    else { return nil }
    _ = reader.text("$schema")
    let name = reader.name("name", of: what)
    if !reader.has("version") { reader.missing("version", of: what) }
    let version = reader.integer("version", in: 1...Int.max, meaning: "a whole number from 1")
    let description = reader.text("description")
    let owner = reader.text("owner")
    var naming = StartTextReader(services: services, report: report)
    let title = naming.title(in: reader)
    let labels = naming.labels(in: reader)
    let timeout = reader.duration("timeout") ?? WorkflowDefinition.defaultTimeout
    var turns = ActionReader(role: .start, services: services, report: report)
    let concurrency = turns.concurrency(in: reader, role: .start)
    let inputSchema = ActionReader.schema("inputSchema", in: reader)
    let defaults = defaults(in: reader)

    var ending = ActionReader(role: .output, services: services, report: report)
    let output = reader.members["output"].flatMap { ending.template($0, at: reader.pointer(to: "output")) }

    guard let drafts = steps(in: reader, defaults: defaults) else { return nil }
    let graph = GraphCheck(report: report).graph(of: drafts)
    if report.purpose == .check {
      let usesOfWorkflow = naming.uses + turns.uses + ending.uses
      ReferenceCheck(drafts: drafts, graph: graph, inputSchema: inputSchema?.source, report: report)
        .check(usesOfWorkflow: usesOfWorkflow)
      ConditionCheck(
        drafts: drafts, usesOfWorkflow: usesOfWorkflow, inputSchema: inputSchema?.source, report: report
      ).check()
    }
    let invariants = InvariantReader(report: report).invariants(in: reader, steps: drafts.compactMap(\.id))
    guard let steps = assemble(drafts, graph), let name, let version else { return nil }
    let definition = WorkflowDefinition(
      name: name, version: version, description: description, owner: owner, title: title, labels: labels,
      timeout: timeout, concurrency: concurrency, inputSchema: inputSchema, steps: steps, output: output,
      invariants: invariants, source: json)
    guard report.purpose == .check else { return definition }
    TimeCheck(definition: definition, report: report).check()
    AdviceCheck(definition: definition, report: report).check()
    SignalCheck(definition: definition, report: report).check()
    PollCheck(definition: definition, report: report).check()
    ConcurrencyCheck(definition: definition, report: report).check()
    SensitiveCheck(definition: definition, report: report).check()
    return definition
  }

  private func defaults(in reader: ObjectReader) -> Defaults {
    var defaults = Defaults()
    guard let json = reader.members["defaults"],
      let inner = ObjectReader(
        json, at: reader.pointer(to: "defaults"), what: "\"defaults\"", keys: ["timeout", "retry"],
        meant: Meant.defaults, report: report)
    else { return defaults }
    defaults.timeout = inner.duration("timeout")
    if let retry = inner.members["retry"] {
      defaults.retry = RetryReader(report: report).rules(
        retry, at: inner.pointer(to: "retry"), base: RetryPolicy())
    }
    return defaults
  }

  private func steps(in reader: ObjectReader, defaults: Defaults) -> [StepDraft]? {
    guard let json = reader.members["steps"] else {
      reader.missing("steps", of: "a workflow")
      return nil
    }
    guard case .array(let values) = json else {
      reader.wrongType("steps", "a list, in which each step has its \"id\"", json)
      return nil
    }
    let pointer = reader.pointer(to: "steps")
    guard !values.isEmpty else {
      report.error(WorkflowErrorCode.badValue, "\"steps\" is empty: a workflow has at least one", at: pointer)
      return nil
    }
    let count = Self.count(values)
    guard count <= WorkflowChecker.maxSteps || report.purpose == .decoding else {
      report.rule(
        WorkflowErrorCode.tooManySteps,
        "\(count) steps are more than the \(WorkflowChecker.maxSteps) that a workflow may have", at: pointer)
      return nil
    }
    var drafts: [StepDraft] = []
    StepReader(defaults: defaults, services: services, report: report)
      .steps(values, at: pointer, into: &drafts, group: nil, level: 0)
    return drafts
  }

  /// Returns the number of steps of a list, with those of its groups. The parser limits the depth of a file.
  private static func count(_ steps: [JSON]) -> Int {
    steps.reduce(steps.count) { $0 + count($1["steps"]?.arrayValue ?? []) }
  }

  private func assemble(_ drafts: [StepDraft], _ graph: CheckedGraph) -> [Step]? {
    var steps: [Step] = []
    for draft in drafts {
      guard let id = draft.id, let action = draft.action else { return nil }
      let dependsOn = graph.dependencies[draft.index].compactMap { drafts[$0].id }
      steps.append(
        Step(
          id: id, description: draft.description, index: draft.index, dependsOn: dependsOn,
          group: draft.group.flatMap { drafts[$0].id }, members: draft.members.compactMap { drafts[$0].id },
          pointer: draft.pointer, action: action, forEach: draft.forEach, poll: draft.poll,
          concurrency: draft.concurrency, when: draft.when, timeout: draft.timeout,
          remind: draft.remind, expected: draft.expected,
          retry: draft.retry,
          compensation: draft.compensation, pivot: draft.pivot, onFailure: draft.onFailure))
    }
    return graph.isSound ? steps : nil
  }
}
