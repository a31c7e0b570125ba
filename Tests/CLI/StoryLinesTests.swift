import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Workflows

@testable import saga

@Suite("The drawing of a run in virtual time", .timeLimit(.minutes(15)), .inTurn)
struct StoryLinesTests {
  @Test("keeps long paths whole, and fits 80 columns")
  func paths() async throws {
    let result = await TestTool().run("simulate", "workflows/sample-processing.json", "--fail", "notify")
    for line in result.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
    let call = #/\n +50ms +validateSample +POST samples\n {12}\/samples\/[0-9a-f-]{36}\/validation\n/#
    #expect(result.output.contains(call))
    #expect(result.output.contains(#/\n {12}key [0-9a-f-]{36}\/createSample\/1\/undo\n {12}answer made up\n/#))
  }

  @Test("writes JSON with blanks")
  func spaced() {
    #expect(StoryLines.spaced(["a": [1, "x y"], "b": [:], "c": .null]) == #"{"a": [1, "x y"], "b": {}, "c": null}"#)
  }

  @Test("leaves out the middle of a long story")
  func long() throws {
    let text = #"{ "name": "w", "version": 1, "steps": [ { "id": "a", "delay": { "for": "1s" } } ] }"#
    let definition = try #require(WorkflowChecker.check(Array(text.utf8)).definition)
    let story = RunStory(try VirtualSaga(definition, input: [:]).run { _ in .succeeds(.null) })
    let lines = StoryLines(style: .plain).lines(of: story, most: 3)
    #expect(
      lines == [
        "      0s     started by rehearsal", "… 1 more …", "      1s  a  succeeded", "      1s     completed",
      ])
  }
}
