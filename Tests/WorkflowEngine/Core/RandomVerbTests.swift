import JSON
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

/// Random verbs on random sagas, with a participant that answers as it likes. A failing seed is the test's argument.
@Suite("Random verbs on random sagas", .timeLimit(.minutes(15)), .inTurn)
struct RandomVerbTests {
  typealias Saga = SagaSpecification

  struct Dice {
    var state: UInt64
    mutating func roll(_ sides: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(sides))
    }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[roll(elements.count)] }
  }

  /// The participant's effects, by idempotency key.
  struct Participant {
    var done: [String: Int] = [:]
    var undone: [String: Int] = [:]
  }

  private static func workflow(_ dice: inout Dice) -> String {
    let count = 2 + dice.roll(5)
    let pivot = dice.roll(3) == 0 ? dice.roll(count) : -1
    let steps = (0..<count).map { index -> String in
      let id = "s\(index)"
      let before = (0..<index).filter { _ in dice.roll(2) == 0 }.map { "\"s\($0)\"" }
      var more = "\"dependsOn\": [\(before.joined(separator: ", "))]"
      if dice.roll(4) == 0 { more += #", "onFailure": "continue""# }
      // The checker wants no pivot beside steps that may fail; here every step may be beside every other.
      if index == pivot { return Saga.http(id, more + #", "pivot": true"#) }
      switch dice.roll(6) {
      case 0: return Saga.signal(id, more + (dice.roll(2) == 0 ? #", "timeout": "40s""# : ""))
      case 1: return Saga.delay(id, "20s", more)
      default: return Saga.http(id, more + #", "retry": {"maxAttempts": \#(1 + dice.roll(3))}"#)
      }
    }
    return "[\(steps.joined(separator: ", "))]"
  }

  private static func verb(_ dice: inout Dice, _ steps: [String]) -> OperatorVerb {
    let step = dice.pick(steps)
    let maybe = dice.roll(2) == 0 ? step : nil
    switch dice.roll(13) {
    case 0: return dice.roll(6) == 0 ? .cancel : .pause
    case 1: return dice.roll(6) == 0 ? .compensate : .resume
    case 2: return .retry(step: maybe)
    case 3: return .retry(step: step, input: ["n": .int(dice.roll(9))])
    case 4: return .resolve(step: step, dice.pick([.happened(output: 1), .didNotHappen, .undone]))
    case 5: return dice.roll(8) == 0 ? .abandon : .resume
    case 6: return .pause
    case 7, 8: return .resume
    case 9: return .skip(step: step, output: dice.roll(2) == 0 ? nil : 7)
    case 10: return .runNow(step: maybe)
    case 11: return .extend(step: maybe, dice.roll(2) == 0 ? .by(.seconds(30)) : .until(Saga.startedAt))
    default: return .rewind(step: step)
    }
  }

  /// The participant answers an attempt. What it says it did is booked under the key that it was asked under.
  private func answer(
    _ call: StepCall, _ dice: inout Dice, _ participant: inout Participant, honest: Bool
  ) -> StepOutcome {
    let isUndo = call.phase == .undo
    let key = isUndo ? call.compensates ?? "" : call.idempotencyKey
    switch honest ? 0 : dice.roll(5) {
    case 0, 1:
      if isUndo {
        // An undo of an unknown round may come before its command: that leaves a tombstone.
        participant.undone[key, default: 0] += 1
      } else {
        participant.done[key, default: 0] += 1
      }
      return .succeeded(["by": .string(call.step)])
    case 2: return .unknown(StepFailure(code: "timeout", message: "lost", isRetryable: true))
    case 3: return .failed(StepFailure(code: "http.409", classes: ["http.4xx"], message: "busy", isRetryable: true))
    default: return .failed(StepFailure(code: "http.422", classes: ["http.4xx"], message: "no"))
    }
  }

  private func calls(_ saga: Saga) -> [StepCall] {
    guard let state = saga.state else { return [] }
    return Decider.effects(of: state, definition: saga.definition).compactMap { effect in
      if case .call(let call) = effect { call } else { nil }
    }
  }

  /// Whether a command was taken; a refusal is fine, anything else is not.
  private func isTaken(_ saga: inout Saga, _ command: SagaCommand, after milliseconds: Int = 0) throws -> Bool {
    do {
      try saga.when(command, after: milliseconds)
      return true
    } catch is Refusal {
      return false
    }
  }

  @Test(
    "No history is impossible, nothing is done or undone twice in a round, and every saga comes to its end",
    arguments: 0..<150)
  func random(seed: Int) throws {
    var dice = Dice(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 7)
    var saga = try Saga(Self.workflow(&dice))
    var participant = Participant()
    try saga.start(input: ["n": 0])
    let steps = saga.definition.steps.map(\.id)
    for _ in 0..<60 {
      guard let state = saga.state, state.end == nil else { break }
      switch dice.roll(6) {
      case 0, 1:
        let before = state
        let verb = Self.verb(&dice, steps)
        let names = Verbs.allowed(before, saga.definition).map(\.verb)
        let request = OperatorRequest(verb, by: OperatorAct(by: "mia", reason: "because"))
        if try isTaken(&saga, .operate(request)) { #expect(names.contains(verb.name), "\(verb) is taken, not offered") }
      case 2:
        _ = try isTaken(&saga, .wake, after: dice.roll(30_000))
      case 3:
        let step = dice.pick(steps)
        _ = try isTaken(&saga, .signal(name: "\(step)-done", signalID: nil, body: .int(dice.roll(2)), by: "x"))
      case 4 where dice.roll(5) == 0:
        _ = try isTaken(&saga, .recover)
      default:
        let calls = calls(saga)
        guard !calls.isEmpty else { continue }
        let call = dice.pick(calls)
        try settle(call, answer(call, &dice, &participant, honest: false), in: &saga)
      }
      try expectSound(saga, participant)
    }
    try bringToTheEnd(&saga, &participant, &dice)
    try expectSound(saga, participant)
    #expect(saga.state?.end != nil, "it comes to its end: \(saga.log.map(\.words))")
    #expect(try SagaState(folding: saga.log) == saga.state, "a replay gives the same state")
    // A compensated saga leaves no effect for which an undo was requested.
    if saga.status == .compensated {
      for key in participant.done.keys {
        let step = String(key.split(separator: "/")[1])
        let wasResolved = saga.log.contains { event in
          event.what is OperatorResolved && event.step == step
        }
        #expect(participant.undone[key] == 1 || wasResolved, "\(key) is left over: \(saga.log.map(\.words))")
      }
    }
  }

  private func settle(_ call: StepCall, _ outcome: StepOutcome, in saga: inout Saga) throws {
    try saga.when(
      .attemptSettled(step: call.step, phase: call.phase, round: call.round, attempt: call.attempt, outcome: outcome))
  }

  private func expectSound(_ saga: Saga, _ participant: Participant) throws {
    let state = try #require(saga.state)
    for (key, count) in participant.done {
      #expect(count == 1, "\(key) is done once a round: \(saga.log.map(\.words))")
    }
    for (key, count) in participant.undone { #expect(count == 1, "\(key) is undone once: \(saga.log.map(\.words))") }
    if state.isPaused {
      #expect(Decider.nextWake(of: state, definition: saga.definition) == nil)
      #expect(try Decider.decide(.wake, state, definition: saga.definition, now: saga.now + .seconds(9_999)) == [])
    }
  }

  /// Brings the saga to its end: the operator resumes and repairs, every participant succeeds, and time passes.
  private func bringToTheEnd(_ saga: inout Saga, _ participant: inout Participant, _ dice: inout Dice) throws {
    for _ in 0..<400 {
      guard let state = saga.state, state.end == nil else { return }
      if state.isPaused {
        try saga.operate(.resume)
      } else if let call = calls(saga).first {
        try settle(call, answer(call, &dice, &participant, honest: true), in: &saga)
      } else if !state.blockers.isEmpty {
        try saga.operate(.retry(step: nil))
      } else if Decider.nextWake(of: state, definition: saga.definition) != nil, !state.steps.contains(where: isAsked) {
        try saga.wakeWhenDue()
      } else if let step = state.steps.first(where: isAsked) {
        if try !isTaken(&saga, .signal(name: "\(step.id)-done", signalID: nil, body: 1, by: "x")) { return }
      } else {
        return
      }
    }
  }

  private func isAsked(_ step: StepState) -> Bool { step.wait?.signal != nil }
}
