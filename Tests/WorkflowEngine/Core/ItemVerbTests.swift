import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("What a saga offers and shows of single items", .timeLimit(.minutes(15)), .inTurn)
struct ItemVerbTests {
  typealias Saga = SagaSpecification

  private func act(_ verb: OperatorVerb) -> SagaCommand {
    .operate(OperatorRequest(verb, by: OperatorAct(by: "mia", reason: "r")))
  }

  private func started(_ forEach: String, _ more: String = #""retry": {"maxAttempts": 1}"#) throws -> Saga {
    var saga = try Saga("[\(ForEachTests.wells(forEach, more)), \(Saga.http("after"))]")
    try saga.start(input: ForEachTests.input(["A", "B", "C", "D"]))
    return saga
  }

  private func verbs(_ saga: Saga, _ items: String...) throws -> [[String]] {
    try Verbs.allowed(on: items, #require(saga.state), saga.definition).map { $0.map(\.rawValue) }
  }

  @Test("A failed item takes retry, resolve and skip while its step runs, and one that may have happened no skip")
  func whileOpen() throws {
    var saga = try started(#""maxParallel": 3, "toleratedFailures": 2"#)
    try saga.refuse("run[A]")
    try saga.lose("run[B]")
    try saga.succeed("run[C]")
    #expect(
      try verbs(saga, "run[A]", "run[B]", "run[C]", "run[D]") == [
        ["retry", "resolve", "skip"], ["retry", "resolve"], [], [],
      ])
    // The saga's own verbs don't list the failed items: there may be very many.
    let allowed = try Verbs.allowed(#require(saga.state), saga.definition)
    #expect(allowed.first { $0.verb == .retry } == nil)
    // An item that is to be retried takes no second retry.
    try saga.when(act(.pause))
    try saga.when(act(.retry(step: "run[A]")))
    #expect(try verbs(saga, "run[A]") == [[]])
  }

  @Test("An item that waits for its next attempt takes run-now and skip, and an item of an ended saga nothing")
  func waitingAndEnded() throws {
    var saga = try started("", #""retry": {"maxAttempts": 2, "jitter": 0}"#)
    try saga.lose("run[A]")
    #expect(try verbs(saga, "run[A]") == [["run-now"]], "it may have happened")
    try saga.when(act(.compensate))
    for well in ["B", "C", "D"] { try saga.refuse("run[\(well)]") }
    try saga.succeed("run[A]")
    #expect(saga.status == .compensated)
    #expect(try verbs(saga, "run[A]", "run[B]") == [[], []])
  }

  @Test("A timeline without items has one span of their step for what was done, and one for what was undone")
  func timeline() throws {
    var saga = try started(#""maxParallel": 2"#)
    for well in ["A", "B", "C", "D"] {
      saga.pass(1_000)
      try saga.succeed("run[\(well)]")
    }
    saga.pass(1_000)
    try saga.refuse("after")
    for well in ["D", "C", "B", "A"] {
      saga.pass(500)
      try saga.succeed("run[\(well)]")
    }
    #expect(saga.status == .compensated)
    func spans(_ timeline: Timeline) -> [String] {
      timeline.spans.map { span in
        let from = span.from.milliseconds - Saga.startedAt.milliseconds
        let to = span.to.map { "\($0.milliseconds - Saga.startedAt.milliseconds)" } ?? "open"
        return "\(span.step) \(span.phase.rawValue) \(span.kind.rawValue) \(from)-\(to) \(span.outcome ?? "")"
      }
    }
    let folded = saga.log.reduce(into: Timeline(showsItems: false)) { $0.note($1) }
    #expect(
      spans(folded) == [
        "run forward items 0-4000 succeeded", "after forward attempt 4000-5000 failed",
        "run undo items 5000-7000 succeeded",
      ])
    let whole = saga.log.reduce(into: Timeline()) { $0.note($1) }
    #expect(spans(whole).count == 2 + 2 * 4)
    #expect(spans(whole).contains("run[C] forward attempt 1000-3000 succeeded"))
  }
}
