import Foundation
import JSON
import SagaCore
import TestSupport
import Testing
import Values
import Workflows

@testable import Rehearsal

@Suite("The items of a step in virtual time", .timeLimit(.minutes(15)), .inTurn)
struct ItemTests {
  /// - Parameters:
  ///   - forEach: further members of `forEach`.
  ///   - more: further members of the step.
  private static func wells(_ forEach: String = "", _ more: String = "") -> String {
    #"""
    { "id": "run", "forEach": { "items": "${input.wells[*]}", "as": "well", "key": "${well.id}"\#(forEach) },
      "http": { "service": "s", "method": "PUT", "path": "/wells/${well.id}" },
      "compensation": { "http": { "service": "s", "method": "DELETE", "path": "/wells/${well.id}" } }\#(more) }
    """#
  }

  private static func workflow(_ forEach: String = "", _ more: String = "") -> String {
    Small.workflow([Small.put("book"), wells(forEach, more), Small.put("after")].joined(separator: ","))
  }

  private func explore(_ text: String, input: JSON? = nil) throws -> Exploration {
    var explorer = Explorer(try definition(text))
    explorer.given.input = input
    return try explorer.explore()
  }

  private func items(_ exploration: Exploration) throws -> [String] {
    let items = try #require(exploration.routes[0].run.state.items(of: "run"))
    return (0..<items.begun).map { items[$0].id }
  }

  private func run(_ exploration: Exploration, _ fault: Fault) throws -> ExploredRun {
    try #require(exploration.runs.first { $0.faults == [fault] }, "\(exploration.runs.flatMap(\.faults))")
  }

  @Test("A tolerated failure of one item is passed, and more failures turn the saga back")
  func tolerated() throws {
    let exploration = try explore(Self.workflow(#", "toleratedFailures": 1"#))
    let ids = try items(exploration)
    #expect(ids.count == 3 && Set(ids).count == 3, "one failure more than is tolerated, and a success")
    #expect(exploration.routeRuns.map(\.end) == [.completed] && exploration.gaps == [])
    #expect(exploration.routeRuns[0].inEffect == ["book", "run", "after"])

    for kind in [Fault.Kind.fails, .timesOut(happened: false), .timesOut(happened: true)] {
      let one = try run(exploration, Fault(ids[0], kind))
      #expect(one.end == .completed && one.passedFailures == [ids[0]], "\(kind)")
    }
    let many = try run(exploration, Fault("run", .itemsFail(Array(ids[0...1]))))
    #expect(many.end == .compensated)
    #expect(many.turnedBack == ExploredRun.TurnedBackBy(step: "run", code: EngineErrorCode.forEachFailures))
    #expect(many.undone == ["run", "book"] && many.inEffect == [])
    #expect(many.faults[0].words == "2 items fail for good, more than it tolerates")
  }

  @Test("Without tolerance the failure of one item turns the saga back, and the other item is undone")
  func notTolerated() throws {
    let exploration = try explore(Self.workflow())
    let ids = try items(exploration)
    #expect(ids.count == 2)
    #expect(!exploration.runs.contains { if case .itemsFail? = $0.faults.first?.kind { true } else { false } })
    let refused = try run(exploration, Fault(ids[0], .fails))
    #expect(refused.end == .compensated && refused.undone == ["run", "book"])
    let lost = try run(exploration, Fault(ids[0], .timesOut(happened: true)))
    #expect(lost.end == .compensated && lost.undone == ["run", "book"] && lost.inEffect == [])
    let late = try run(exploration, Fault(ids[0], .arrivesLate))
    #expect(late.end == .compensated && late.leftBehind(of: exploration.definition) == [])
  }

  @Test("The undo of one item goes wrong: the others are undone, and what is left is named by the item")
  func undo() throws {
    let exploration = try explore(Self.workflow(#", "toleratedFailures": 1"#))
    let failing = exploration.runs.filter { run in
      run.faults.contains { $0.kind == .undoFailsForGood && ItemID.step(of: $0.step) == "run" }
    }
    let stuck = try #require(failing.first)
    let item = try #require(stuck.faults.first?.step)
    #expect(failing.count == 1 && ItemID(item) != nil)
    #expect(stuck.end == .stuck && stuck.stuckOn == [ExploredRun.StuckStep(step: item, phase: .undo)])
    #expect(stuck.undone == ["run"] && stuck.inEffect == ["book", item])
    let retried = try #require(
      exploration.runs.first { run in
        run.faults.contains { fault in
          if case .undoFails = fault.kind { return fault.step == item }
          return false
        }
      })
    #expect(retried.end == .compensated && retried.undone == ["run", "book"])
    #expect(exploration.neverUndone.isEmpty)
  }

  @Test(
    "A made list has two items, or as many as the step needs to fail because of them",
    arguments: [
      ("", 2), (#", "toleratedFailures": 0"#, 2), (#", "toleratedFailures": 3"#, 5),
      (#", "toleratedFailures": 500"#, 2),
      (#", "toleratedFailures": "50%""#, 2), (#", "toleratedFailures": "10%""#, 10),
      (#", "toleratedFailures": "1%""#, 2),
    ])
  func made(forEach: String, count: Int) throws {
    let plate = try definition(Self.workflow(forEach))
    let given = GivenAnswers()
    let made = try given.made(for: plate, WorkflowReads(plate)).withMoreItems(for: plate, given: given)
    let wells = made.input["wells"]?.arrayValue ?? []
    #expect(wells.count == count && Set(wells.map { $0["id"]?.stringValue ?? "" }).count == count, "\(wells)")
  }

  @Test("A list that the author gives stays as it is")
  func given() throws {
    let exploration = try explore(Self.workflow(), input: ["wells": [["id": "A1"]]])
    #expect(try items(exploration) == ["run[A1]"])
    #expect(exploration.routeRuns.map(\.end) == [.completed])
  }

  @Test("Items that compare answers with themselves are not multiplied")
  func judged() throws {
    let polled = #"""
      { "id": "run", "forEach": { "items": "${input.wells[*]}", "as": "well" },
        "http": { "service": "s", "method": "GET", "path": "/wells/1" },
        "poll": { "every": "5m", "until": "$.answer.body.state == $.well.wanted" }, "timeout": "2h" }
      """#
    let plate = try definition(Small.workflow(polled))
    let given = GivenAnswers()
    let made = try given.made(for: plate, WorkflowReads(plate))
    #expect(made.withMoreItems(for: plate, given: given) == made)
  }

  @Test("A list is not multiplied for one step when another one compares its items with signals")
  func judgedByAnotherStep() throws {
    let signal = #"""
      { "id": "seen", "forEach": { "items": "${input.wells[*]}", "as": "tube", "key": "${tube.id}" },
        "signal": { "name": "seen", "accept": "$.signal.id == $.tube.id" }, "timeout": "2h" }
      """#
    let exploration = try explore(Small.workflow([Self.wells(), signal].joined(separator: ",")))
    #expect(try items(exploration).count == 1)
    #expect(exploration.routes[0].run.state.items(of: "seen")?.count(of: .succeeded) == 1)
    #expect(exploration.routeRuns.map(\.end) == [.completed] && exploration.gaps == [])
  }

  @Test("A list of lists is not multiplied, because its items would have the same keys")
  func nested() throws {
    let wells = Self.wells().replacingOccurrences(of: "input.wells[*]", with: "input.plates[?@.rows >= 8].wells[*]")
    let exploration = try explore(Small.workflow(wells))
    #expect(try items(exploration).count == 1)
    #expect(exploration.routeRuns.map(\.end) == [.completed] && exploration.gaps == [])
  }

  @Test("The time of a group runs out while an item of its member is under way")
  func group() throws {
    let group = #"{ "id": "g", "timeout": "1h", "steps": [\#(Self.wells())] }"#
    let exploration = try explore(Small.workflow([Small.put("book"), group].joined(separator: ",")))
    let ids = try items(exploration)
    let late = try run(
      exploration, Fault("g", .groupTimesOut(member: ids[0], downtime: .seconds(3_601))))
    #expect(late.turnedBack == ExploredRun.TurnedBackBy(step: "g", code: EngineErrorCode.groupTimeout))
    #expect(late.end == .compensated && late.undone.last == "book")
  }

  @Test("Two faults at a time of a step with items come to rest")
  func pairs() throws {
    var explorer = Explorer(try definition(Self.workflow(#", "toleratedFailures": 1"#)))
    explorer.budget.pairs = 60
    let pairs = try #require(try explorer.explore(pairs: true).pairs)
    #expect(pairs.played > 30 && pairs.played <= 60)
    #expect(pairs.ends.values.reduce(0, +) == pairs.played)
  }
}
