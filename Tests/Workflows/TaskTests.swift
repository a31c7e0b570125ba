import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking tasks", .timeLimit(.minutes(15)), .inTurn)
struct TaskTests {
  private static func task(_ members: String = "", more: String = #", "compensation": "none""#) -> String {
    "[{ \"id\": \"load\", \"task\": { \"queue\": \"robot\"\(members) }\(more) }]"
  }

  @Test("A task has its queue, its input and its heartbeat timeout")
  func reads() throws {
    let text = Sample.workflow(
      Self.task(#", "input": { "plate": "${input.plate}" }, "heartbeatTimeout": "10s""#, more: #", "timeout": "1m""#))
    let step = try #require(check(text).definition?.steps.first)
    #expect(
      step.action
        == .task(
          TaskAction(
            queue: "robot", input: try Template(["plate": "${input.plate}"]), heartbeatTimeout: .seconds(10))))
    #expect(step.timeout == .seconds(60) && step.action.isAttempted && step.action.kind == "task")
  }

  @Test("What a task leaves out has a default, and defaults.timeout is not of a task")
  func defaults() throws {
    let undo = #", "compensation": { "task": { "queue": "cleaner" } }"#
    let text = Sample.workflow(Self.task(more: undo), more: #""defaults": { "timeout": "5s" },"#)
    let step = try #require(check(text).definition?.steps.first)
    #expect(step.timeout == nil)
    #expect(step.action == .task(TaskAction(queue: "robot")))
    guard case .undo(let rules) = step.compensation else {
      Issue.record("no undo")
      return
    }
    #expect(rules.action == .task(TaskAction(queue: "cleaner")))
    #expect(rules.timeout == .seconds(86_400) && TaskAction.defaultHeartbeatTimeout == .seconds(60))
  }

  @Test(
    "A mistake in a task is found at its place",
    arguments: [
      Mistake(
        "a heartbeat timeout longer than an undo",
        task(
          more: #", "compensation": { "task": { "queue": "q", "heartbeatTimeout": "2m" }, "timeout": "1m" }"#),
        "workflow.badValue", says: "longer than the whole task may take (\"timeout\": 1m)"),
      Mistake(
        "a task longer than the saga", task(more: #", "timeout": "9d", "compensation": "none""#), "workflow.tooSlow"),
      Mistake(
        "a worker's name", task(#", "worker": "robot-2""#), "workflow.unknownKey", says: "asks for work by itself"),
      Mistake(
        "a task whose input reads no step", task(#", "input": "${steps.lod.output}""#), "workflow.unknownStep",
        near: "load"),
    ])
  func mistakes(_ mistake: Mistake) throws {
    let findings = check(mistake.file).findings
    let finding = try #require(
      findings.first { $0.code == mistake.code }, "\(findings.map(\.description).joined(separator: "\n"))")
    #expect(finding.nearName == mistake.near)
    #expect(finding.message.contains(mistake.says), "\(finding.message)")
    #expect(findings.count == 1, "\(findings.map(\.description).joined(separator: "\n"))")
  }

  @Test("A task may change something, so the checker asks for its undo, and has no reminders")
  func warns() {
    let codes = check(Sample.workflow(Self.task(more: #", "remind": { "after": "1m" }"#))).findings.map(\.code)
    #expect(codes.contains("workflow.noCompensation") && codes.contains("workflow.noEffect"))
  }
}
