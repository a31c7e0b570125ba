import JSON
import TestSupport
import Testing
import Wire

@testable import saga

@Suite("saga show --tree", .timeLimit(.minutes(15)), .inTurn)
struct TreeTests {
  private func summary(_ id: String, _ status: String, failedStep: String? = nil) -> SagaSummary {
    SagaSummary(
      id: id, workflow: id == "top" ? "plate" : "one-well", version: 1, status: status, overdue: false,
      startedAt: Golden.now, updatedAt: Golden.now, deadline: Golden.now, tags: [], failedStep: failedStep,
      attempts: 0)
  }

  @Test("A few children are drawn one by one, each with its own children")
  func small() {
    var inner = SagaTree(saga: summary("b", "completed"))
    inner.children = [SagaTree(saga: summary("c", "running"))]
    let tree = SagaTree(
      saga: summary("top", "running"), children: [SagaTree(saga: summary("a", "stuck", failedStep: "measure")), inner])
    #expect(
      tree.lines(.plain, asked: "c") == [
        "▸ running  plate v1  top", "├ ! stuck at measure  one-well v1  a", "└ ✓ completed  one-well v1  b",
        "  └ ▸ running  one-well v1  c",
      ])
    #expect(tree.json["children"]?[1]?["children"]?[0]?["id"] == "c")
  }

  @Test("Of a plate those that need a look are drawn, and the others are counted")
  func plate() {
    var children = (0..<94).map { SagaTree(saga: summary("w\($0)", "completed")) }
    children.append(SagaTree(saga: summary("bad", "stuck", failedStep: "measure")))
    children.append(SagaTree(saga: summary("undone", "compensated")))
    var tree = SagaTree(saga: summary("top", "running"), children: children)
    #expect(
      tree.lines(.plain, asked: "top") == [
        "▸ running  plate v1  top", "├ ! stuck at measure  one-well v1  bad", "└ 94 completed, 1 compensated",
      ])
    #expect(tree.lines(.plain, asked: "w7")[1] == "├ ✓ completed  one-well v1  w7", "the saga itself is always drawn")
    tree.more = 3
    #expect(tree.lines(.plain, asked: "top").last == "└ 94 completed, 1 compensated, 3 or more not read")
  }

  @Test("The steps and the facts of a saga name its child and its parent")
  func show() throws {
    let step = Sample.step([
      "id": "deliver", "status": "waiting", "action": ["kind": "workflow", "workflow": "deliver-results"],
      "waitingFor": ["kind": "child"],
      "child": ["id": "C-1", "workflow": "deliver-results", "version": 2, "status": "stuck"],
    ])
    let saga = try Sample.response(["steps": [step], "parent": ["id": "P-1", "step": "wells[A1]"]])
    let lines = SagaDrawing(saga: saga, now: Golden.now, style: .plain).lines()
    #expect(lines.contains("  child of     P-1, step wells[A1]"))
    let undoing = try Sample.response(["parent": ["id": "P-1", "step": "load", "phase": "undo"]])
    #expect(
      SagaDrawing(saga: undoing, now: Golden.now, style: .plain).lines().contains(
        "  child of     P-1, the undo of step load"))
    #expect(
      lines.contains { $0.contains("for its child") } && lines.contains { $0.hasSuffix("deliver-results C-1: stuck") })
  }
}
