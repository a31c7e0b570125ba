import JSON
import TestSupport
import Testing
import Wire

@testable import saga

@Suite("saga show", .timeLimit(.minutes(15)), .inTurn)
struct ShowTests {
  @Test(
    "draws a saga in 80 columns",
    arguments: [
      "running", "progress", "waiting", "paused", "completed", "compensated", "stuck", "stuck-forward", "abandoned",
      "overdue",
    ])
  func drawing(_ name: String) throws {
    let drawing = SagaDrawing(saga: try Golden.response(name), now: Golden.now, style: .plain)
    try Golden.expect(drawing.lines().map { $0 + "\n" }.joined(), is: "show-\(name)")
  }

  @Test("the progress of an undo is marked as the undo's")
  func undoProgress() throws {
    let undo: JSON = [
      "status": "running", "attempt": 1,
      "progress": ["message": "taking it out", "fraction": 0.999, "at": "2026-03-01T08:15:44.500Z"],
    ]
    let step = Sample.step(["id": "store", "status": "undoing", "undo": undo])
    let saga = try Sample.response(["status": "compensating", "steps": [step]])
    let lines = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines()
    #expect(lines.contains { $0.hasSuffix("  undo: 100%, taking it out (500ms ago)") }, "\(lines)")
  }

  /// Returns the words of a drawing that has one step, which is being undone, with one blank between them.
  private func words(ofUndo undo: JSON, status: String = "undoing") throws -> String {
    let step = Sample.step(["id": "scanIn", "status": .string(status), "undo": undo])
    let saga = try Sample.response(["status": "compensating", "steps": [step]])
    let lines = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines()
    #expect(lines.allSatisfy { $0.count <= 80 })
    return lines.joined(separator: " ").split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
  }

  @Test("an undo that waits says for which signal, until when, and when people are reminded")
  func undoWaitsForSignal() throws {
    let text = try words(ofUndo: [
      "status": "waiting", "attempt": 0, "until": "2026-03-01T10:15:45.000Z",
      "waitingFor": [
        "kind": "signal", "signal": "taken-out", "reminders": 2, "remindAt": "2026-03-01T08:45:45.000Z",
      ],
    ])
    #expect(
      text.contains(
        "for signal taken-out to confirm the undo, until 10:15:45 UTC, reminded 2 times, reminder in 30m 00s"),
      "\(text)")
  }

  @Test("an undo that another saga does names it, also when it was abandoned")
  func undoByChild() throws {
    let child: JSON = ["id": "C-1", "workflow": "unload-flow-cell", "version": 1, "status": "stuck"]
    let waiting = try words(ofUndo: [
      "status": "waiting", "attempt": 1, "waitingFor": ["kind": "child"], "child": child,
    ])
    #expect(waiting.contains("for the child that undoes it"), "\(waiting)")
    #expect(waiting.contains("undo: unload-flow-cell C-1: stuck"), "\(waiting)")
    let failed = try words(
      ofUndo: [
        "status": "failed", "attempt": 1, "child": child,
        "error": ["code": "child.abandoned", "message": "It was abandoned", "outcome": "unknown"],
      ], status: "undoFailed")
    #expect(failed.contains("undo: It was abandoned [child.abandoned]; what it did may remain"), "\(failed)")
  }

  @Test("a step that a person has undone says so")
  func undoneByHand() throws {
    let text = try words(ofUndo: ["status": "undone", "attempt": 3, "how": "resolved"], status: "undone")
    #expect(text.contains("scanIn undone by hand"), "\(text)")
  }

  @Test("a title comes first, and the labels are among the facts")
  func title() throws {
    let saga = try Sample.response(["title": "TUBE-0001 of Ms Meier", "labels": ["patient": "P-17", "ward": "3 B"]])
    let lines = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines()
    #expect(
      lines.prefix(3) == ["▸ running  TUBE-0001 of Ms Meier", "  sample-processing v1", "  \(Sample.id)"])
    #expect(lines.contains("  labels       patient=P-17, ward=3 B"))
    let long = try Sample.response(["title": .string(String(repeating: "x", count: 200)), "overdue": true])
    let wide = SagaDrawing(saga: long, now: Golden.now, style: .plain).lines()
    #expect(wide.allSatisfy { $0.count <= 80 })
    #expect(wide[0].contains("xxx…") && wide[0].hasSuffix("overdue"))
  }

  @Test("a step that polls says how often it asks, what the last answer was, and when it looks next")
  func polling() throws {
    let step = Sample.step([
      "id": "sequence", "status": "waiting", "attempt": 0, "action": ["kind": "http"], "waitingFor": ["kind": "poll"],
      "startedAt": "2026-03-01T08:15:30.250Z", "until": "2026-03-03T08:15:30.250Z",
      "poll": [
        "everyMs": 300_000, "until": "$.answer.body.state == 'done'", "look": 4, "nextLook": "2026-03-01T08:18:45.000Z",
        "answer": [
          "status": 200, "shown": "running", "digest": "9f86d081884c7d65", "since": "2026-03-01T08:15:31.000Z",
        ],
      ],
    ])
    let lines = SagaDrawing(saga: try Sample.response(["steps": [step]]), now: Golden.now, style: .plain).lines()
    let text = lines.joined(separator: " ").split(separator: " ", omittingEmptySubsequences: true).joined(
      separator: " ")
    #expect(text.contains("asks every 5m, last answer running, next look in 3m 00s"), "\(lines)")
  }

  @Test("a step that waits for its turn says of which key, and how many wait before it")
  func turn() throws {
    let step = Sample.step([
      "id": "load", "status": "waiting", "attempt": 0, "action": ["kind": "http"], "waitingFor": ["kind": "turn"],
      "turn": [
        "key": "HiSeq-1", "limit": 1, "phase": "forward", "askedAt": "2026-03-01T08:15:30.250Z", "ahead": 2,
        "holders": [],
      ],
    ])
    let lines = SagaDrawing(saga: try Sample.response(["steps": [step]]), now: Golden.now, style: .plain).lines()
    let text = lines.joined(separator: " ").split(separator: " ", omittingEmptySubsequences: true).joined(
      separator: " ")
    #expect(text.contains("waiting for its turn of HiSeq-1, 2 before it"), "\(lines)")
  }

  @Test("a command that is too long for a line continues on a second one")
  func longCommand() throws {
    let line = "saga resolve ID --step aStepWithAVeryLongName --did-not-happen --reason 'it is not in the freezer'"
    let option: JSON = ["verb": "resolve", "purpose": "Do it.", "command": .string(line)]
    let saga = try Sample.response(["why": ["kind": "stuck", "sentence": "x", "next": [option]]])
    let lines = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines()
    #expect(lines.suffix(3).first == "  # Do it.")
    #expect(lines.suffix(2).first == "  saga resolve ID \\")
    #expect(lines.last == "    --step aStepWithAVeryLongName --did-not-happen --reason 'it is not in the freezer'")
  }

  @Test("colours change nothing but the colours")
  func colours() throws {
    let saga = try Golden.response("stuck")
    let plain = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines().joined(separator: "\n")
    let coloured = SagaDrawing(saga: saga, now: Golden.now, style: Style(coloured: true)).lines()
      .joined(separator: "\n")
    #expect(coloured != plain)
    #expect(coloured.replacing(/\u{1B}\[\d+m/, with: "") == plain)
  }

  @Test("text from outside can't move the cursor")
  func escapes() throws {
    let saga: SagaResponse = try EngineAnswer(Sample.saga(["workflow": "evil\u{1B}[2J\u{7}"])).read()
    let text = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines().joined()
    #expect(!text.contains("\u{1B}") && text.contains("evil"))
  }

  @Test("an answer that lacks a member is an error that names the member")
  func lacking() async throws {
    for (answer, place) in [
      ([:], "id"), (Sample.saga(["steps": [["id": "a"]]]), "steps[0].status"),
      (Sample.saga(["startedAt": "soon"]), "startedAt"), (Sample.saga(["deadline": 1]), "deadline"),
    ] as [(JSON, String)] {
      let result = await TestTool(answers: [.json(answer)]).run("show", Sample.id)
      #expect(result.status == .failure)
      #expect(result.complaint.hasPrefix("saga: \(place) in the answer of http://127.0.0.1:8080 is missing or is not"))
      #expect(result.complaint.contains("code cli.answerUnexpected, see `saga help cli.answerUnexpected`"))
      let json = await TestTool(answers: [.json(answer)]).run("show", Sample.id, "--json")
      #expect(json.status == .success, "--json prints every answer")
    }
  }

  @Test("a member that this version does not know is ignored, and null is a member that is not there")
  func unknownMembers() async throws {
    let answer = Sample.saga(["surprise": ["a": 1], "endedAt": .null])
    let result = await TestTool(answers: [.json(answer)]).run("show", Sample.id)
    #expect(result.status == .success, "\(result.complaint)")
  }
}

@Suite("The columns of the steps", .timeLimit(.minutes(15)), .inTurn)
struct StepGraphTests {
  private func drawn(_ dependencies: [[Int]]) -> [String] {
    StepGraph(dependencies: dependencies).rows.map {
      Layout.trimmingEnd($0.before + "●" + $0.after + " " + String($0.step))
    }
  }

  @Test("a chain is one column")
  func chain() { #expect(drawn([[], [0], [1]]) == ["● 0", "● 1", "● 2"]) }

  @Test("a fork opens columns where it forks, and closes them where they meet")
  func diamond() {
    #expect(drawn([[], [0], [0], [1, 2]]) == ["●─╮ 0", "● │ 1", "│ ● 2", "●─╯ 3"])
    #expect(drawn([[], [0], [0], [0], [1, 2, 3]]) == ["●─┬─╮ 0", "● │ │ 1", "│ ● │ 2", "│ │ ● 3", "●─┴─╯ 4"])
  }

  @Test("a step that starts at once has its line from the top")
  func roots() { #expect(drawn([[], [], [0, 1]]) == ["● │ 0", "│ ● 1", "●─╯ 2"]) }

  @Test("a line that follows from the others is left out")
  func shortcut() { #expect(drawn([[], [0], [0, 1]]) == ["● 0", "● 1", "● 2"]) }

  @Test("a column that ends early leaves its place empty")
  func leaf() { #expect(drawn([[], [0], [0], [1]]) == ["●─╮ 0", "● │ 1", "│ ● 2", "●   3"]) }

  @Test("a later step may come first in the file")
  func order() { #expect(drawn([[1], []]) == ["● 1", "● 0"]) }

  @Test("a workflow with a cycle is drawn too")
  func circle() { #expect(drawn([[1], [0]]).count == 2) }
}
