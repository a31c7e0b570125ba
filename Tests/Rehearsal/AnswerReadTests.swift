import JSON
import Rehearsal
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@Suite("Rehearsals of workflows that read answers", .timeLimit(.minutes(15)), .inTurn)
struct AnswerReadTests {
  private static let steps = """
    \(Small.put("book")),
    { "id": "later", "when": "$.steps.book.answer.status == 202",
      "http": { "service": "s", "method": "PUT", "path": "/x/${steps.book.answer.headers.etag}" },
      "compensation": { "http": { "service": "s", "method": "DELETE", "path": "/x" } } }
    """

  @Test("The exploration finds a status that makes a condition true, and one that makes it false")
  func explored() throws {
    let exploration = try Explorer(try definition(Small.workflow(Self.steps))).explore()
    #expect(exploration.routeRuns.map(\.end) == [.completed, .completed])
    #expect(exploration.routes.map { $0.run.state.step("later")?.status } == [.succeeded, .skipped])
    #expect(exploration.routes.map { $0.run.state.step("book")?.answer?.status } == [202, 203])
    #expect(exploration.routes[1].changes == ["steps.book.answer.status = 203"])
    guard case .http(let http)? = exploration.routes[0].run.calls.last?.call.action else {
      Issue.record("later is called")
      return
    }
    #expect(http.path == "/x/etag-1")
  }
}
