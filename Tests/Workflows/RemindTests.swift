import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("The reminders of a wait in a workflow file", .timeLimit(.minutes(15)), .inTurn)
struct RemindTests {
  private func file(_ remind: String, timeout: String = "") -> String {
    Sample.workflow("[{ \"id\": \"a\", \"signal\": { \"name\": \"x\" },\(timeout) \"remind\": \(remind) }]")
  }

  @Test("A signal has a first reminder and further ones")
  func read() throws {
    #expect(
      try definition(file(#"{ "after": "4h", "every": "1d" }"#)).steps[0].remind
        == Remind(after: .seconds(14_400), every: .seconds(86_400)))
    #expect(try definition(file(#"{ "after": "1s" }"#)).steps[0].remind == Remind(after: .seconds(1)))
  }

  @Test(
    "A mistake is an error at its place",
    arguments: [
      (#"{ "every": "1d" }"#, "workflow.missingKey", "/steps/0/remind"),
      (#"{ "after": "soon" }"#, "workflow.badDuration", "/steps/0/remind/after"),
      (#"{ "after": "1h", "every": "59s" }"#, "workflow.badValue", "/steps/0/remind/every"),
      (#"{ "after": "1h", "interval": "1d" }"#, "workflow.unknownKey", "/steps/0/remind/interval"),
      (#""1h""#, "workflow.wrongType", "/steps/0/remind"),
    ])
  func mistakes(remind: String, code: String, pointer: String) {
    #expect(check(file(remind)).errors.map { [$0.code, $0.pointer.description] } == [[code, pointer]])
  }

  @Test("A reminder that never comes is warned of")
  func idle() {
    #expect(
      warnings(file(#"{ "after": "2m" }"#, timeout: " \"timeout\": \"1m\",")).map(\.pointer) == [
        "/steps/0/remind/after"
      ])
    let call = Sample.workflow("[\(Sample.get("a", ", \"remind\": { \"after\": \"1h\" }"))]")
    #expect(warnings(call).map(\.code) == ["workflow.noEffect"])
    let delay = Sample.workflow(#"[{ "id": "a", "delay": { "for": "1s" }, "remind": { "after": "1h" } }]"#)
    #expect(warnings(delay).map(\.code) == ["workflow.noEffect"])
  }
}
