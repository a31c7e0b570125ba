import JSON
import Persistence
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Approval by a second person", .timeLimit(.minutes(15)), .inTurn)
struct ApprovalTests {
  @Test("A verb that needs two people runs after another person has approved, and not before")
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

  @Test("A declined verb is not run")
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

  @Test("A waiting verb still waits after a restart")
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

  @Test("A verb that the saga refuses, or that comes without a user's name, does not wait for approval")
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

  @Test("A verb that ran just before a crash and was not yet recorded is recognised, and not run twice")
  func crashBetween() async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.pause])
    let saga = try #require(bench.stuck.first)
    let asked = try await bench.ask(.pause, saga)
    // This is the state after an engine died between the saga's event and the operation's.
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

  @Test("An approved verb runs although the answer to the approval was lost")
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

  @Test("When several people decide at once, one wins and the others are refused")
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

  @Test("A cancel over Kafka waits for approval too")
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

  // MARK: Ways round a guard

  @Test(
    "A verb needs approval when it has the effect of a verb that needs approval",
    arguments: [
      (
        .cancel,
        [
          .cancel, .compensate, .rewind(step: "s"), .abandon, .resolve(step: "s", .didNotHappen), .migrate(to: 2),
        ]
      ),
      (
        .compensate,
        [
          .cancel, .compensate, .rewind(step: "s"), .abandon, .resolve(step: "s", .didNotHappen), .migrate(to: 2),
        ]
      ),
      (.rewind, [.rewind(step: "s")]),
      (.abandon, [.abandon, .resolve(step: "s", .undone)]),
      (
        .skip,
        [
          .skip(step: "s", output: nil), .resolve(step: "s", .happened(output: .null)), .runNow(step: "d"),
          .runNow(step: nil), .migrate(to: 2),
        ]
      ),
      (.migrate, [.migrate(to: 2)]),
      (
        .resolve,
        [
          .resolve(step: "s", .happened(output: .null)), .resolve(step: "s", .didNotHappen),
          .resolve(step: "s", .undone),
          .skip(step: "s", output: nil), .skip(step: "d", output: nil), .resolve(step: "c", .didNotHappen),
        ]
      ),
      (.runNow, [.runNow(step: "s"), .runNow(step: "d"), .runNow(step: nil), .skip(step: "d", output: nil)]),
      (.pause, [.pause]), (.resume, [.resume]), (.retry, [.retry(step: "s")]),
      (.extend, [.extend(step: nil, .by(.seconds(1)))]),
    ] as [(OperatorVerb.Name, [OperatorVerb])])
  func ways(guarded: OperatorVerb.Name, covered: [OperatorVerb]) throws {
    let definition = try SagaSpecification(
      "[\(SagaSpecification.http("s")), \(SagaSpecification.http("c", #""onFailure": "continue""#)), \(SagaSpecification.delay("d", "1m"))]"
    ).definition
    let every: [OperatorVerb] = [
      .cancel, .compensate, .abandon, .pause, .resume, .retry(step: "s"), .rewind(step: "s"), .runNow(step: "s"),
      .runNow(step: "d"), .runNow(step: nil), .extend(step: nil, .by(.seconds(1))), .skip(step: "s", output: nil),
      .skip(step: "d", output: nil), .resolve(step: "s", .happened(output: .null)), .resolve(step: "s", .didNotHappen),
      .resolve(step: "s", .undone), .resolve(step: "c", .didNotHappen), .migrate(to: 2),
    ]
    let approvals = Approvals(guarded: [guarded])
    for verb in every {
      let isCovered =
        covered.contains(verb) || guarded == .skip && verb == .skip(step: "d", output: nil)
      #expect(approvals.cover(verb, of: definition) == isCovered, "\(verb)")
      // When the workflow is unknown, a verb needs approval in doubt.
      if isCovered { #expect(approvals.cover(verb, of: nil), "\(verb)") }
    }
  }

  @Test("When cancel needs approval, so do compensate, rewind and an operation on many sagas")
  func compensateIsCancel() async throws {
    let bench = try await OperationBench(stuck: 0, waiting: 1, approvals: [.cancel])
    let saga = try #require(bench.waiting.first)
    #expect(try await bench.engine.needsApproval(.compensate, of: saga))
    #expect(try await bench.engine.needsApproval(.rewind(step: "wait"), of: saga))
    #expect(try await !bench.engine.needsApproval(.pause, of: saga))
    #expect(try await bench.engine.preview(.compensate, .sagas([saga])).needsApproval)
    let asked = try await bench.begin(.compensate, .sagas([saga]))
    #expect(asked.status == .waiting)
    #expect(try await bench.engine.saga(saga).state.status == .running)
    _ = try await bench.engine.approve(asked.id, OperatorAct(by: "ben", reason: "yes"))
    #expect(try await bench.running.end(of: saga).status == .compensated)
    await bench.stop()
  }

  @Test("A cancel over Kafka waits when only compensate needs approval")
  func kafkaCancel() async throws {
    let bench = try await OperationBench(stuck: 0, waiting: 1, approvals: [.compensate])
    let saga = try #require(bench.waiting.first)
    let state = try await bench.engine.cancel(saga, by: "lims", reason: "withdrawn", commandID: "k-1")
    #expect(state.status == .running)
    #expect(try await bench.engine.operations(status: .waiting, after: nil, limit: 9).operations.count == 1)
    await bench.stop()
  }

  @Test(
    "The requester can't approve under a name that looks the same",
    arguments: ["Anna", "annа", "an\u{200B}na", " ANNA "])
  func lookalikes(name: String) async throws {
    let bench = try await OperationBench(stuck: 1, approvals: [.abandon])
    let saga = try #require(bench.stuck.first)
    let asked = try await bench.ask(.abandon, saga)
    let same = await #expect(throws: EngineError.self) {
      try await bench.engine.approve(asked.id, OperatorAct(by: name, reason: "me"))
    }
    #expect(same?.code == EngineErrorCode.operationSamePerson)
    #expect(try await bench.engine.operation(asked.id).status == .waiting)
    await bench.stop()
  }
}
