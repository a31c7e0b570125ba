import EmbeddedSagas
import Foundation
import JSON
import JSONSchema
import Persistence
import SagaCore
import Synchronization
import TestSupport
import Testing
import Values
import WorkflowEngine

@Suite("An engine inside a program", .timeLimit(.minutes(15)), .inTurn)
struct EmbeddedEngineTests {
  /// The calls of closures, in their order.
  private final class Calls: Sendable {
    private let list = Mutex<[String]>([])

    var all: [String] { list.withLock { $0 } }
    func note(_ call: String) { list.withLock { $0.append(call) } }
  }

  private struct Broken: Error {}

  private static func withFile(_ body: (String) async throws -> Void) async throws {
    try await body(TestFolder.new("embedded").appendingPathComponent("sagas.db").path)
  }

  /// A step that notes its calls.
  private static func step(
    _ id: String, _ calls: Calls, maxAttempts: Int = 3, timeout: Duration = .seconds(30),
    _ body: @escaping SwiftStep.Body = { _ in .null }
  ) -> SwiftStep {
    SwiftStep(id, timeout: timeout, maxAttempts: maxAttempts) { step in
      calls.note("\(id) \(step.key.suffix(id.count + 2)) \(step.attempt)")
      return try await body(step)
    } undo: { step in
      calls.note("undo \(step.key.suffix(id.count + 2))")
    }
  }

  @Test("A start with an input that doesn't meet the workflow's schema is refused")
  func inputSchema() async throws {
    try await Self.withFile { file in
      let workflow = SwiftWorkflow(
        "add", version: 1, inputSchema: ["type": "object", "required": ["n"]], steps: [Self.step("one", Calls())])
      try await EmbeddedEngine.run(at: file, workflows: [workflow]) { engine in
        let refusal = await #expect(throws: Refusal.self) { try await engine.start("add", input: "text") }
        #expect(refusal?.code == "input.invalid")
        #expect(refusal?.violations.map(\.message) == ["the input is a string; the schema allows only an object"])
        let saga = try await engine.start("add", input: ["n": 1])
        #expect(try await engine.end(of: saga).status == .completed)
      }
    }
  }

  @Test("A step reads the saga's input and the outputs of earlier steps")
  func completes() async throws {
    try await Self.withFile { file in
      let calls = Calls()
      let workflow = SwiftWorkflow(
        "add", version: 1,
        steps: [
          Self.step("one", calls) { .int(($0.input["n"]?.intValue ?? 0) + 1) },
          Self.step("two", calls) { .int(($0.output(of: "one")?.intValue ?? 0) * 2) },
        ])
      try await EmbeddedEngine.run(at: file, workflows: [workflow]) { engine in
        let saga = try await engine.start("add", input: ["n": 4], key: "order-7")
        let end = try await engine.end(of: saga)
        #expect(end.status == .completed)
        #expect(end.step("two")?.output == 10)
        #expect(try await engine.start("add", input: ["n": 4], key: "order-7") == saga, "the same key is the same saga")
      }
      #expect(calls.all == ["one one/1 1", "two two/1 1"])
    }
  }

  @Test("A refused step turns the saga back, and the earlier step is undone under the key of its round")
  func refused() async throws {
    try await Self.withFile { file in
      let calls = Calls()
      let workflow = SwiftWorkflow(
        "store", version: 1,
        steps: [
          Self.step("store", calls),
          Self.step("inspect", calls) { _ in throw StepRefused("CRACKED", "The tube is cracked.") },
        ])
      try await EmbeddedEngine.run(at: file, workflows: [workflow]) { engine in
        let saga = try await engine.start("store", input: [:])
        var events: [String] = []
        for try await event in engine.events(of: saga) { events.append(event.typeName) }
        #expect(
          events == [
            "sagaStarted", "attemptStarted", "stepSucceeded", "attemptStarted", "stepFailed", "turnedBack",
            "attemptStarted", "undoSucceeded", "sagaCompensated",
          ])
        let end = try await engine.saga(saga)
        #expect(end.turnBack?.value.code == "CRACKED")
        #expect(end.step("inspect")?.outcome == .failed, "a refusal says that it has not happened")
      }
      #expect(calls.all == ["store store/1 1", "inspect inspect/1 1", "undo store/1"])
    }
  }

  /// A follower once read the saga's end after an empty page, and missed the events that were stored between the two.
  @Test("The events of each of 200 sagas end with the saga's last event")
  func eventsToTheEnd() async throws {
    try await Self.withFile { file in
      let workflow = SwiftWorkflow("one", version: 1, steps: [Self.step("one", Calls())])
      try await EmbeddedEngine.run(at: file, workflows: [workflow]) { engine in
        let last = try await withThrowingTaskGroup(of: String?.self) { group in
          for _ in 0..<200 {
            group.addTask {
              var last: String?
              for try await event in engine.events(of: try await engine.start("one", input: [:])) {
                last = event.typeName
              }
              return last
            }
          }
          return try await group.reduce(into: [String: Int]()) { $0[$1 ?? "none", default: 0] += 1 }
        }
        #expect(last == ["sagaCompleted": 200])
      }
    }
  }

  @Test("A step that throws another error is attempted again under the same key, and then undone")
  func thrown() async throws {
    try await Self.withFile { file in
      let calls = Calls()
      let workflow = SwiftWorkflow(
        "send", version: 1, steps: [Self.step("send", calls, maxAttempts: 2) { _ in throw Broken() }])
      try await EmbeddedEngine.run(at: file, workflows: [workflow]) { engine in
        let end = try await engine.end(of: try await engine.start("send", input: [:]))
        #expect(end.status == .compensated)
        #expect(end.step("send")?.failure?.code == "step.threw")
        #expect(end.step("send")?.outcome == .unknown, "it may have happened")
      }
      #expect(calls.all == ["send send/1 1", "send send/1 2", "undo send/1"])
    }
  }

  @Test("A step that takes longer than its timeout has an unknown outcome")
  func slow() async throws {
    try await Self.withFile { file in
      let calls = Calls()
      let workflow = SwiftWorkflow(
        "wait", version: 1,
        steps: [
          Self.step("wait", calls, maxAttempts: 1, timeout: .milliseconds(50)) { _ in
            // It ends when the engine cancels it.
            let (never, _) = AsyncStream.makeStream(of: Void.self)
            for await _ in never {}
            return .null
          }
        ])
      try await EmbeddedEngine.run(at: file, workflows: [workflow]) { engine in
        let end = try await engine.end(of: try await engine.start("wait", input: [:]))
        #expect(end.status == .compensated && end.step("wait")?.failure?.code == EngineErrorCode.attemptTimeout)
      }
      #expect(calls.all == ["wait wait/1 1", "undo wait/1"])
    }
  }

  @Test("A saga that was open when the program stopped goes on when the program opens the file again")
  func reopened() async throws {
    try await Self.withFile { file in
      let calls = Calls()
      let (begun, begin) = AsyncStream.makeStream(of: Void.self)
      func workflow(_ body: @escaping SwiftStep.Body) -> SwiftWorkflow {
        SwiftWorkflow("move", version: 1, steps: [Self.step("move", calls, body)])
      }
      let hanging = workflow { _ in
        begin.finish()
        let (never, _) = AsyncStream.makeStream(of: Void.self)
        for await _ in never {}
        throw CancellationError()
      }
      let saga = try await EmbeddedEngine.run(at: file, workflows: [hanging], drainTime: .zero) { engine in
        let saga = try await engine.start("move", input: [:])
        for await _ in begun {}
        return saga
      }
      try await EmbeddedEngine.run(at: file, workflows: [workflow { _ in "moved" }]) { engine in
        let end = try await engine.end(of: saga)
        #expect(end.status == .completed && end.step("move")?.output == "moved")
      }
      #expect(calls.all == ["move move/1 1", "move move/1 2"], "the second attempt has the same key")
    }
  }

  @Test("A version with other steps is refused, and a saga of a version that the program lacks waits to be retried")
  func versions() async throws {
    try await Self.withFile { file in
      let calls = Calls()
      let first = SwiftWorkflow("move", version: 1, steps: [Self.step("a", calls)])
      let changed = SwiftWorkflow("move", version: 1, steps: [Self.step("b", calls)])
      try await EmbeddedEngine.run(at: file, workflows: [first]) { _ in }
      let error = await #expect(throws: EngineError.self) {
        try await EmbeddedEngine.run(at: file, workflows: [changed]) { _ in }
      }
      #expect(error?.code == EngineErrorCode.workflowConflict)
      try await EmbeddedEngine.run(at: file, workflows: []) { engine in
        let end = try await engine.end(of: try await engine.start("move", input: [:]))
        #expect(end.status == .compensated && end.step("a")?.failure?.code == EngineErrorCode.serviceUnknown)
      }
      #expect(calls.all == [])
    }
  }

  @Test("A file that another engine has is refused")
  func owned() async throws {
    try await Self.withFile { file in
      try await EmbeddedEngine.run(at: file, workflows: []) { _ in
        let error = await #expect(throws: StoreError.self) {
          try await EmbeddedEngine.run(at: file, workflows: []) { _ in }
        }
        #expect(error?.kind == .locked || error?.kind == .notOwner)
      }
    }
  }
}
