import Foundation
import JSON
import TestSupport
import Testing
import Values

@Suite("An engine with a schema registry", .serialized, .timeLimit(.minutes(15)), .inTurn)
struct RegistryTests {
  @Test(
    "The engine waits for the registry, then frames every stored event with the registered id")
  func framed() async throws {
    let registry = StandInRegistry()
    try registry.start()
    let url = registry.url
    await registry.stop()
    let site = try await KafkaSite(workflow: GracefulStopTests.workflow)
    let engine = try await site.startEngine("--schema-registry", url)

    // 1. Sagas don't wait for it; the echo does.
    for number in 0..<3 {
      let answer = try await site.call(
        "POST", "\(engine.url)/v1/workflows/instant/sagas", body: ["input": ["number": .int(number)]])
      #expect(answer.status == 201)
    }
    try await site.until("all complete without a registry", engine, of: "completed") { $0 == 3 }
    try await site.until("the echo says what it waits for", engine, "/v1/echo") { answer in
      answer.body["state"] == "held" && answer.body["problem"]?["code"] == "schema.registryUnavailable"
    }
    #expect(try await site.call("GET", "\(engine.url)/v1/echo").body["delivered"] == 0)
    let ready = try await site.call("GET", "\(engine.url)/readyz")
    #expect(ready.status == 200 && ready.body["status"] == "degraded")
    #expect(ready.body["reasons"]?[0]?["code"] == "echo.held")

    // 2. It comes up.
    try registry.start()
    let events = try await site.caughtUp(engine)
    try await site.until("the engine is not degraded any more", engine, "/readyz") { $0.body["status"] == "ready" }
    let id = try #require(registry.versions(of: "\(site.topic("events"))-value").last)

    // 3. What kcat reads is what the store holds.
    let reader = try KcatReader(topic: site.topic("events"), brokers: site.broker.brokers)
    var read: [String: JSON] = [:]
    for await line in reader.lines {
      let bytes = Array(line.value.utf8)
      #expect(bytes.prefix(5) == [0, 0, 0, 0, UInt8(id)])
      read[line.headers["ce_id"] ?? ""] = try JSON(parsing: Array(bytes.dropFirst(5)))
      if read.count == events { break }
    }
    reader.stop()
    var stored = 0
    for saga in try await site.call("GET", "\(engine.url)/v1/sagas").body["sagas"]?.arrayValue ?? [] {
      let id = saga["id"]?.stringValue ?? ""
      for event in try await site.call("GET", "\(engine.url)/v1/sagas/\(id)/events").body["events"]?.arrayValue ?? [] {
        stored += 1
        #expect(read["\(id)/\(event["version"]?.intValue ?? 0)"] == event["data"])
      }
    }
    #expect(stored == events && stored > 0)
    #expect(await engine.stop() == 0)
    await registry.stop()
    await site.close()
  }
}
