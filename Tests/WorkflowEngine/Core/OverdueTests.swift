import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Steps that take longer than expected", .timeLimit(.minutes(15)), .inTurn)
struct OverdueTests {
  typealias Saga = SagaSpecification
  static let minute = 60_000
  static let hour = 3_600_000
  static let approval =
    #"{"id": "w", "signal": {"name": "approval"}, "expected": "10m", "dependsOn": []}"#
  static let day = #""timeout": "1d","#

  private func overdue(_ saga: Saga, _ step: String) throws -> StepLateness? {
    try #require(saga.state?.step(step)).overdue
  }

  @Test("A wait becomes overdue once, exactly after its expected time, and continues")
  func wait() throws {
    var saga = try Saga("[\(Self.approval)]", members: Self.day)
    try saga.start()
    #expect(try saga.when(.wake, after: 10 * Self.minute - 1) == [])
    #expect(try overdue(saga, "w") == nil)
    #expect(try saga.when(.wake, after: 1) == ["w overdue declared"])
    #expect(
      try overdue(saga, "w")
        == StepLateness(since: Saga.startedAt + .seconds(600), expected: .declared(.seconds(600))))
    #expect(try saga.when(.wake, after: Self.hour) == [], "once")
    #expect(saga.state?.step("w")?.status == .waiting && saga.status == .running)
    #expect(saga.state?.isOverdue(at: saga.now) == true)
    #expect(
      try saga.when(.signal(name: "approval", signalID: nil, body: 1, by: "qa"))
        == ["signal approval", "w succeeded", "sagaCompleted"])
    #expect(try overdue(saga, "w") == nil && saga.state?.isOverdue(at: saga.now) == false)
    #expect(saga.state == (try SagaState(folding: saga.log)), "it is all in the history")
  }

  @Test("The saga wakes when a step becomes overdue; a late wake records the time at which it was due")
  func wake() throws {
    var saga = try Saga("[\(Self.approval)]", members: Self.day)
    try saga.start()
    let due = Saga.startedAt + .seconds(600)
    #expect(Decider.nextWake(of: try #require(saga.state), definition: saga.definition) == due)
    #expect(try saga.when(.wake, after: 3 * Self.hour) == ["w overdue declared"])
    #expect(try overdue(saga, "w")?.since == due)
    #expect(
      Decider.nextWake(of: try #require(saga.state), definition: saga.definition) == saga.state?.deadline,
      "nothing more of it is to come")
  }

  @Test("The clock of a call runs through its attempts and the pauses between them")
  func attempts() throws {
    var saga = try Saga("[\(Saga.http("a", #""expected": "5s", "retry": {"maxAttempts": 9}"#))]")
    try saga.start()
    try saga.when(.wake, after: 4_000)
    try saga.lose("a")
    #expect(try saga.when(.wake, after: 999).allSatisfy { !$0.contains("overdue") })
    #expect(try saga.when(.wake, after: 1).contains("a overdue declared"))
    try saga.wakeUntilUnderWay("a")
    #expect(try overdue(saga, "a") != nil, "another attempt is not on time")
    #expect(try saga.succeed("a") == ["a succeeded", "sagaCompleted"])
    #expect(try overdue(saga, "a") == nil)
  }

  @Test("A step that settles exactly when it would become overdue is not overdue, nor is a step that has ended")
  func lastMoment() throws {
    var saga = try Saga("[\(Saga.http("a", #""expected": "5s""#))]")
    try saga.start()
    saga.pass(90_000)
    #expect(try saga.succeed("a") == ["a succeeded", "sagaCompleted"])

    var delay = try Saga(#"[{"id": "d", "delay": {"for": "30s"}, "expected": "10s"}, \#(Saga.http("b"))]"#)
    try delay.start()
    #expect(try delay.when(.wake, after: 30_000) == ["d succeeded", "b 1"])
  }

  @Test("A delay may be expected to take less than it does")
  func delay() throws {
    var saga = try Saga(#"[{"id": "d", "delay": {"for": "30s"}, "expected": "10s"}]"#)
    try saga.start()
    #expect(try saga.wakeWhenDue() == ["d overdue declared"])
    #expect(saga.now == Saga.startedAt + .seconds(10))
    #expect(try saga.wakeWhenDue() == ["d succeeded", "sagaCompleted"])
  }

  @Test("Of many overdue steps the explanation explains one and names nine others")
  func many() throws {
    let steps = (1...12).map { #"{"id": "w\#($0)", "dependsOn": [], "delay": {"for": "1m"}, "expected": "10s"}"# }
    var saga = try Saga("[\(steps.joined(separator: ", "))]")
    try saga.start()
    try saga.when(.wake, after: 11_000)
    let now = saga.now
    let sentence = Explanation(try #require(saga.state), saga.definition, now: now).sentence
    #expect(sentence.contains("Step w1 is overdue: its end was expected at"), "\(sentence)")
    #expect(!sentence.contains("Step w2 is overdue"), "\(sentence)")
    let named = (2...10).map { "w\($0)" }.joined(separator: ", ")
    #expect(sentence.contains("11 other steps are overdue: \(named) and 2 more."), "\(sentence)")
  }

  @Test("A pause stops the clock, and an overdue step is overdue by the same time afterwards")
  func pause() throws {
    var saga = try Saga("[\(Self.approval)]", members: Self.day)
    try saga.start()
    saga.pass(4 * Self.minute)
    try saga.operate(.pause)
    #expect(Decider.nextWake(of: try #require(saga.state), definition: saga.definition) == nil)
    #expect(try saga.when(.wake, after: Self.hour) == [])
    #expect(try saga.operate(.resume) == ["sagaResumed"])
    #expect(try saga.when(.wake, after: 6 * Self.minute - 1) == [])
    #expect(try saga.when(.wake, after: 1) == ["w overdue declared"])
    let since = try #require(try overdue(saga, "w")?.since)
    #expect(since == saga.now)
    try saga.operate(.pause)
    #expect(saga.state?.isOverdue(at: saga.now) == true)
    #expect(try saga.operate(.resume, after: Self.hour) == ["sagaResumed"])
    #expect(try overdue(saga, "w")?.since == since + .seconds(3_600))
  }

  @Test("After a restart a step becomes overdue once, and a replay gives the same")
  func restart() throws {
    var saga = try Saga("[\(Saga.http("a", #""expected": "5s", "retry": {"maxAttempts": 9}"#))]")
    try saga.start()
    #expect(
      try saga.when(.recover, after: 6_000) == ["a unknown engine.attemptInterrupted", "a overdue declared"])
    #expect(try saga.when(.recover) == [])
    #expect(try overdue(saga, "a") != nil)
    #expect(saga.log.filter { $0.what is StepOverdue }.count == 1)
    #expect(saga.state == (try SagaState(folding: saga.log)))
  }

  @Test("A rewind begins a new round with a new clock")
  func rewind() throws {
    var saga = try Saga("[\(Self.approval)]", members: Self.day)
    try saga.start()
    try saga.wakeWhenDue()
    #expect(
      try saga.operate(.rewind(step: "w"))
        == ["rewind w", "w failed none saga.waitEnded settles", "rewound to w", "w waits"])
    #expect(try overdue(saga, "w") == nil && saga.state?.step("w")?.round == 2)
    #expect(try saga.when(.wake, after: 10 * Self.minute - 1) == [])
    #expect(try saga.when(.wake, after: 1) == ["w overdue declared"])
  }

  @Test("An operator's retry starts the expected time again")
  func retry() throws {
    var saga = try Saga(
      "[\(Saga.http("p", #""pivot": true"#)), \(Saga.http("z", #""expected": "5s", "retry": {"maxAttempts": 1}"#))]",
      members: Self.day)
    try saga.start()
    try saga.succeed("p")
    #expect(try saga.when(.wake, after: 5_000) == ["z overdue declared"])
    try saga.refuse("z")
    #expect(saga.status == .stuck)
    #expect(try overdue(saga, "z") == nil, "it waits for an operator now")
    #expect(try saga.when(.wake, after: Self.hour) == [])
    #expect(try saga.operate(.retry(step: "z")) == ["z retried", "z 2"])
    #expect(try saga.when(.wake, after: 4_999) == [])
    #expect(try saga.when(.wake, after: 1) == ["z overdue declared"])
  }

  @Test("A retry during a pause starts its clock at the resume")
  func retryInPause() throws {
    var saga = try Saga(
      "[\(Saga.http("p", #""pivot": true"#)), \(Saga.http("z", #""expected": "5s", "retry": {"maxAttempts": 1}"#))]",
      members: Self.day)
    try saga.start()
    try saga.succeed("p")
    try saga.refuse("z")
    try saga.operate(.pause)
    saga.pass(Self.hour)
    try saga.operate(.retry(step: "z"))
    #expect(try saga.operate(.resume, after: Self.hour) == ["sagaResumed", "z 2"])
    #expect(try saga.when(.wake, after: 4_999) == [])
    #expect(try saga.when(.wake, after: 1) == ["z overdue declared"])
  }

  @Test("An undo is overdue after its compensation's expected time")
  func undo() throws {
    let undone = #"""
      {"id": "a", "http": {"service": "lab", "method": "PUT", "path": "/a"}, "expected": "1h",
       "compensation": {"http": {"service": "lab", "method": "DELETE", "path": "/a"}, "expected": "2s"}}
      """#
    var saga = try Saga("[\(undone), \(Saga.http("b"))]", members: Self.day)
    try saga.start()
    try saga.succeed("a")
    #expect(try saga.refuse("b").last == "undo a 1")
    #expect(try saga.when(.wake, after: 1_999) == [])
    #expect(try saga.when(.wake, after: 1) == ["undo a overdue declared"])
    #expect(try overdue(saga, "a")?.expected == .declared(.seconds(2)))
    try saga.lose("a")
    #expect(try overdue(saga, "a") != nil, "until it is undone")
    #expect(try saga.wakeWhenDue() == ["undo a 2"])
    #expect(try saga.succeed("a") == ["a undone answered", "sagaCompensated"])
    #expect(try overdue(saga, "a") == nil)
  }

  @Test("A learned time counts where none is declared, except for delays")
  func learned() throws {
    var saga = try Saga(
      #"""
      [\#(Saga.http("a", #""dependsOn": []"#)), \#(Self.approval), {"id": "d", "delay": {"for": "2h"}, "dependsOn": []}]
      """#, members: Self.day)
    saga.learned = [
      "a": .learned(.seconds(20), samples: 400), "w": .learned(.seconds(1), samples: 400),
      "d": .learned(.seconds(1), samples: 400),
    ]
    try saga.start()
    #expect(try saga.wakeWhenDue() == ["a overdue learned"])
    #expect(saga.now == Saga.startedAt + .seconds(20))
    #expect(try overdue(saga, "a")?.expected.samples == 400)
    #expect(try saga.wakeWhenDue() == ["w overdue declared"])
    saga.learned = [:]
    #expect(try overdue(saga, "a") != nil, "what was noticed stays, whatever is learned later")
  }

  @Test("A step's learned time does not apply to its undo")
  func learnedUndo() throws {
    var saga = try Saga("[\(Saga.http("a")), \(Saga.http("b"))]", members: Self.day)
    saga.learned = ["a": .learned(.seconds(10), samples: 400)]
    try saga.start()
    try saga.succeed("a")
    try saga.refuse("b")
    #expect(try saga.when(.wake, after: Self.hour) == [])
  }

  @Test("An abandoned saga is not overdue")
  func abandoned() throws {
    var saga = try Saga(
      "[\(Saga.http("p", #""pivot": true"#)), \(Saga.http("z", #""retry": {"maxAttempts": 1}"#)), "
        + #"{"id": "w", "signal": {"name": "approval"}, "expected": "10m", "dependsOn": ["p"]}]"#, members: Self.day)
    try saga.start()
    try saga.succeed("p")
    try saga.refuse("z")
    try saga.wakeWhenDue()
    #expect(try overdue(saga, "w") != nil)
    try saga.operate(.abandon)
    #expect(try overdue(saga, "w") == nil && saga.state?.isOverdue(at: saga.now) == false)
  }

  @Test("A snapshot without the clock is ignored when a step is under way, and read otherwise")
  func oldSnapshots() throws {
    var saga = try Saga("[\(Saga.http("p", #""pivot": true"#)), \(Saga.http("z", #""retry": {"maxAttempts": 1}"#))]")
    try saga.start()
    func old() throws -> JSON {
      guard case .object(var members) = try #require(saga.state).snapshot else { return .null }
      members["steps"] = members["steps"]?.arrayValue.map { steps in
        .array(
          steps.map { step in
            guard case .object(var members) = step else { return step }
            members["underWaySince"] = nil
            return .object(members)
          })
      }
      return .object(members)
    }
    let underWay = try old()
    #expect(throws: UnreadableEvent.self) { try SagaState(snapshot: underWay) }
    try saga.succeed("p")
    try saga.refuse("z")
    #expect(try SagaState(snapshot: try old()) == saga.state)
  }
}

extension SagaSpecification {
  /// Wakes the saga for what is due until an attempt of the step is under way.
  fileprivate mutating func wakeUntilUnderWay(_ step: String) throws {
    while state?.step(step)?.inFlight == nil { try wakeWhenDue() }
  }
}
