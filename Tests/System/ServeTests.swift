import Foundation
import TestSupport
import Testing

@Suite("The engine's log at its start", .timeLimit(.minutes(15)), .inTurn)
struct ServeTests {
  @Test("A workflow that needs Kafka is skipped with one plain line; an invalid one is reported as an error")
  func withoutKafka() async throws {
    let site = try await Site(.sqlite)
    let folder = site.folder.appendingPathComponent("flows")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func write(_ name: String, _ steps: String) throws {
      let text = #"{ "name": "\#(name)", "version": 1, "steps": [\#(steps)] }"#
      try Data(text.utf8).write(to: folder.appendingPathComponent("\(name).json"))
    }
    let kafka = #"{ "id": "a", "kafka": { "service": "samples", "command": "create" } }"#
    try write("fine", #"{ "id": "a", "delay": { "for": "1s" } }"#)
    try write("needy", kafka)
    try write("wrong", kafka + #", { "id": "a", "delay": { "for": "1s" } }"#)

    let engine = try await SagaProcess.listening(
      ["serve", "--store", "memory", "--port", "0", "--workflows", folder.path], in: site.folder)
    let said = engine.said.split(separator: "\n")
    #expect(said.filter { $0.contains("needy") } == ["needy.json needs Kafka: not registered without --kafka"])
    #expect(said.contains { $0.contains("wrong.json was not registered") })
    #expect(said.filter { $0.contains("workflow.invalid") }.count == 1, "\(said)")
    #expect(said.contains("Registered fine v1"))
    #expect(await engine.stop() == 0)
    await site.close()
  }
}
