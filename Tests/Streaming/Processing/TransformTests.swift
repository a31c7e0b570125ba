import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import Streaming

@Suite("Transforming a topic to a topic", .timeLimit(.minutes(15)), .inTurn)
struct TransformTests {
  private func stream(_ plan: TransformPlan) -> StreamDefinition {
    StreamDefinition(name: "urgent", work: .transform(plan), to: "out")
  }

  @Test("An event that meets the condition becomes the output of the template, with its own key and time")
  func template() throws {
    let output = try Template(["barcode": "${data.barcode}", "says": "${type} at ${time}"])
    var spec = try StreamSpecification(
      stream(TransformPlan(input: try .samples(when: "$.data.priority == 'urgent'"), output: output, key: nil)))
    spec.when(
      TestEvent(id: "a", subject: "s1", time: at("10:00"), data: ["priority": "urgent", "barcode": "TS-1"]))
    spec.when(TestEvent(id: "b", subject: "s2", time: at("10:00"), data: ["priority": "routine", "barcode": "TS-2"]))
    #expect(spec.outputs.map(\.key) == ["s1"])
    #expect(spec.outputs.map(\.time) == [at("10:00")])
    #expect(spec.outputs.map(\.type) == ["urgent"])
    spec.then("{\"barcode\":\"TS-1\",\"says\":\"sample.created at 2026-03-01T10:00:00.000Z\"}")
    #expect(spec.verdicts == [.taken, .ignored])
    // It keeps nothing but how far it is.
    spec.save()
    #expect(spec.stored.keys.sorted() == ["partition/samples/0", "summary"])
  }

  @Test("An event is refused when the template does not find a value, and the reason names it")
  func missing() throws {
    let plan = TransformPlan(input: try .samples(), output: try Template(["barcode": "${data.barcode}"]), key: nil)
    var spec = try StreamSpecification(stream(plan))
    spec.when(TestEvent(id: "a"))
    guard case .refused(let refusal) = spec.verdicts.last else {
      Issue.record("it was \(spec.verdicts)")
      return
    }
    #expect(refusal.code == WorkflowErrorCode.expressionEmpty)
    #expect(refusal.message.contains("${data.barcode}"))
  }

  @Test("A handler returns no, one or several outputs, each with an id that a repeat has too")
  func handler() throws {
    let plan = TransformPlan(input: try .samples()) { (event) throws(StreamRefusal) in
      (event.document["data"]?["tubes"]?.arrayValue ?? []).map { TransformPlan.Made(data: $0, key: $0.stringValue) }
    }
    var spec = try StreamSpecification(stream(plan))
    let tubes = TestEvent(id: "a", subject: "s1", data: ["tubes": ["t1", "t2"]])
    spec.when(tubes)
    let first = spec.outputs
    #expect(first.map(\.key) == ["t1", "t2"])
    #expect(Set(first.map(\.id)).count == 2)
    spec.then("\"t1\"", "\"t2\"")
    spec.when(tubes)
    #expect(spec.outputs.map(\.id) == first.map(\.id))
    spec.then("\"t1\"", "\"t2\"")
    spec.when(TestEvent(id: "b", data: ["tubes": []]))
    spec.then()
    #expect(spec.verdicts == [.taken, .taken, .taken])
  }

  @Test("An output may have a key of its own")
  func key() throws {
    let plan = TransformPlan(
      input: try .samples(), output: try Template(["x": 1]), key: try JSONPath("$.data.patientId"))
    var spec = try StreamSpecification(stream(plan))
    spec.when(TestEvent(id: "a", subject: "s1", data: ["patientId": "P-1"]))
    #expect(spec.outputs.map(\.key) == ["P-1"])
    spec.when(TestEvent(id: "b", subject: "s1"))
    #expect(spec.machine.totals.refused == 1)
  }
}
