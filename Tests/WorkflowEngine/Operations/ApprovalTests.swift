import JSON
import Persistence
import Runtime
import Testing

@testable import WorkflowEngine

@Suite("A second pair of eyes")
struct ApprovalTests {
  @Test("A verb that takes two people is done once another has agreed, and not before")
  func approve() async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.abandon])
    let saga = try #require(bench.stuck.first)
    let asked = try await bench.ask(.abandon, saga)
    #expect(asked.status == .waiting && asked.count == 1)
    #expect(try await bench.engine.saga(saga).state.status == .stuck)

    let same = await #expect(throws: EngineError.self) {
      try await bench.engine.approve(asked.id, OperatorAct(by: "anna", reason: "me"))
    }
    #expect(same?.code == EngineErrorCode.operationSamePerson)
    let nameless = await #expect(throws: EngineError.self) {
      try await bench.engine.approve(asked.id, OperatorAct(by: "anonymous", reason: "somebody"))
    }
    #expect(nameless?.code == EngineErrorCode.operationNameless)
    #expect(try await bench.engine.saga(saga).state.status == .stuck)

    let approved = try await bench.engine.approve(asked.id, OperatorAct(by: "ben", reason: "seen the freezer"))
    #expect(approved.approved?.by == "ben")
    #expect(try await bench.end(of: asked.id).done == 1)
    #expect(try await bench.running.end(of: saga).status == .abandoned)
    let again = await #expect(throws: EngineError.self) {
      try await bench.engine.approve(asked.id, OperatorAct(by: "cleo", reason: "late"))
    }
    #expect(again?.code == EngineErrorCode.operationNotWaiting)
    try await bench.engine.waitUntilAudited()
    let acts = try await bench.engine.audit(AuditFilter(), after: nil, limit: 100).entries
    #expect(acts.contains { $0.verb == "approve" && $0.actor == "ben" && $0.operation == asked.id })
    let abandoned = acts.first { $0.verb == "abandon" }
    #expect(abandoned?.actor == "anna" && abandoned?.from == "operation \(asked.id), agreed to by ben")
    await bench.stop()
  }

  @Test("Declined, nothing is done")
  func decline() async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.abandon])
    let saga = try #require(bench.stuck.first)
    let asked = try await bench.ask(.abandon, saga)
    let declined = try await bench.engine.decline(asked.id, OperatorAct(by: "ben", reason: "the tube is there"))
    #expect(declined.status == .declined && declined.declined?.reason == "the tube is there")
    await #expect(throws: EngineError.self) {
      try await bench.engine.approve(asked.id, OperatorAct(by: "cleo", reason: "but"))
    }
    #expect(try await bench.engine.saga(saga).state.status == .stuck)
    await bench.stop()
  }

  @Test("It waits through a restart")
  func restart() async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.abandon])
    let saga = try #require(bench.stuck.first)
    let asked = try await bench.ask(.abandon, saga)
    await bench.stop()
    let after = try await OperationBench(over: bench)
    #expect(try await after.engine.operations(status: .waiting, after: nil, limit: 9).operations == [asked.json])
    _ = try await after.engine.approve(asked.id, OperatorAct(by: "ben", reason: "yes"))
    #expect(try await after.running.end(of: saga).status == .abandoned)
    await after.stop()
  }

  @Test("What the saga doesn't take isn't asked for, nor what nobody has a name for")
  func refused() async throws {
    let bench = try await OperationBench(stuck: 1, fine: 1, approvals: [.abandon])
    let fine = try #require(bench.fine.first)
    let ended = await #expect(throws: Refusal.self) { try await bench.ask(.abandon, fine) }
    #expect(ended?.code == EngineErrorCode.sagaEnded)
    let saga = try #require(bench.stuck.first)
    let nameless = await #expect(throws: EngineError.self) { try await bench.ask(.abandon, saga, by: "anonymous") }
    #expect(nameless?.code == EngineErrorCode.operationNameless)
    await bench.stop()
  }

  @Test("What was done to a saga just before a crash, and not yet recorded, is known again and not done twice")
  func crashBetween() async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.pause])
    let saga = try #require(bench.stuck.first)
    let asked = try await bench.ask(.pause, saga)
    // As if the engine had died between the saga's event and the operation's.
    _ = try await bench.engine.operate(
      saga,
      OperatorRequest(
        .pause, by: OperatorAct(by: "anna", reason: "it is gone", commandID: "operation/\(asked.id)")))
    _ = try await bench.engine.approve(asked.id, OperatorAct(by: "ben", reason: "yes"))
    let ended = try await bench.end(of: asked.id)
    #expect((ended.done, ended.refused) == (1, 0))
    let history = try await bench.engine.history(of: saga, after: 0, limit: 100)
    #expect(history.filter { $0.type == "sagaPaused" }.count == 1)
    await bench.stop()
  }

  @Test("Agreed, with the answer lost: it is carried out")
  func lostAnswer() async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.abandon])
    let saga = try #require(bench.stuck.first)
    let asked = try await bench.ask(.abandon, saga)
    bench.store.refuseAppends(1)
    await #expect(throws: StoreError.self) {
      try await bench.engine.approve(asked.id, OperatorAct(by: "ben", reason: "yes"))
    }
    #expect(try await bench.running.end(of: saga).status == .abandoned)
    #expect(try await bench.end(of: asked.id).approved?.by == "ben")
    await bench.stop()
  }

  @Test("Of two who decide at once one wins, and the other is told")
  func twoAtOnce() async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.abandon])
    let saga = try #require(bench.stuck.first)
    for _ in 0..<10 {
      let asked = try await bench.ask(.abandon, saga)
      let refusals = await withTaskGroup(of: String?.self) { group in
        for name in ["ben", "cleo", "dora", "emil"] {
          group.addTask {
            do {
              _ = try await bench.engine.decline(asked.id, OperatorAct(by: name, reason: "no"))
              return nil
            } catch {
              return (error as? EngineError)?.code ?? "\(error)"
            }
          }
        }
        return await group.reduce(into: [String]()) { if let code = $1 { $0.append(code) } }
      }
      #expect(refusals == Array(repeating: EngineErrorCode.operationNotWaiting, count: 3))
      let operation = try await bench.engine.operation(asked.id)
      #expect(operation.version == 3)
    }
    await bench.stop()
  }

  @Test("A cancel that comes by Kafka waits as well")
  func cancel() async throws {
    let bench = try await OperationBench(stuck: 0, waiting: 1, approvals: [.cancel])
    let saga = try #require(bench.waiting.first)
    for _ in 0..<2 {
      let state = try await bench.engine.cancel(
        saga, by: "lims", reason: "withdrawn", from: "kafka saga.commands", commandID: "m-1")
      #expect(state.status == .running)
    }
    let waiting = try await bench.engine.operations(status: .waiting, after: nil, limit: 9).operations
    #expect(waiting.count == 1)
    await bench.stop()
  }
}
