import JSON
import Messaging
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import KafkaGateway
@testable import SagaCore
@testable import WorkflowEngine

/// A store in front of another. Once `hold` was called, it withholds the answer of each append until it is opened.
private final class GateStore: StoreInFront {
  let store: any EventStore
  private let holds = Mutex(false)
  private let held = Told<UniqueID>()
  private let opened = Once<Void>()

  init(_ store: any EventStore) { self.store = store }

  func hold() { holds.withLock { $0 = true } }
  func waitUntilHeld() async { await held.wait(for: 1) }
  func open() { opened.give(()) }
  var isOpen: Bool { opened.isGiven }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    let appended = try await store.append(append)
    if holds.withLock({ $0 }) {
      held.add(append.stream)
      await opened.value()
    }
    return appended
  }
}

@Suite("The last commands over Kafka before an engine ends", .timeLimit(.minutes(15)), .inTurn)
struct LastCommandTests {
  /// An engine that ended before its last commands left their offsets behind, and the next engine got them again.
  @Test("An engine that is about to end waits until the commands under way are finished, and no longer than it may")
  func commandsUnderWay() async throws {
    let memory = MemoryStore(environment: .system)
    let gate = GateStore(memory)
    let bench = try await KafkaBench(
      workflows: [Workflow.of(#"{"id": "a", "delay": {"for": "0s"}}"#)], memory: memory, in: gate)
    gate.hold()
    try await bench.send(["command": "start", "workflow": "spec", "input": .null])
    await gate.waitUntilHeld()

    await bench.kafka.takeNoMoreCommands(waiting: .zero)
    #expect(bench.kafka.consumers.allSatisfy { $0.handled == 0 })
    let waiting = Task {
      await bench.kafka.takeNoMoreCommands(waiting: .seconds(600))
      return gate.isOpen
    }
    gate.open()
    #expect(await waiting.value)
    #expect(bench.kafka.consumers.first?.handled == 1)
    await bench.stop()
  }
}
