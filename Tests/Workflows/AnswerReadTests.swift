import TestSupport
import Testing

@testable import Workflows

@Suite("Reading the answer of a step", .timeLimit(.minutes(15)), .inTurn)
struct AnswerReadTests {
  private static let first = #"{ "id": "a", "http": { "service": "s", "method": "GET", "path": "/x" } }"#

  /// Two steps, of which the second reads the first.
  private static func reads(_ expression: String, first: String = first, more: String = "") -> String {
    #"[\#(first), { "id": "b", "http": { "service": "s", "method": "GET", "path": "/x/${\#(expression)}" }\#(more) }]"#
  }

  @Test(
    "A wrong read is an error with the name that was meant",
    arguments: [
      Mistake(
        "a member that no answer has", reads("steps.a.answer.code"), "workflow.unknownMember",
        says: "the answer of a step has status, headers"),
      Mistake(
        "the body", reads("steps.a.answer.body"), "workflow.unknownMember", says: "the body is steps.a.output"),
      Mistake(
        "a header in capitals", reads("steps.a.answer.headers.Location"), "workflow.unknownMember", near: "location",
        says: "the history keeps no header \"Location\""),
      Mistake(
        "a header that is not kept", reads("steps.a.answer.headers['set-cookie']"), "workflow.unknownMember",
        says: "it keeps allow, content-encoding, content-type, etag"),
      Mistake(
        "the answer to a command over Kafka",
        reads(
          "steps.a.answer.status",
          first: #"{ "id": "a", "kafka": { "service": "s", "command": "c" }, "compensation": "none" }"#),
        "workflow.unknownMember", says: "a makes no call over HTTP"),
      Mistake(
        "the answer to a signal",
        reads(
          "steps.a.answer.status", first: #"{ "id": "a", "signal": { "name": "go", "accept": "$.signal.x == 1" } }"#),
        "workflow.unknownMember", says: "only a step with \"http\" has it"),
      Mistake(
        "a step that may be skipped",
        reads(
          "steps.a.answer.headers.location",
          first: #"{ "id": "a", "when": "$.input.x == 1", "http": { "service": "s", "method": "GET", "path": "/x" } }"#),
        "workflow.unguardedRead", says: "a may be skipped, and then it has no answer"),
      Mistake(
        "a step whose failure is passed",
        reads(
          "steps.a.answer.status",
          first: #"{ "id": "a", "onFailure": "continue", "http": { "service": "s", "method": "GET", "path": "/x" } }"#),
        "workflow.unguardedRead", says: "a may fail and the saga goes on, and then it has no answer"),
      Mistake(
        "an own undo that also runs without an answer",
        #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": { "http": { "service": "s", "method": "PUT", "path": "/y/${steps.a.answer.headers.etag}" } } }]"#,
        "workflow.undoReadsOutput", says: "then there is no answer"),
      Mistake(
        "a status that is compared with a text",
        reads("steps.a.uuid", more: #", "when": "$.steps.a.answer.status == '200'""#),
        "workflow.neverHolds"),
    ])
  func mistakes(_ mistake: Mistake) throws {
    let findings = check(mistake.file).findings
    let finding = try #require(
      findings.first { $0.code == mistake.code }, "\(findings.map(\.description).joined(separator: "\n"))")
    #expect(finding.nearName == mistake.near)
    #expect(finding.message.contains(mistake.says), "\(finding.message)")
  }

  @Test(
    "A right read has no finding",
    arguments: [
      reads("steps.a.answer.status"), reads("steps.a.answer.headers.location"),
      reads("steps.a.answer.headers['content-type']"), reads("steps.a.answer.headers.location ?? 'none'"),
      reads("steps.a.uuid", more: #", "when": "$.steps.a.answer.status == 202""#),
      reads(
        "steps.a.answer.status",
        first: #"{ "id": "a", "when": "$.input.x == 1", "http": { "service": "s", "method": "GET", "path": "/x" } }"#,
        more: #", "when": "$.steps.a.status == 'succeeded'""#),
      #"[{ "id": "a", "http": { "service": "s", "method": "PUT", "path": "/x" }, "compensation": { "appliesTo": ["succeeded"], "http": { "service": "s", "method": "PUT", "path": "/y/${steps.a.answer.headers.etag}" } } }]"#,
    ])
  func right(_ steps: String) {
    let findings = check(Sample.workflow(steps)).findings
    #expect(findings.isEmpty, "\(findings.map(\.description).joined(separator: "\n"))")
  }

  @Test("No header that is kept has a secret's name")
  func kept() {
    #expect(AnswerHeaders.names == AnswerHeaders.names.sorted())
    #expect(AnswerHeaders.names.allSatisfy { $0 == $0.lowercased() })
  }
}
