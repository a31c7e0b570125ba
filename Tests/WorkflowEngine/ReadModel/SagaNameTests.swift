import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("The names of sagas", .timeLimit(.minutes(15)), .inTurn)
struct SagaNameTests {
  @Test("Sagas are named by the title and the key that the lists have; an unknown id has no name")
  func names() async throws {
    let running = try await RunningEngine(
      MemoryStore(environment: .system), ScriptedExecutor { _ in .succeeded(.null) })
    let workflow = Workflow.of(Workflow.step("a"), members: #""title": "Tube ${input.barcode}","#)
    _ = try await running.engine.register(workflow, by: "test")
    let titled = try await running.start(input: ["barcode": "TS-7"], key: "tube-7").id
    _ = try await running.end(of: titled)
    try await running.engine.waitUntilListed()
    let unknown = Environment.system.newID()
    let names = await running.engine.names(of: [titled, unknown, titled])
    #expect(names == [titled: SagaName(title: "Tube TS-7", key: "tube-7")])
    #expect(await running.engine.names(of: []) == [:])
    await running.stop()
  }
}
