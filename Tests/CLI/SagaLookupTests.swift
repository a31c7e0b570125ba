import JSON
import TestSupport
import Testing
import Wire

@testable import saga

@Suite("The saga that a word names", .timeLimit(.minutes(15)), .inTurn)
struct SagaLookupTests {
  private static let id = Sample.id
  private static let other = "019c8a5e-7b1c-7d2e-8f3a-0123456789ac"
  private static let none: APIAnswer = .json(["sagas": []])
  private static func list(_ sagas: JSON...) -> APIAnswer { .json(["sagas": .array(sagas)]) }

  /// Runs `saga show WORD` with these answers to its searches.
  private func show(_ word: String, _ answers: [APIAnswer]) async throws -> (TestTool, TestTool.Result) {
    let tool = TestTool(answers: answers + [.json(Sample.saga())])
    return (tool, await tool.run("show", word))
  }

  @Test("is the one with this key, found with one search")
  func key() async throws {
    let (tool, result) = try await show("ORD-4711", [Self.list(Sample.summary(["key": "ORD-4711"]))])
    #expect(result.status == .success, "\(result.complaint)")
    #expect(tool.requests.map(\.url).first?.hasSuffix("/v1/sagas?key=ORD-4711&limit=200") == true)
    #expect(tool.requests.last?.url.hasSuffix("/v1/sagas/\(Self.id)") == true)
  }

  @Test("is the one whose id begins so, in lower or upper case", arguments: ["019c8a5e-7b1c", "019C8A5E", "019c"])
  func beginning(_ word: String) async throws {
    let (tool, result) = try await show(word, [Self.none, Self.list(Sample.summary())])
    #expect(result.status == .success, "\(result.complaint)")
    #expect(tool.requests.count == 3 && tool.requests[1].url.contains("/v1/sagas?q=\(word)&limit=200"))
    #expect(tool.requests[2].url.hasSuffix("/v1/sagas/\(Self.id)"))
  }

  @Test(
    "is the one with exactly this title, tag or label, and not one that only begins so",
    arguments: [
      ["title": "TUBE-1"], ["tags": ["urgent", "TUBE-1"]], ["labels": ["barcode": "TUBE-1"]],
    ] as [JSON])
  func exact(_ members: JSON) async throws {
    var summary = Sample.summary().objectValue ?? [:]
    for (name, value) in members.objectValue ?? [:] { summary[name] = value }
    let longer = Sample.summary(["id": .string(Self.other), "title": "TUBE-11"])
    let (tool, result) = try await show("TUBE-1", [Self.none, Self.list(longer, .object(summary))])
    #expect(result.status == .success, "\(result.complaint)")
    #expect(tool.requests.last?.url.hasSuffix("/v1/sagas/\(Self.id)") == true)
  }

  @Test("is the one with this text in its input, as a barcode")
  func barcode() async throws {
    let longer = Sample.summary(["id": .string(Self.other)])
    let inputs: [APIAnswer] = [
      .json(Sample.saga(["input": ["tube": ["barcode": "T-11"]]])), .json(Sample.saga(["input": ["tubes": ["T-1"]]])),
    ]
    let (tool, result) = try await show("T-1", [Self.none, Self.list(longer, Sample.summary())] + inputs)
    #expect(result.status == .success, "\(result.complaint)")
    #expect(tool.requests.last?.url.hasSuffix("/v1/sagas/\(Self.id)") == true)
  }

  @Test("is the one with this label, when it is NAME=VALUE")
  func label() async throws {
    let (tool, result) = try await show("patient=P-17", [Self.list(Sample.summary())])
    #expect(result.status == .success, "\(result.complaint)")
    #expect(tool.requests[0].url.contains("label=patient%3AP-17"))
  }

  @Test("is refused with the candidates when there are several")
  func ambiguous() async throws {
    let sagas = (0..<12).map { index in
      Sample.summary([
        "id": .string("019c8a5e-7b1c-7d2e-8f3a-0123456789\(index + 10)"), "key": "ORD-1",
        "title": "TUBE\u{1B}-\(index)",
        "status": "stuck",
      ])
    }
    let tool = TestTool(answers: [.json(["sagas": .array(sagas)])])
    let result = await tool.run("cancel", "ORD-1", "--reason", "r")
    #expect(result.status == .failure)
    #expect(tool.requests.count == 1, "nothing is cancelled")
    #expect(result.complaint.hasPrefix("saga: \"ORD-1\" names 12 sagas\n"))
    #expect(
      result.complaint.contains("\n  019c8a5e-7b1c-7d2e-8f3a-012345678910  stuck  sample-processing  TUBE\u{FFFD}-0\n"))
    #expect(result.complaint.contains("\n  and 2 more\n"))
    #expect(result.complaint.contains("code cli.sagaAmbiguous"))
    for line in result.complaint.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
  }

  @Test(
    "is unknown with those that are near, or when no list could have it",
    arguments: ["TUBE-1", "#", "019", "a b c d e f g h i"])
  func unknown(_ word: String) async throws {
    let near = Sample.summary(["id": .string(Self.other), "title": "TUBE-11"])
    let tool = TestTool(answers: [Self.none, Self.list(near), .json(Sample.saga())])
    let result = await tool.run("why", word)
    #expect(result.status == .failure)
    #expect(result.complaint.hasPrefix("saga: no saga has the id, key, label, title, tag or input \"\(word)\"\n"))
    #expect(result.complaint.contains("TUBE-11") == ["TUBE-1", "019"].contains(word), "\(result.complaint)")
    #expect(result.complaint.contains("code cli.sagaUnknown"))
  }

  @Test("is looked for by WORKFLOW/KEY first, and then as a word with a slash")
  func slash() async throws {
    let gone: JSON = ["code": "saga.notFound", "detail": "The key has started no saga."]
    let found = TestTool(answers: [
      .json(gone, status: 404), Self.list(Sample.summary(["key": "plate/7"])), .json(Sample.saga()),
    ])
    #expect(await found.run("show", "plate/7").status == .success)
    let missing = TestTool(answers: [.json(gone, status: 404), Self.none, Self.none])
    let result = await missing.run("show", "plate/7")
    #expect(result.complaint.hasPrefix("saga: The key has started no saga.\n"), "\(result.complaint)")
  }

  @Test("may be named so wherever a saga is wanted")
  func everywhere() async {
    let found = Self.list(Sample.summary(["key": "K"]))
    for words in [
      ["audit", "--saga", "K"], ["list", "--parent", "K"], ["ops", "preview", "retry", "--saga", "K"],
      ["query", "--saga", "K", "$"], ["migrate", "a@1", "a@2", "--saga", "K", "--dry-run"], ["items", "K", "s"],
      ["timeline", "K"], ["events", "K"], ["watch", "K"], ["signal", "K", "go"],
    ] {
      let tool = TestTool(answers: [found])
      _ = await tool.run(words)
      #expect(tool.requests.first?.url.contains("key=K") == true, "\(words): \(tool.requests.map(\.url))")
      let next = tool.requests.dropFirst().first
      let sent = (next?.url ?? "") + (next?.request.json?.text() ?? "")
      #expect(sent.contains(Self.id), "\(words): \(sent)")
    }
  }

  @Test("ids of a list are shortened to what differs, to the millisecond at least")
  func widths() {
    #expect(ShortID.width(of: [Self.id]) == 13)
    #expect(ShortID.width(of: [Self.id, "019c8a5e-7b1d-7d2e-8f3a-0123456789ab"]) == 13)
    #expect(ShortID.width(of: [Self.id, "019c8a5e-7b1c-7d2f-8f3a-0123456789ab"]) == 18)
    #expect(ShortID.width(of: [Self.id, Self.other, Self.id]) == 36)
    #expect(ShortID.width(of: []) == 13)
  }
}

@Suite("Errors for programs", .timeLimit(.minutes(15)), .inTurn)
struct ErrorDocumentTests {
  @Test("with --json an error of the engine is its problem document on standard output")
  func engine() async throws {
    let problem: JSON = [
      "type": "/errors/saga.notFound", "title": "No such saga", "status": 404, "code": "saga.notFound", "detail": "no",
    ]
    let result = await TestTool(answers: [.json(problem, status: 404)]).run("show", Sample.id, "--json")
    #expect(result.status == .failure)
    #expect(try JSON(parsing: result.output) == problem)
    #expect(result.output.split(separator: "\n").count == 1, "one line, as streams of JSON have")
    #expect(result.complaint.contains("code saga.notFound"))
  }

  @Test("an error of the command line has the same form, and its exit status stays")
  func own() async throws {
    let unreachable = await TestTool().run("list", "--json")
    #expect(unreachable.status == .failure)
    let away = try JSON(parsing: unreachable.output)
    #expect(away["code"] == "cli.serverUnreachable" && away["type"] == "/errors/cli.serverUnreachable")
    #expect(away["advice"]?.arrayValue?.isEmpty == false)
    let wrong = await TestTool().run("list", "--since", "noon", "--json")
    #expect(wrong.status == .usage)
    #expect(try JSON(parsing: wrong.output)["code"] == "cli.timeInvalid")
    let noJSON = await TestTool(answers: [APIAnswer(status: 502, body: Array("<html>".utf8))]).run("list", "--json")
    #expect(try JSON(parsing: noJSON.output)["status"] == 502)
  }

  @Test("an engine that is not ready is a document, too")
  func notReady() async throws {
    let starting = TestTool(answers: [.json(["code": "engine.notReady", "detail": "recovering"], status: 503)])
    let result = await starting.run("status", "--json")
    #expect(result.status == .failure)
    #expect(try JSON(parsing: result.output)["code"] == "engine.notReady")
  }

  @Test("without --json, and for a word after --, standard output stays empty")
  func people() async {
    #expect(await TestTool().run("list").output == "")
    #expect(await TestTool().run("list", "--", "--json").output == "")
  }
}
