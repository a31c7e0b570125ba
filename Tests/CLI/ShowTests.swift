import JSON
import Testing

@testable import saga

@Suite("saga show")
struct ShowTests {
  @Test(
    "draws a saga in 80 columns",
    arguments: [
      "running", "progress", "waiting", "paused", "completed", "compensated", "stuck", "stuck-forward", "abandoned",
      "overdue",
    ])
  func drawing(_ name: String) throws {
    let drawing = SagaDrawing(saga: try Golden.saga(name), now: Golden.now, style: .plain)
    try Golden.expect(drawing.lines().map { $0 + "\n" }.joined(), is: "show-\(name)")
  }

  @Test("what a participant says of an undo is told as such")
  func undoProgress() {
    let undo: JSON = [
      "status": "running", "attempt": 1,
      "progress": ["message": "taking it out", "fraction": 0.999, "at": "2026-03-01T08:15:44.500Z"],
    ]
    let saga: JSON = ["status": "compensating", "steps": [["id": "store", "status": "undoing", "undo": undo]]]
    let lines = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines()
    #expect(lines.contains { $0.hasSuffix("  undo: 100%, taking it out (500ms ago)") }, "\(lines)")
  }

  @Test("a command that is too long for a line continues on a second one")
  func longCommand() {
    let line = "saga resolve ID --step aStepWithAVeryLongName --did-not-happen --reason 'it is not in the freezer'"
    let saga: JSON = ["why": ["sentence": "x", "next": [["purpose": "Do it.", "command": .string(line)]]]]
    let lines = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines()
    #expect(lines.suffix(3).first == "  # Do it.")
    #expect(lines.suffix(2).first == "  saga resolve ID \\")
    #expect(lines.last == "    --step aStepWithAVeryLongName --did-not-happen --reason 'it is not in the freezer'")
  }

  @Test("colours change nothing but the colours")
  func colours() throws {
    let saga = try Golden.saga("stuck")
    let plain = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines().joined(separator: "\n")
    let coloured = SagaDrawing(saga: saga, now: Golden.now, style: Style(coloured: true)).lines()
      .joined(separator: "\n")
    #expect(coloured != plain)
    #expect(coloured.replacing(/\u{1B}\[\d+m/, with: "") == plain)
  }

  @Test("text from outside can't move the cursor")
  func escapes() throws {
    guard case .object(var saga) = try Golden.saga("completed") else {
      Issue.record("the saga of the golden is an object")
      return
    }
    saga["workflow"] = "evil\u{1B}[2J\u{7}"
    let text = SagaDrawing(saga: .object(saga), now: Golden.now, style: .plain).lines().joined()
    #expect(!text.contains("\u{1B}"))
  }

  @Test("an answer with next to nothing in it is drawn too")
  func sparse() {
    let lines = SagaDrawing(saga: [:], now: Golden.now, style: .plain).lines()
    #expect(!lines.isEmpty)
  }
}

@Suite("The steps' lanes")
struct StepGraphTests {
  private func drawn(_ dependencies: [[Int]]) -> [String] {
    StepGraph(dependencies: dependencies).rows.map {
      Layout.trimmingEnd($0.before + "●" + $0.after + " " + String($0.step))
    }
  }

  @Test("a chain is one lane")
  func chain() { #expect(drawn([[], [0], [1]]) == ["● 0", "● 1", "● 2"]) }

  @Test("a fork opens lanes where it forks, and closes them where they meet")
  func diamond() {
    #expect(drawn([[], [0], [0], [1, 2]]) == ["●─╮ 0", "● │ 1", "│ ● 2", "●─╯ 3"])
    #expect(drawn([[], [0], [0], [0], [1, 2, 3]]) == ["●─┬─╮ 0", "● │ │ 1", "│ ● │ 2", "│ │ ● 3", "●─┴─╯ 4"])
  }

  @Test("what starts at once has its line from the top")
  func roots() { #expect(drawn([[], [], [0, 1]]) == ["● │ 0", "│ ● 1", "●─╯ 2"]) }

  @Test("a line that follows from the others is left out")
  func shortcut() { #expect(drawn([[], [0], [0, 1]]) == ["● 0", "● 1", "● 2"]) }

  @Test("a lane that ends early leaves its place empty")
  func leaf() { #expect(drawn([[], [0], [0], [1]]) == ["●─╮ 0", "● │ 1", "│ ● 2", "●   3"]) }

  @Test("a later step may come first in the file")
  func order() { #expect(drawn([[1], []]) == ["● 1", "● 0"]) }

  @Test("a circle is drawn somehow")
  func circle() { #expect(drawn([[1], [0]]).count == 2) }
}
