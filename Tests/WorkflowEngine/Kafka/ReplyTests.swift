import JSON
import Messaging
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Answers over Kafka", .timeLimit(.minutes(15)), .inTurn)
struct ReplyTests {
  private static let slow = #""retry": {"maxAttempts": 5, "initialInterval": "1m", "maxInterval": "1m"}"#

  // MARK: What they say

  @Test("A success ends the step with its output, and ends the wait for the answer")
  func success() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a"), Workflow.step("b"))
    let id = try await bench.start()
    try await bench.answer(Answer.to(id, Answer.succeeded))
    #expect(try await bench.state(id).step("a")?.output == ["n": 1], "it is stored when the handler returns")
    #expect(try await bench.outcome(of: "a") == .succeeded(["n": 1]))
    #expect(try await bench.running.end(of: id).status == .completed)
    #expect(
      try await bench.types(id) == [
        "sagaStarted", "attemptStarted", "stepSucceeded", "attemptStarted", "stepSucceeded", "sagaCompleted",
      ])
    await bench.close()
  }

  @Test("A failure has the participant's code and words, is not retried, and leaves nothing to undo")
  func failure() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a", ReplyBench.quick))
    let id = try await bench.start()
    try await bench.answer(Answer.to(id, Answer.failed))
    let ended = try await bench.running.end(of: id)
    #expect(ended.status == .compensated && ended.step("a")?.outcome == .failed)
    #expect(ended.step("a")?.failure?.code == "NO" && ended.step("a")?.failure?.message == "no such tube")
    #expect(ended.step("a")?.failure?.classes == ["kafka.answer"])
    #expect(bench.watched.calls.count == 1)
    await bench.close()
  }

  @Test("A failure that asks for a retry is retried, not before the time that it names")
  func retryable() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a", ReplyBench.quick))
    let id = try await bench.start()
    let busy: JSON = ["outcome": "failed", "code": "BUSY", "retryable": true, "retryAfterMs": 5_000]
    try await bench.answer(Answer.to(id, busy))
    let step = try #require(try await bench.state(id).step("a"))
    #expect(step.status == .backingOff && step.outcome == .failed && step.failure?.message == "BUSY")
    #expect(step.retryAt == bench.clock.now() + .seconds(5))
    let due = bench.clock.now() + .seconds(5)
    await bench.clock.waitForSleepers { $0.contains(due) }
    bench.clock.advance(to: due)
    try await bench.underWay(id, "a", attempt: 2)
    try await bench.answer(Answer.to(id, Answer.succeeded, attempt: 2, number: 1))
    #expect(try await bench.running.end(of: id).status == .completed)
    await bench.close()
  }

  @Test("An unknown outcome is retried unless the answer forbids it, and undone when it stays unknown")
  func unknown() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a", Self.slow))
    let id = try await bench.start()
    try await bench.answer(Answer.to(id, Answer.unknown))
    let step = try #require(try await bench.state(id).step("a"))
    #expect(step.status == .backingOff && step.outcome == .unknown && step.failure?.code == "LOST")
    let other = try await bench.start()
    let final: JSON = ["outcome": "unknown", "code": "LOST", "retryable": false]
    try await bench.answer(Answer.to(other, final))
    try await bench.underWay(other, "a", .undo)
    try await bench.answer(Answer.to(other, ["outcome": "succeeded"], undo: true))
    let ended = try await bench.running.end(of: other)
    #expect(ended.status == .compensated && ended.step("a")?.status == .undone)
    await bench.close()
  }

  @Test("Progress is shown, and ends nothing")
  func progress() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a"))
    let id = try await bench.start()
    try await bench.answer(Answer.to(id, Answer.progress))
    try await bench.answer(Answer.to(id, ["outcome": "progress"], number: 1))
    try await bench.answer(Answer.to(id, Answer.progress, number: 2))
    let step = try #require(try await bench.state(id).step("a"))
    #expect(step.progress?.value == StepProgress(message: "thawing", fraction: 0.4) && step.status == .running)
    #expect(bench.watched.outcome(of: "a") == nil)
    try await bench.answer(Answer.to(id, Answer.succeeded, number: 3))
    #expect(try await bench.running.end(of: id).status == .completed)
    await bench.close()
  }

  @Test("The answer that nothing is there ends the undo of an unknown round only when the service keeps tombstones")
  func gone() async throws {
    for (service, ends) in [("careful", true), ("lab", false)] {
      let bench = try await ReplyBench(ReplyBench.kafka("a", service: service))
      let id = try await bench.start()
      try await bench.answer(Answer.to(id, Answer.unknown))
      try await bench.underWay(id, "a", .undo)
      try await bench.answer(Answer.to(id, Answer.gone, undo: true, number: 1))
      if ends {
        let ended = try await bench.running.end(of: id)
        #expect(ended.status == .compensated && ended.step("a")?.undoHow == "alreadyGone")
        // A second delivery is harmless, though the saga has ended.
        try await bench.answer(Answer.to(id, Answer.gone, undo: true, number: 1))
      } else {
        let step = try #require(try await bench.state(id).step("a"))
        #expect(step.status == .undoing && step.retryAt != nil, "the command may still be on its way")
      }
      await bench.close()
    }
  }

  @Test("An answer to the undo of an item ends it as the answer to the undo of a step does")
  func item() async throws {
    let forEach = #", "forEach": {"items": ["P/1"], "key": "${item}"}"#
    let bench = try await ReplyBench(ReplyBench.kafka("a", service: "careful", ReplyBench.once + forEach))
    let id = try await bench.start(until: "a[P/1]")
    try await bench.answer(Answer.to(id, Answer.unknown, step: "a/P%2F1"))
    try await bench.underWay(id, "a[P/1]", .undo)
    try await bench.answer(Answer.to(id, Answer.gone, step: "a/P%2F1", undo: true, number: 1))
    let ended = try await bench.running.end(of: id)
    #expect(ended.status == .compensated && ended.step("a[P/1]")?.undoHow == "alreadyGone")
    #expect(ended.step("a")?.status == .undone)
    await bench.close()
  }

  @Test("An answer may be plain JSON that has its key and attempt")
  func plain() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a"))
    for attempt in [JSON.int(1), "1"] {
      let id = try await bench.start()
      let body: JSON = [
        "idempotencyKey": .string("\(id)/a/1"), "attempt": attempt, "outcome": "succeeded", "output": ["n": 1],
        "more": "of what a participant may say",
      ]
      try await bench.answer(Sent.message(body, topic: "saga.replies"))
      #expect(try await bench.running.end(of: id).step("a")?.output == ["n": 1])
    }
    let id = try await bench.start()
    let event: JSON = [
      "specversion": "1.0", "id": "1", "source": "/lab", "type": "dev.tracseq.saga.reply",
      "data": ["idempotencyKey": .string("\(id)/a/1"), "attempt": 1, "outcome": "succeeded"],
    ]
    try await bench.answer(
      Sent.message(event, topic: "saga.replies", headers: ["content-type": "application/cloudevents+json"]))
    #expect(try await bench.running.end(of: id).step("a")?.output == .null)
    await bench.close()
  }

  @Test("An idempotency key in other upper and lower case is the same key, and its waiting caller gets the answer")
  func otherLetters() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a"))
    let id = try await bench.start()
    let body: JSON = [
      "idempotencyKey": .string("\(id.description.uppercased())/a/01"), "attempt": 1, "outcome": "succeeded",
    ]
    try await bench.answer(Sent.message(body, topic: "saga.replies"))
    #expect(try await bench.outcome(of: "a") == .succeeded(.null))
    await bench.close()
  }

  // MARK: When they come

  @Test("A failure of an earlier attempt does not settle the one under way; a success does")
  func earlier() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a", Self.slow))
    let id = try await bench.start()
    await bench.timeOut()
    let firstTimeOut = try await bench.outcome(of: "a")
    guard case .unknown(let failure) = firstTimeOut else {
      Issue.record("it is \(firstTimeOut)")
      return
    }
    #expect(failure.code == EngineErrorCode.attemptTimeout)
    try await bench.running.engine.wait(for: id, step: "a", toBe: .backingOff)
    // Nothing is under way: an answer now is late, and recorded.
    try await bench.answer(Answer.to(id, Answer.failed, number: 1))
    #expect(try await bench.ignored(id)?.why == .late)
    let due = try #require(try await bench.state(id).step("a")?.retryAt)
    await bench.clock.waitForSleepers { $0.contains(due) }
    bench.clock.advance(to: due)
    try await bench.underWay(id, "a", attempt: 2)
    try await bench.answer(Answer.to(id, Answer.failed, number: 2))
    #expect(try await bench.ignored(id)?.id == "kafka event /lab r-2")
    #expect(try await bench.state(id).step("a")?.inFlight?.attempt.number == 2)
    #expect(bench.watched.outcome(of: "a", attempt: 2) == nil)
    try await bench.answer(Answer.to(id, Answer.succeeded, number: 3))
    #expect(try await bench.outcome(of: "a", attempt: 2) == .succeeded(["n": 1]))
    #expect(try await bench.running.end(of: id).status == .completed)
    await bench.close()
  }

  @Test("An answer to an attempt ends only that attempt when the next one already waits")
  func nextAttemptWaits() async throws {
    let bench = try await ReplyBench()
    func call(_ attempt: Int) -> StepCall {
      StepCall(
        saga: SagaSpecification.id, workflow: "w", step: "a", phase: .forward, round: 1, attempt: attempt,
        action: .kafka(RenderedKafka(service: "lab", command: "c")), idempotencyKey: "k", compensates: nil,
        timeout: .seconds(30))
    }
    let end = bench.clock.now() + .seconds(30)
    let first = Task { await bench.watched.perform(call(1)) }
    let second = Task { await bench.watched.perform(call(2)) }
    // Both wait once both their times are running. The engine waits for times of its own.
    await bench.clock.waitForSleepers { $0.filter { $0 == end }.count == 2 }
    let failed = StepOutcome.failed(StepFailure(code: "BUSY", message: "busy", isRetryable: true))
    bench.kafka.recorded("k", failed, upTo: 1, stillInFlight: nil)
    #expect(await first.value == failed)
    #expect(bench.watched.outcome(of: "a", attempt: 2) == nil)
    bench.kafka.recorded("k", .succeeded(.null), upTo: 2, stillInFlight: nil)
    #expect(await second.value == .succeeded(.null))
    await bench.close()
  }

  @Test("Repeated answers, and answers of another round or of attempts that were not made, change nothing")
  func ignored() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a"), ReplyBench.kafka("b"))
    let id = try await bench.start()
    for (round, attempt) in [(2, 1), (1, 7)] {
      try await bench.answer(Answer.to(id, Answer.failed, round: round, attempt: attempt, number: attempt))
      let ignored = try await bench.ignored(id)
      #expect(ignored?.why == .late && ignored?.code == "NO")
    }
    #expect(try await bench.state(id).step("a")?.status == .running)
    try await bench.answer(Answer.to(id, Answer.succeeded, number: 10))
    for number in 10...11 {
      try await bench.answer(Answer.to(id, Answer.succeeded, number: number))
      #expect(try await bench.ignored(id)?.why == .repeated)
    }
    try await bench.answer(Answer.to(id, Answer.progress, number: 12))
    #expect(try await bench.ignored(id)?.outcome == "progress")
    #expect(try await bench.state(id).step("b")?.status == .running)
    await bench.close()
  }

  @Test("A success ends an undo; a refused undo makes the saga stuck")
  func undo() async throws {
    let bench = try await ReplyBench(ReplyBench.kafka("a"), ReplyBench.kafka("b"))
    for refuses in [false, true] {
      let id = try await bench.start()
      try await bench.answer(Answer.to(id, Answer.succeeded))
      try await bench.underWay(id, "b")
      try await bench.answer(Answer.to(id, Answer.failed, step: "b"))
      try await bench.underWay(id, "a", .undo)
      // The forward step's own answer, again, is none of its undo.
      try await bench.answer(Answer.to(id, Answer.succeeded, number: 1))
      #expect(try await bench.state(id).step("a")?.status == .undoing)
      try await bench.answer(Answer.to(id, refuses ? Answer.failed : ["outcome": "succeeded"], undo: true, number: 2))
      let step = try #require(try await bench.state(id).step("a"))
      #expect(step.status == (refuses ? .undoFailed : .undone))
      #expect(try await bench.state(id).status == (refuses ? .stuck : .compensated))
    }
    await bench.close()
  }

  @Test("An answer to a command that an engine sent before it stopped ends the next engine's attempt")
  func acrossRestart() async throws {
    let clock = FakeClock()
    let store = MemoryStore(environment: .fake(clock: clock))
    let first = try await ReplyBench(ReplyBench.kafka("a", ReplyBench.quick), store: store, clock: clock)
    let id = try await first.start()
    await first.close()
    let second = try await ReplyBench(store: store, clock: clock)
    let due = try #require(try await second.state(id).step("a")?.retryAt)
    clock.advance(to: due)
    try await second.underWay(id, "a", attempt: 2)
    try await second.answer(Answer.to(id, Answer.succeeded, attempt: 1))
    #expect(try await second.outcome(of: "a", attempt: 2) == .succeeded(["n": 1]))
    #expect(try await second.running.end(of: id).status == .completed)
    await second.close()
  }
}
