import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Checking undos by a signal and by a workflow", .timeLimit(.minutes(15)), .inTurn)
struct UndoActionTests {
  /// A step whose compensation has these members.
  private static func step(_ compensation: String, _ more: String = "", id: String = "a") -> String {
    "{ \"id\": \"\(id)\", \"http\": { \"service\": \"s\", \"method\": \"PUT\", \"path\": \"/x\" }, "
      + "\"compensation\": { \(compensation) }\(more) }"
  }
  private static func steps(_ compensation: String, _ more: String = "") -> String { "[\(step(compensation, more))]" }

  private func undo(_ compensation: String) throws -> Undo {
    let result = check(Sample.workflow(Self.steps(compensation)))
    #expect(result.findings.isEmpty, "\(result.findings)")
    let definition = try #require(result.definition)
    return try #require(definition.steps[0].undo)
  }

  @Test("An undo by a signal is read with its members, and waits a day unless the file says otherwise")
  func signal() throws {
    let undo = try undo(
      #""signal": { "name": "binned", "schema": { "type": "object" }, "accept": "$.signal.ok == true" }, "timeout": "2d", "remind": { "after": "4h", "every": "1d" }, "expected": "1h", "onFailure": "continue", "appliesTo": ["succeeded"]"#
    )
    guard case .signal(let signal) = undo.action else {
      Issue.record("\(undo.action)")
      return
    }
    #expect(signal.name == "binned" && signal.schema != nil && signal.accept != nil)
    #expect(undo.timeout == .seconds(172_800) && undo.expected == .seconds(3_600) && undo.onFailure == .continue)
    #expect(undo.remind == Remind(after: .seconds(14_400), every: .seconds(86_400)))
    #expect(undo.appliesTo == [.succeeded])
    let bare = try self.undo(#""signal": { "name": "binned" }"#)
    #expect(bare.timeout == Undo.defaultWaitTimeout && bare.remind == nil && bare.onFailure == .stuck)
  }

  @Test("An undo by a workflow is read with its members, and only the child's own timeout limits it")
  func workflow() throws {
    let text =
      #""workflow": { "name": "unpool", "version": 2, "input": { "key": "${steps.a.key}" }, "key": "undo ${saga.id}" }"#
    let undo = try undo(text + #", "retry": { "maxAttempts": 2 }"#)
    guard case .workflow(let child) = undo.action else {
      Issue.record("\(undo.action)")
      return
    }
    #expect(child.name == "unpool" && child.version == 2 && child.input?.source == ["key": "${steps.a.key}"])
    #expect(child.key?.source == "undo ${saga.id}" && undo.timeout == nil)
    #expect(undo.retry.policy(for: ["child.undone"]).maxAttempts == 2)
    #expect(try self.undo(text + #", "timeout": "1h""#).timeout == .seconds(3_600))
  }

  @Test("A step says which workflow its undo starts, and one with a child starts none")
  func kinds() throws {
    func steps(_ text: String) throws -> [Step] { try definition(Sample.workflow("[\(text)]")).steps }
    let signal = try steps(Self.step(#""signal": { "name": "binned" }"#))[0]
    #expect(signal.undoSignal?.name == "binned" && signal.undoWorkflow == nil)
    let workflow = try steps(Self.step(#""workflow": { "name": "unpool" }"#))[0]
    #expect(workflow.undoWorkflow?.name == "unpool" && workflow.undoSignal == nil)
    let child = try steps(#"{ "id": "a", "workflow": { "name": "x" } }"#)[0]
    #expect(child.undo?.action.isWorkflow == true && child.undoWorkflow == nil)
  }

  @Test(
    "A mistake in an undo is found at its place",
    arguments: [
      Mistake("a delay", steps(#""delay": { "for": "1s" }"#), "workflow.unknownKey", says: "\"signal\", \"workflow\""),
      Mistake("a failure", steps(#""fail": { "code": "X" }"#), "workflow.unknownKey", says: "\"none\""),
      Mistake("a group", steps(#""steps": []"#), "workflow.unknownKey", says: "a \"workflow\""),
      Mistake(
        "a poll", steps(#""http": { "service": "s", "method": "GET", "path": "/x" }, "poll": {}"#),
        "workflow.unknownKey", says: "does not poll"),
      Mistake("no action", steps(#""timeout": "1h""#), "workflow.noAction", says: "\"workflow\""),
      Mistake(
        "two actions", steps(#""signal": { "name": "x" }, "task": { "queue": "q" }"#), "workflow.manyActions"),
      Mistake("a confirmation", steps(#""confirmation": { "name": "x" }"#), "workflow.unknownKey", near: "signal"),
      Mistake("retry on a signal", steps(#""signal": { "name": "x" }, "retry": {}"#), "workflow.noEffect"),
      Mistake(
        "reminders of a child", steps(#""workflow": { "name": "x" }, "remind": { "after": "1h" }"#),
        "workflow.noEffect", says: "people are reminded of a signal"),
      Mistake(
        "a reminder after the end", steps(#""signal": { "name": "x" }, "timeout": "1h", "remind": { "after": "2h" }"#),
        "workflow.noEffect", says: "before the first reminder"),
      Mistake(
        "an expected time that is never over", steps(#""signal": { "name": "x" }, "timeout": "1h", "expected": "1h""#),
        "workflow.badValue", says: "the undo of a waits 1h"),
      Mistake(
        "a condition of an unknown outcome",
        steps(
          #""signal": { "name": "x", "accept": "$.signal.tube == $.steps.a.output.tube" }"#),
        "workflow.undoReadsOutput", says: "appliesTo"),
      Mistake(
        "an input of an unknown outcome", steps(#""workflow": { "name": "x", "input": "${steps.a.output.id}" }"#),
        "workflow.undoReadsOutput"),
      Mistake(
        "a signal that is read outside", steps(#""workflow": { "name": "x", "input": "${signal.id}" }"#),
        "workflow.unknownRoot", says: "nothing reads the body"),
      Mistake(
        "existence", steps(#""signal": { "name": "x", "accept": "$.signal.approved" }"#), "workflow.existence"),
      Mistake(
        "a start key that never changes", steps(#""workflow": { "name": "x", "key": "one" }"#), "workflow.badValue"),
      Mistake(
        "a signal beside a child",
        #"[{ "id": "a", "workflow": { "name": "x" }, "compensation": { "signal": { "name": "y" } } }]"#,
        "workflow.unknownKey", says: "the child's own workflow undoes it"),
    ])
  func mistake(_ mistake: Mistake) throws {
    let findings = check(mistake.file).findings
    let finding = try #require(
      findings.first { $0.code == mistake.code }, "\(findings.map(\.description).joined(separator: "\n"))")
    #expect(finding.nearName == mistake.near)
    #expect(finding.message.contains(mistake.says), "\(finding.message)")
  }

  @Test("A condition of the undo may read the output of its step when the undo runs only after a success")
  func ownOutput() {
    #expect(
      check(
        Sample.workflow(
          Self.steps(
            #""appliesTo": ["succeeded"], "signal": { "name": "x", "accept": "$.signal.tube == $.steps.a.output.tube" }"#
          ))
      ).findings.isEmpty)
  }

  @Test("A step and an undo that wait for one signal get a warning when nothing distinguishes them")
  func alike() {
    func pointers(_ first: String, _ second: String) -> [String] {
      let wait = #"{ "id": "s", "signal": { "name": "x"\#(first) }, "compensation": "none" }"#
      let text = "[\(wait), \(Self.step("\"signal\": { \"name\": \"x\"\(second) }"))]"
      return check(Sample.workflow(text, more: #""timeout": "1h","#)).warnings
        .filter { $0.code == WorkflowErrorCode.signalsAlike }.map(\.pointer.description)
    }
    #expect(pointers("", "") == ["/steps/1/compensation/signal"])
    #expect(
      pointers(#", "accept": "$.signal.undone == false""#, #", "accept": "$.signal.undone == true""#) == [])
  }

  @Test("The items of a step whose undos take the same signals get a warning")
  func items() {
    func codes(_ accept: String) -> [String] {
      let text = Self.steps(
        "\"signal\": { \"name\": \"x\"\(accept) }", #", "forEach": { "items": "${input.tubes[*]}", "as": "tube" }"#)
      return check(Sample.workflow(text)).findings.map(\.code)
    }
    #expect(codes("").contains(WorkflowErrorCode.signalsAlike))
    #expect(!codes(#", "accept": "$.signal.tube == $.tube""#).contains(WorkflowErrorCode.signalsAlike))
  }

  @Test("The input of a child that undoes a step is checked against the child's schema")
  func childInput() throws {
    func file(_ name: String, _ steps: String, _ more: String = "") throws -> (WorkflowDefinition, [UInt8]) {
      let text = "{ \"name\": \"\(name)\", \"version\": 1, \(more) \"steps\": \(steps) }"
      return (try #require(check(text).definition), Array(text.utf8))
    }
    let child = try file(
      "unpool", #"[{ "id": "s", "delay": { "for": "1s" } }]"#, #""inputSchema": { "required": ["pool"] },"#)
    func found(_ input: String) throws -> [String] {
      let parent = try file("parent", Self.steps("\"workflow\": { \"name\": \"unpool\"\(input) }"))
      return ChildCheck([parent.0, child.0]).findings(in: parent.0, parent.1, file: "p").map {
        "\($0.code) \($0.pointer.description)"
      }
    }
    #expect(try found("") == ["workflow.childInput /steps/0/compensation/workflow"])
    #expect(try found(#", "input": { "pool": 7 }"#) == [])
  }

  @Test("A saga may move to a version with another timeout of an undo, and not to one with another signal")
  func moves() throws {
    func version(_ number: Int, _ compensation: String) throws -> WorkflowDefinition {
      try definition(#"{ "name": "w", "version": \#(number), "steps": \#(Self.steps(compensation)) }"#)
    }
    let first = try version(1, #""signal": { "name": "binned" }, "timeout": "1h""#)
    let longer = try version(2, #""signal": { "name": "binned" }, "timeout": "2h", "remind": { "after": "1h" }"#)
    let other = try version(3, #""signal": { "name": "burned" }, "timeout": "1h""#)
    #expect(MoveRule(from: first, to: longer).obstacle(begun: ["a"]) == nil)
    #expect(MoveRule(from: first, to: other).obstacle(begun: ["a"])?.reason == "its compensation changed")
  }
}
