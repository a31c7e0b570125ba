import Foundation
import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("stored definitions", .timeLimit(.minutes(15)), .inTurn)
struct StoredWorkflowTests {
  private static func file(_ name: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Stored")
    return Array(try Data(contentsOf: folder.appending(path: name)))
  }

  /// The words of the first version, each with a value that is not its default.
  @Test("a definition of the language's first version decodes to the same steps in every later version")
  func firstVersion() throws {
    let definition = try StoredWorkflow.decode(Self.file("language-1.json"))
    #expect(definition.name == "stored-language-1")
    #expect(definition.version == 7)
    #expect(definition.owner == "genomics-core")
    #expect(definition.description == "Every word of the language's first version.")
    #expect(definition.timeout == .seconds(4 * 86_400))
    #expect(definition.inputSchema?.source["required"] == ["barcode"])
    #expect(
      definition.output
        == (try Template(["sample": "${steps.createSample.output.id}", "checked": "${steps.check.status}"])))
    #expect(definition.dependencies == [[], [0], [0], [1, 2], [3], [4]])

    let base = RetryPolicy(maxAttempts: 4, jitter: 0)
    let rules = RetryRules(policies: [base], fallback: RetryPolicy())
    let undoBase = RetryPolicy(maxAttempts: 10, jitter: 0)
    let samples = try TextTemplate("/samples/${steps.createSample.uuid}")
    let steps = [
      Step(
        id: "createSample", description: "Creates the sample under a known id.", index: 0, dependsOn: [],
        action: .http(
          HTTPAction(
            service: "samples", method: "PUT", path: samples,
            headers: [NamedText(name: "X-Site", value: try TextTemplate("site-${input.site}"))],
            query: [NamedText(name: "notify", value: try TextTemplate("${$.input.notify}"))],
            body: try Template(
              try JSON(parsing: #"{"barcode": "${input.barcode}", "plain": "$${kept}", "count": 1.50}"#)),
            success: [200...200, 201...204, 300...399])),
        timeout: .seconds(20), expected: .seconds(120), retry: rules,
        compensation: .undo(
          Undo(
            action: .http(HTTPAction(service: "samples", method: "DELETE", path: samples)), timeout: .seconds(5),
            expected: .seconds(60),
            retry: RetryRules(
              policies: [RetryPolicy(maxAttempts: 20, initialInterval: .milliseconds(500), jitter: 0)],
              fallback: undoBase),
            appliesTo: [.succeeded, .unknown, .failed], onFailure: .continue))),
      Step(
        id: "check", index: 1, dependsOn: ["createSample"],
        action: .kafka(
          KafkaAction(
            service: "qc", command: "measure",
            headers: [NamedText(name: "x-run", value: try TextTemplate("${saga.id}"))],
            body: try Template("${input}"))),
        timeout: .seconds(90),
        retry: RetryRules(
          policies: [
            RetryPolicy(
              on: ["QC_*", "http.5xx"], maxAttempts: 9, backoffCoefficient: 3, maxInterval: .seconds(600), jitter: 0),
            RetryPolicy(on: ["http.409"], maxAttempts: 4, jitter: 0, nonRetryable: ["http.4xx"]),
          ], fallback: base),
        compensation: .none, onFailure: .continue),
      Step(
        id: "approve", index: 2, dependsOn: ["createSample"],
        action: .signal(
          SignalAction(
            name: "approval", roles: ["qa"], schema: WorkflowSchema(["type": "object"]),
            accept: try JSONPathCondition("$.signal.approved == true"))),
        when: try JSONPathCondition(
          "$.input.priority == 'urgent' || length($.input.barcode) > 3 && !$.input.trial"),
        timeout: .seconds(2 * 86_400), retry: rules),
      Step(
        id: "pause", index: 3, dependsOn: ["check", "approve"], action: .delay(.for(.milliseconds(250))), retry: rules),
      Step(
        id: "night", index: 4, dependsOn: ["pause"],
        action: .delay(.until(try TextTemplate("${input.nightStartsAt}"))), retry: rules),
      Step(
        id: "load", index: 5, dependsOn: ["night"],
        action: .http(HTTPAction(service: "instrument", method: "POST", path: try TextTemplate("/runs"))),
        timeout: .seconds(20), retry: rules, pivot: true),
    ]
    for (decoded, expected) in zip(definition.steps, steps) { #expect(decoded == expected) }
    #expect(definition.steps.count == steps.count)
  }

  @Test("a definition with forEach decodes to the same steps in every later version")
  func items() throws {
    let definition = try StoredWorkflow.decode(Self.file("language-3.json"))
    #expect(definition.steps.map(\.id) == ["demultiplex", "wells"])
    #expect(
      definition.steps[0].forEach
        == ForEach(
          items: try Template("${input.libraries[*]}"), name: "library", key: try TextTemplate("${library.barcode}"),
          maxParallel: 4, tolerated: .percent(5)))
    #expect(
      definition.steps[1].forEach == ForEach(items: try Template(["A1", "${input.well}"]), tolerated: .count(3)))
  }

  @Test("a stored definition with tasks decodes to the same steps in every later version")
  func tasks() throws {
    let definition = try StoredWorkflow.decode(Self.file("language-4.json"))
    let step = try #require(definition.steps.first)
    #expect(
      step.action
        == .task(
          TaskAction(queue: "robot", input: try Template(["plate": "${input.plate}"]), heartbeatTimeout: .seconds(30))))
    #expect(step.timeout == .seconds(7_200))
    #expect(
      step.compensation
        == .undo(Undo(action: .task(TaskAction(queue: "cleaner")), timeout: Undo.defaultWaitTimeout)))
  }

  @Test("a definition with children decodes to the same steps in every later version")
  func children() throws {
    let definition = try StoredWorkflow.decode(Self.file("language-child.json"))
    let deliver = WorkflowAction(
      name: "deliver-results", version: 3, input: try Template(["run": "${input.run}"]),
      key: try TextTemplate("run ${input.run}"))
    let archive = WorkflowAction(name: "archive-run")
    #expect(definition.steps.map(\.action).prefix(2) == [.workflow(deliver), .workflow(archive)])
    guard case .undo(let first) = definition.steps[0].compensation,
      case .undo(let second) = definition.steps[1].compensation
    else {
      Issue.record("\(definition.steps.map(\.compensation))")
      return
    }
    #expect(first.action == .workflow(deliver.undo) && first.onFailure == .continue)
    #expect(second.action == .workflow(archive) && second.onFailure == .stuck)
    #expect(definition.steps[2].compensation == .none)
  }

  @Test("a definition with polls decodes to the same steps in every later version")
  func polls() throws {
    let definition = try StoredWorkflow.decode(Self.file("language-2.json"))
    #expect(definition.steps.map(\.id) == ["sequence", "cool"])
    #expect(
      definition.steps[0].poll
        == Poll(
          every: .seconds(300),
          until: try JSONPathCondition("$.answer.body.state == 'done' && $.answer.status == 200"),
          failWhen: try JSONPathCondition("$.answer.body.state == 'failed'"), lookTimeout: .seconds(20)))
    #expect(definition.steps[0].timeout == .seconds(2 * 86_400))
    #expect(
      definition.steps[1].poll
        == Poll(
          every: .seconds(1), until: try JSONPathCondition("$.answer.headers['x-temperature'] == '4'"),
          lookTimeout: .seconds(20)))
    #expect(definition.steps[1].timeout == nil)
  }

  /// A file that a rule of this version refuses. An earlier version may have accepted it.
  struct Refused: Sendable, CustomTestStringConvertible {
    let code: String
    let file: String
    init(_ code: String, _ steps: String, more: String = "") {
      self.code = code
      file = Sample.workflow(steps, more: more)
    }
    var testDescription: String { code }
  }

  private static func call(_ members: String) -> String {
    "[{ \"id\": \"a\", \"http\": { \"service\": \"s\", \(members) } }]"
  }

  @Test(
    "a definition that breaks a rule of this version decodes",
    arguments: [
      Refused(WorkflowErrorCode.badName, "[\(Sample.get("a-b"))]"),
      Refused(WorkflowErrorCode.badName, "[\(Sample.get("a\u{0301}"))]"),
      Refused(WorkflowErrorCode.unknownRoot, Self.call(#""method": "GET", "path": "/${result.x}""#)),
      Refused(WorkflowErrorCode.unknownStep, Self.call(#""method": "GET", "path": "/${steps.nothing.output}""#)),
      Refused(WorkflowErrorCode.unknownMember, Self.call(#""method": "GET", "path": "/${saga.colour}""#)),
      Refused(WorkflowErrorCode.stepNotBefore, Self.call(#""method": "GET", "path": "/${steps.a.output}""#)),
      Refused(WorkflowErrorCode.badPath, Self.call(#""method": "GET", "path": "/x?y=1""#)),
      Refused(WorkflowErrorCode.badHeader, Self.call(#""method": "GET", "path": "/x", "headers": { "host": "h" }"#)),
      Refused(WorkflowErrorCode.badHeader, Self.call(#""method": "GET", "path": "/x", "headers": { "a": "b\nc" }"#)),
      Refused(WorkflowErrorCode.badValue, Self.call(#""method": "GET", "path": "/x", "body": 1"#)),
      Refused(
        WorkflowErrorCode.tooSlow, "[{ \"id\": \"a\", \"delay\": { \"for\": \"9d\" } }]", more: "\"timeout\": \"1d\", "),
      Refused(
        WorkflowErrorCode.badValue, "[{ \"id\": \"a\", \"delay\": { \"for\": \"1m\" }, \"expected\": \"2m\" }]"),
      Refused(
        WorkflowErrorCode.badValue,
        "[\(Sample.get("a", #", "retry": { "initialInterval": "2m", "maxInterval": "1m" }"#))]"),
      Refused(WorkflowErrorCode.badValue, "[\(Sample.get("a", #", "retry": { "nonRetryable": ["*x"] }"#))]"),
      Refused(JSONPathErrorCode.pattern, "[\(Sample.get("a", #", "when": "match($.input.x, '(')""#))]"),
      Refused(
        WorkflowErrorCode.unguardedRead,
        "[\(Sample.get("a", #", "when": "$.input.x""#)), { \"id\": \"b\", \"http\": { \"service\": \"s\", "
          + "\"method\": \"GET\", \"path\": \"/${steps.a.output.id}\" } }]"),
    ])
  func rules(_ refused: Refused) throws {
    #expect(errors(refused.file).map(\.code) == [refused.code])
    let definition = try StoredWorkflow.decode(Array(refused.file.utf8))
    #expect(!definition.steps.isEmpty)
  }

  @Test("a definition with turns decodes to the same keys and limits in every later version")
  func turns() throws {
    let definition = try StoredWorkflow.decode(Self.file("language-turns.json"))
    #expect(
      definition.concurrency == Concurrency(key: try Template(.string("${input.project}")), limit: 4))
    #expect(
      definition.steps.map(\.concurrency) == [
        Concurrency(key: try Template(.string("HiSeq-${input.number}")), limit: 1), nil,
        Concurrency(key: try Template(.string("robot")), limit: 10_000),
      ])
  }

  @Test("a definition with a word that this version does not know is refused and not run without it")
  func unknownWord() {
    let file = Sample.workflow("[\(Sample.get("a", ", \"sometime\": 1"))]")
    let place = JSONPointer.root.appending("steps").appending(0).appending("sometime")
    #expect(throws: StoredWorkflowError(pointer: place, message: "a step has no member \"sometime\"")) {
      try StoredWorkflow.decode(Array(file.utf8))
    }
  }

  @Test("bytes that are not JSON are refused with the place of the mistake")
  func notJSON() {
    #expect(throws: StoredWorkflowError.self) { try StoredWorkflow.decode(Array("{".utf8)) }
  }
}
