import JSON
import TestSupport
import Testing

@testable import Workflows

@Suite("The checker's warnings about pivots", .timeLimit(.minutes(15)), .inTurn)
struct PivotAdviceTests {
  private static func step(_ id: String, _ more: String = "", undo: Bool = true) -> String {
    let undo =
      undo
      ? #", "compensation": {"http": {"service": "s", "method": "DELETE", "path": "/\#(id)/${steps.\#(id).uuid}"}}"#
      : ""
    let http = #""http": {"service": "s", "method": "PUT", "path": "/\#(id)/${steps.\#(id).uuid}"}"#
    return #"{"id": "\#(id)", \#(http)\#(undo)\#(more.isEmpty ? "" : ", " + more)}"#
  }

  /// The warnings, each as its code and place.
  private func warnings(_ steps: String...) -> [String] {
    let text = #"{"name": "w", "version": 1, "steps": [\#(steps.joined(separator: ", "))]}"#
    let result = WorkflowChecker.check(Array(text.utf8))
    #expect(result.errors.isEmpty)
    return result.findings.filter { $0.code != WorkflowErrorCode.mayBeTooSlow }.map { "\($0.code) \($0.pointer)" }
  }

  private static let pivot = step("p", #""pivot": true"#, undo: false)

  @Test("A pivot with a condition gets a warning")
  func when() {
    #expect(
      warnings(Self.step("a"), Self.step("p", #""pivot": true, "when": "$.input.go == true""#, undo: false))
        == ["workflow.pivotWithWhen /steps/1/when"])
  }

  @Test("A pivot with onFailure continue gets a warning")
  func goesOn() {
    #expect(
      warnings(Self.step("a"), Self.step("p", #""pivot": true, "onFailure": "continue""#, undo: false))
        == ["workflow.pivotContinues /steps/1/onFailure"])
  }

  @Test("An undo anywhere after a pivot gets a warning")
  func behind() {
    #expect(
      warnings(Self.step("a"), Self.pivot, Self.step("b", undo: false), Self.step("c"))
        == ["workflow.undoBehindPivot /steps/3/compensation"])
    // Joined behind one branch with the pivot and one without.
    #expect(
      warnings(
        Self.step("a"), Self.step("p", #""pivot": true, "dependsOn": ["a"]"#, undo: false),
        Self.step("s", #""dependsOn": ["a"]"#), Self.step("z", #""dependsOn": ["p", "s"]"#))
        == ["workflow.undoBehindPivot /steps/3/compensation"])
  }

  @Test("An undo before or beside a pivot gets no warning")
  func beforeAndBeside() {
    #expect(
      warnings(
        Self.step("a"), Self.step("p", #""pivot": true, "dependsOn": ["a"]"#, undo: false),
        Self.step("s", #""dependsOn": ["a"]"#)) == [])
  }

  @Test("After a pivot that may not be passed a step without an undo gets a warning")
  func behindUncertain() {
    for more in [#""when": "$.input.go == true""#, #""onFailure": "continue""#] {
      let pivot = Self.step("p", #""pivot": true, \#(more)"#, undo: false)
      let found = warnings(pivot, Self.step("b"), Self.step("c", undo: false)).dropFirst()
      #expect(found == ["workflow.noCompensation /steps/2"])
    }
    // Of several pivots before a step one that is passed for certain is enough.
    let uncertain = Self.step("p", #""pivot": true, "when": "$.input.go == true""#, undo: false)
    let certain = Self.step("q", #""pivot": true"#, undo: false)
    #expect(
      warnings(uncertain, certain, Self.step("b")).dropFirst() == ["workflow.undoBehindPivot /steps/2/compensation"])
  }
}
