import JSON
import TestSupport
import Testing
import Workflows

@testable import saga

@Suite("saga query --saga", .timeLimit(.minutes(15)), .inTurn)
struct SagaTrialTests {
  private static let document: JSON = [
    "input": ["volumeMl": 4.5, "barcode": "ts-1", "tubes": [["lot": "A"], ["lot": "B"]]],
    "steps": [
      "create": ["status": "succeeded", "key": "k", "output": ["id": "S-1"]],
      "weigh": [
        "status": "succeeded", "key": "k", "outputError": ["code": "http.answerNotJSON", "message": "not JSON"],
      ],
    ],
    "saga": ["id": .string(Sample.id), "workflow": "w", "version": 1, "startedAt": "2026-03-01T08:15:30.250Z"],
  ]

  private func run(_ words: String...) async -> (result: TestTool.Result, url: String?) {
    let tool = TestTool(answers: [.json(Self.document)])
    let result = await tool.run(["query", "--saga", Sample.id] + words)
    return (result, tool.requests.first?.url)
  }

  @Test(
    "tries any expression that a workflow may have",
    arguments: [
      (["$.input.tubes[*].lot"], "\"A\"\n\"B\"\n"),
      (["--paths", "$..lot"], "$['input']['tubes'][0]['lot']\t\"A\"\n$['input']['tubes'][1]['lot']\t\"B\"\n"),
      (["input.volumeMl * 2"], "9\n"), (["upper(steps.create.output.id)"], "\"S-1\"\n"),
      (["${input.barcode}"], "\"ts-1\"\n"), (["input.comment ?? 'none'"], "\"none\"\n"),
      (["input.comment ?? nothing"], "(no value: the member is left out)\n"), (["$.missing"], ""),
      (["--when", "$.steps.create.status == 'succeeded'"], "true\n"), (["--when", "$.input.volumeMl > 5"], "false\n"),
      (["--json", "input.barcode"], "{\"value\":\"ts-1\"}\n"),
      (["--json", "$.input.barcode"], "{\"nodes\":[\"ts-1\"],\"paths\":[\"$['input']['barcode']\"]}\n"),
      (["--json", "--when", "$.input.volumeMl > 5"], "{\"holds\":false}\n"),
      (["--json", "input.x ?? nothing"], "{\"leftOut\":true}\n"),
    ] as [([String], String)])
  func values(_ words: [String], _ output: String) async {
    let tool = TestTool(answers: [.json(Self.document)])
    let result = await tool.run(["query", "--saga", Sample.id] + words)
    #expect(result.output == output, "\(result.complaint)")
    #expect(result.status == .success)
    #expect(tool.requests.map(\.url) == ["http://127.0.0.1:8080/v1/sagas/\(Sample.id)/document"])
  }

  @Test(
    "an expression without a value is an error, as it is for the engine",
    arguments: [
      (["input.missing"], "expression.empty"), (["upper(input.volumeMl)"], "expression.wrongType"),
      (["steps.weigh.output.grams"], "http.answerNotJSON"),
      (["--when", "$.steps.weigh.output.grams > 1"], "http.answerNotJSON"),
    ] as [([String], String)])
  func errors(_ words: [String], _ code: String) async {
    let tool = TestTool(answers: [.json(Self.document)])
    let result = await tool.run(["query", "--saga", Sample.id] + words)
    #expect(result.status == .failure)
    #expect(result.complaint.contains("[\(code)]"), "\(result.complaint)")
  }

  @Test("a mistake is shown with a caret, before the engine is asked")
  func caret() async {
    let (result, url) = await run("input.volumeMl *")
    #expect(result.status == .failure && url == nil)
    #expect(result.complaint.contains("  input.volumeMl *\n                  ^"))
  }

  @Test("--version reads the document as it was after an event")
  func version() async {
    let (result, url) = await run("--version", "3", "input.barcode")
    #expect(result.output == "\"ts-1\"\n")
    #expect(url == "http://127.0.0.1:8080/v1/sagas/\(Sample.id)/document?version=3")
  }

  @Test(
    "wrong words are refused",
    arguments: [
      ["--saga", "", "$"], ["--saga", Sample.id], ["--saga", Sample.id, "$.a", "file.json"],
      ["--saga", Sample.id, "--when", "$.a", "$.b"], ["--saga", Sample.id, "--batch"], ["--version", "3", "$.a"],
      ["--saga", Sample.id, "--paths", "input.a + 1"],
    ])
  func usage(_ words: [String]) async {
    let result = await TestTool(input: ["{}"], answers: [.json(Self.document)]).run(["query"] + words)
    #expect(result.status == .usage, "\(result.output)\(result.complaint)")
  }

  @Test("finds the saga by its workflow and its key")
  func key() async {
    let tool = TestTool(answers: [.json(Sample.saga()), .json(Self.document)])
    let result = await tool.run("query", "--saga", "store-tube/ORD-1", "input.barcode")
    #expect(result.output == "\"ts-1\"\n", "\(result.complaint)")
    #expect(tool.requests.first?.url.hasSuffix("/ORD-1") == true)
    #expect(tool.requests.last?.url == "http://127.0.0.1:8080/v1/sagas/\(Sample.id)/document")
  }

  @Test("the engine's refusal is shown")
  func refused() async {
    let problem: JSON = [
      "title": "Not found", "detail": "There is no such saga.", "status": 404, "code": "saga.notFound",
    ]
    let result = await TestTool(answers: [.json(problem, status: 404)]).run("query", "--saga", Sample.id, "$")
    #expect(result.status == .failure)
    #expect(result.complaint.contains("There is no such saga.") && result.complaint.contains("code saga.notFound"))
  }
}
