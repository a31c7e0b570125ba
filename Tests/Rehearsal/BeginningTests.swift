import JSON
import SagaCore
import TestSupport
import Testing
import Workflows

@testable import Rehearsal

@Suite("Runs with the same beginning", .timeLimit(.minutes(15)), .inTurn)
struct BeginningTests {
  /// Calls, messages, tasks, signals, polls, turns, groups and items.
  private static let small: [String] = [
    Small.workflow(
      [
        Small.put("book"), Small.put("order", kind: "kafka"),
        #"{ "id": "sign", "signal": { "name": "signed", "accept": "$.signal.body.ok == true" }, "timeout": "1h" }"#,
        #"{ "id": "g", "dependsOn": ["book"], "timeout": "1h", "steps": [\#(Small.put("a")), \#(Small.bare("b"))] }"#,
        #"{ "id": "count", "task": { "queue": "q" }, "compensation": "none" }"#,
        Small.bare("mail", #", "dependsOn": ["g", "order", "sign", "count"]"#),
      ].joined(separator: ",")),
    Small.workflow(
      [
        Small.put("book"), Small.put("use", #", "dependsOn": ["book"], "concurrency": { "key": "bench" }"#),
        Small.put(
          "mix",
          #", "dependsOn": ["use"], "forEach": { "items": "${input.wells}", "as": "well", "key": "${well.id}" }"#),
        #"{ "id": "wait", "dependsOn": ["mix"], "delay": { "for": "1m" } }"#,
        #"""
        { "id": "look", "dependsOn": ["use"], "http": { "service": "s", "method": "GET", "path": "/look" },
          "poll": { "every": "10s", "until": "$.answer.body.done == true" }, "timeout": "1h" }
        """#,
        Small.bare("tell", #", "dependsOn": ["wait", "look"]"#),
      ].joined(separator: ",")),
  ]

  @Test("A run with two faults is the same from the start and after a run with one", arguments: small.indices)
  func pairs(workflow: Int) throws {
    let exploration = try Explorer(definition(Self.small[workflow])).explore()
    #expect(exploration.gaps == [])
    try compare(exploration, stride: 5)
  }

  @Test("The same holds of shipped workflows", arguments: ["sample-processing-kafka", "sequencing-run", "top-up"])
  func shippedPairs(workflow: String) throws {
    try compare(Explorer(shipped(workflow)).explore(), stride: 97)
  }

  /// Compares the runs of pairs, and of every stride-th pair only.
  private func compare(_ exploration: Exploration, stride: Int) throws {
    let play = try Play(exploration)
    let route = try play.scene([]).record()
    var shared = 0
    var number = 0
    for one in exploration.runs {
      let base = try play.scene(one.faults + one.causes).record(after: route)
      for other in exploration.runs {
        number += 1
        guard number.isMultiple(of: stride) else { continue }
        let scene = play.scene(one.faults + one.causes + other.faults)
        let (whole, after) = (try scene.play(), try scene.play(after: base))
        #expect(same(whole, after), "\(scene.faults)")
        if after.events == base.run.events { shared += 1 }
      }
    }
    #expect(shared > 0)
  }

  @Test("A run with another answer is the same from the start and after the route")
  func answers() throws {
    let exploration = try Explorer(shipped("sample-processing")).explore()
    let play = try Play(exploration)
    let route = try play.scene([]).record()
    for step in exploration.routes[0].answers.outputs.keys.sorted() {
      var scene = play.scene([])
      scene.answers.outputs[step] = ["nothing": true]
      #expect(same(try scene.play(), try scene.play(after: route)), "\(step)")
    }
    var scene = play.scene([])
    scene.answers.input = [:]
    #expect(throws: RehearsalError.self) { try scene.play(after: route) }
  }

  /// Makes the scenes of a workflow's first route.
  private struct Play {
    private let base: VirtualSaga
    private let answers: Answers

    init(_ exploration: Exploration) throws {
      base = try RouteFinder(exploration.definition, given: GivenAnswers(), keepsTombstones: true).base
      answers = exploration.routes[0].answers
    }

    func scene(_ faults: [Fault]) -> Scene { Scene(base: base, answers: answers, faults: faults) }
  }

  private func same(_ one: VirtualRun, _ other: VirtualRun) -> Bool {
    one.state == other.state && one.events == other.events && one.calls == other.calls
      && one.refusals == other.refusals && one.account == other.account && one.restarts == other.restarts
      && one.quietAt == other.quietAt
      && one.state.steps.allSatisfy {
        one.failed($0.id) == other.failed($0.id) && one.skipped($0.id) == other.skipped($0.id)
          && one.succeeded($0.id) == other.succeeded($0.id)
      }
  }
}
