import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("Two waits for one signal", .timeLimit(.minutes(15)), .inTurn)
struct SignalCheckTests {
  private static let qa = "$.signal.role == 'qa'"
  private static let lead = "$.signal.role == 'lead'"

  private func isWarnedOf(_ first: String?, _ second: String?, names: [String] = ["x", "x"]) -> Bool {
    func step(_ id: String, _ name: String, _ accept: String?) -> String {
      let accept = accept.map { #", "accept": "\#($0)""# } ?? ""
      return #"{"id": "\#(id)", "signal": {"name": "\#(name)"\#(accept)}, "compensation": "none"}"#
    }
    let steps = "[\(step("a", names[0], first)), \(step("b", names[1], second))]"
    let text = #"{"name": "w", "version": 1, "timeout": "1h", "steps": \#(steps)}"#
    let result = WorkflowChecker.check(Array(text.utf8))
    #expect(result.errors.isEmpty, "\(result.errors)")
    let found = result.warnings.filter { $0.code == WorkflowErrorCode.signalsAlike }
    #expect(found.allSatisfy { $0.pointer.description == "/steps/1/signal" })
    return !found.isEmpty
  }

  @Test(
    "get a warning when nothing distinguishes them",
    arguments: [
      (nil, nil), (qa, nil), (nil, qa), (qa, qa), (qa, "'qa'==$.signal.role"), (qa, "$['signal']['role'] == 'qa'"),
      (qa, "$.signal.ok == true && $.signal.role == 'qa'"), ("$.input.x == 1", qa),
      ("$.input.x == 1", "$.input.x == 2"),
      (qa, "$.signal.role == 'lead' || $.signal.role == 'qa'"), ("$.signal.n > 1", "1 < $.signal.n"),
      ("$.signal.a == 1 && $.signal.b == 2", "$.signal.b == 2.0 && $.signal.a == 1"),
    ] as [(String?, String?)])
  func alike(first: String?, second: String?) { #expect(isWarnedOf(first, second)) }

  @Test(
    "get no warning when their conditions or names differ",
    arguments: [
      (qa, lead), ("$.signal.n < 5", "$.signal.n >= 5"), ("$.signal.a", "!$.signal.a"),
      ("match($.signal.code, 'A.*')", "match($.signal.code, 'B.*')"),
      ("$.signal.step == 1 && $.signal.ok == true", "$.signal.step == 2 && $.signal.ok == true"),
    ])
  func apart(first: String, second: String) {
    #expect(!isWarnedOf(first, second))
    #expect(!isWarnedOf(nil, nil, names: ["x", "y"]))
  }
}
