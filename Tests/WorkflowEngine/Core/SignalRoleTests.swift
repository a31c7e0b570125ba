import JSON
import TestSupport
import Testing
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Roles of signals", .timeLimit(.minutes(15)), .inTurn)
struct SignalRoleTests {
  typealias Saga = SagaSpecification

  private static func wait(_ id: String, roles: String, _ more: String = "") -> String {
    #"{"id": "\#(id)", "signal": {"name": "approve", "roles": [\#(roles)]}, "compensation": "none"\#(more)}"#
  }

  private static func send(_ id: String, as roles: [String]?, _ body: JSON = .null) -> SagaCommand {
    .give(SignalGiven(name: "approve", id: id, body: body, by: "anna", roles: roles), formerIDs: [])
  }

  private static func refusal(_ saga: inout Saga, _ command: SagaCommand) throws -> Refusal? {
    let before = try #require(saga.state)
    let refusal = #expect(throws: Refusal.self) { try saga.when(command) }
    #expect(saga.state == before, "a refused sender changes nothing")
    return refusal
  }

  @Test("A sender without the role is refused, and nothing is recorded; the same key counts once the sender has it")
  func refused() throws {
    var saga = try Saga("[\(Self.wait("check", roles: #""qa", "lead""#))]")
    try saga.start()
    let refusal = try Self.refusal(&saga, Self.send("1", as: ["night"]))
    #expect(refusal?.code == EngineErrorCode.signalRoleMissing)
    #expect(
      refusal?.message
        == "The signal “approve” needs a laboratory role: check takes it from “qa” or “lead”. anna has “night”.")
    #expect(try Self.refusal(&saga, Self.send("1", as: []))?.message.hasSuffix("anna has none.") == true)
    #expect(try Self.refusal(&saga, Self.send("1", as: ["QA"]))?.code == EngineErrorCode.signalRoleMissing)
    #expect(try saga.when(Self.send("1", as: ["lead"])).last == "sagaCompleted")
    let received = saga.log.compactMap { $0.what as? SignalReceived }
    #expect(received.map(\.signal.roles) == [["lead"]], "the history says as what the sender was recognised")
  }

  @Test("A sender without the role is not recorded either when the step has its signal, or when the id was used")
  func spent() throws {
    let steps = [Self.wait("check", roles: #""qa""#), Saga.http("last")]
    var saga = try Saga("[\(steps.joined(separator: ", "))]")
    try saga.start()
    try saga.when(Self.send("1", as: ["qa"], "yes"))
    #expect(try Self.refusal(&saga, Self.send("2", as: ["night"]))?.code == EngineErrorCode.signalRoleMissing)
    #expect(try Self.refusal(&saga, Self.send("1", as: [], "no"))?.code == EngineErrorCode.signalRoleMissing)
    #expect(saga.state?.signals.count == 1)
  }

  @Test("An engine that compares no senders takes the signal")
  func withoutKeys() throws {
    var saga = try Saga("[\(Self.wait("check", roles: #""qa""#))]")
    try saga.start()
    #expect(try saga.when(Self.send("1", as: nil)).last == "sagaCompleted")
  }

  @Test("Of two steps with one signal and different roles, each takes it only from its own")
  func twoSteps() throws {
    let steps = [
      Self.wait("scan", roles: #""night""#, #", "dependsOn": []"#),
      Self.wait("release", roles: #""qa""#, #", "dependsOn": []"#),
    ]
    var saga = try Saga("[\(steps.joined(separator: ", "))]")
    try saga.start()
    #expect(try saga.when(Self.send("1", as: ["qa"])).contains("release succeeded"))
    #expect(try saga.step("scan").status == .waiting)
    #expect(try Self.refusal(&saga, Self.send("2", as: ["qa"]))?.code == EngineErrorCode.signalRoleMissing)
    #expect(try saga.when(Self.send("3", as: ["night"])).last == "sagaCompleted")
  }

  @Test("A kept signal goes only to a step that takes it from its sender, also from a snapshot")
  func kept() throws {
    let steps = [
      Saga.http("first"), Self.wait("release", roles: #""qa""#, #", "dependsOn": ["first"]"#),
      Self.wait("scan", roles: "", #", "dependsOn": ["release"]"#),
    ]
    var saga = try Saga("[\(steps.joined(separator: ", "))]")
    try saga.start()
    // It is kept for the step that anyone may tell.
    try saga.when(Self.send("1", as: ["night"]))
    let state = try #require(saga.state)
    #expect(state.signals.first?.roles == ["night"])
    #expect(try SagaState(snapshotText: state.snapshotText).signals == state.signals)
    try saga.succeed("first")
    #expect(try saga.step("release").status == .waiting, "the kept signal is not of its role")
    #expect(try saga.when(Self.send("2", as: ["qa"])).last == "sagaCompleted")
  }

  @Test("An explanation names the role")
  func explained() throws {
    var saga = try Saga("[\(Self.wait("check", roles: #""qa", "lead""#))]")
    try saga.start()
    let why = Explanation(try #require(saga.state), saga.definition, now: saga.now)
    #expect(why.next.first?.purpose == "Send the signal that step check waits for. Laboratory role: qa or lead.")
  }
}
