import JSON
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("An event in an older form is converted to the current form", .timeLimit(.minutes(15)), .inTurn)
struct UpcastingTests {
  /// An invented history of `stepSucceeded`: its member is `result` in schema 1 and `answer` in schema 2.
  static let table = SagaEventUpcasters(
    to: 3,
    [
      SagaEventUpcaster("stepSucceeded", from: 1) { data throws(UnreadableEvent) in
        try renamed(data, "result", "answer")
      },
      SagaEventUpcaster("stepSucceeded", from: 2) { data throws(UnreadableEvent) in
        try renamed(data, "answer", "output")
      },
    ])

  private static func renamed(_ data: JSON, _ old: String, _ new: String) throws(UnreadableEvent) -> JSON {
    guard var members = data.objectValue, let value = members[old] else {
      throw UnreadableEvent(message: "The stored event has no “\(old)”.")
    }
    members[old] = nil
    members[new] = value
    return .object(members)
  }

  private func decode(_ type: String, _ schema: Int, _ data: JSON) throws -> SagaEvent {
    try SagaEvent(type: type, schema: schema, data: data, upcasters: Self.table)
  }

  @Test(
    "An event of any older version is converted through every version in between",
    arguments: [(1, "result"), (2, "answer"), (3, "output")])
  func lifted(schema: Int, name: String) throws {
    let event = SagaEvent(at: EventSamples.at, StepSucceeded(step: "a", output: ["id": "S-1"], isPivot: false))
    let output: JSON = ["id": "S-1"]
    let data = JSON.object(JSONObject([("at", .timestamp(event.at)), ("step", "a"), (name, output)]))
    #expect(try decode("stepSucceeded", schema, data) == event)
  }

  @Test("A kind that never changed needs no conversion", arguments: [1, 2, 3])
  func unchanged(schema: Int) throws {
    let event = SagaEvent(at: EventSamples.at, StepSkipped(step: "a"))
    #expect(try decode("stepSkipped", schema, event.data) == event)
  }

  @Test("An event of an older version without a needed member is unreadable")
  func damaged() {
    let event = SagaEvent(at: EventSamples.at, StepSucceeded(step: "a", output: .null, isPivot: false))
    #expect(throws: UnreadableEvent(message: "The stored event has no “result”.")) {
      try decode("stepSucceeded", 1, event.data)
    }
  }

  @Test("An unknown version is refused", arguments: [-1, 0, 4])
  func unknown(schema: Int) {
    let event = SagaEvent(at: EventSamples.at, StepSkipped(step: "a"))
    #expect(
      throws: UnreadableEvent(message: "stepSkipped was written in schema \(schema); this version reads up to 3.")
    ) { try decode("stepSkipped", schema, event.data) }
    #expect(throws: UnreadableEvent.self) { try decode("stepInvented", 1, event.data) }
  }

  @Test("The engine's own table has no problems")
  func production() {
    #expect(SagaEventUpcasters.production.problems == [])
    #expect(SagaEventUpcasters.production.current == SagaEvent.schema)
  }

  @Test("An invalid table lists its problems")
  func unsound() {
    let lift = SagaEventUpcaster("sagaOverdue", from: 1) { data throws(UnreadableEvent) in data }
    let beyond = SagaEventUpcaster("sagaOverdue", from: 2) { data throws(UnreadableEvent) in data }
    #expect(SagaEventUpcasters(to: 2, [lift]).problems == [])
    #expect(
      SagaEventUpcasters(to: 2, [lift, lift, beyond]).problems == [
        "sagaOverdue from 1 comes twice", "sagaOverdue from 2 leads to no version up to 2",
      ])
  }
}
