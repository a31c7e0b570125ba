import Foundation
import JSON
import TestSupport
import Testing

/// The README's workflow with a task, a turn and children, on the engine and the services file that the README shows.
@Suite("The README's plate", .timeLimit(.minutes(15)), .inTurn)
struct ReadmeWorkflowTests {
  /// The child that the README's workflow names.
  private static let well = """
    { "name": "one-well", "version": 1,
      "inputSchema": { "type": "object", "required": ["plate", "well"], "additionalProperties": false,
                       "properties": { "plate": { "type": "string" }, "well": { "type": "string" } } },
      "steps": [ { "id": "settle", "delay": { "for": "10ms" } } ] }
    """

  @Test("A worker does the task, two plates take turns at the reader, and each well is a saga of its own")
  func plate() async throws {
    let site = try await Site(.sqlite)
    let flows = site.folder.appendingPathComponent("flows")
    try FileManager.default.createDirectory(at: flows, withIntermediateDirectories: true)
    let blocks = try Repository.blocks("json", of: "README.md")
    let plate = try #require(blocks.first { $0.contains("\"measure-plate\"") })
    try Data(plate.utf8).write(to: flows.appendingPathComponent("measure-plate.json"))
    try Data(Self.well.utf8).write(to: flows.appendingPathComponent("one-well.json"))

    // 1. The laboratory writes its services, in the form that the README shows.
    let lab = try await site.startLab("--services-file", "services.json")
    let file = try Data(contentsOf: site.folder.appendingPathComponent("services.json"))
    let services = try JSON(parsing: Array(file))
    let shown = try JSON(parsing: try #require(blocks.first { $0.contains("\"freezer\"") }))
    #expect(services["samples"] == ["url": .string("\(lab.url)/samples"), "tombstones": true])
    #expect(shown["samples"]?["tombstones"] == true && shown["freezer"]?["url"] != nil)
    let engine = try await SagaProcess.listening(
      [
        "serve", "--store", site.engineStore, "--port", "0", "--workflows", flows.path, "--services", "services.json",
      ], in: site.folder)
    try await eventually("the engine names its services") {
      engine.said.contains("library-prep") && engine.said.contains("pooling")
    }

    // 2. The second plate waits for the turn of the first.
    let sagas = try await [
      LiveSaga.start("measure-plate", key: "p1", Self.input("P1"), site, engine),
      LiveSaga.start("measure-plate", key: "p2", Self.input("P2"), site, engine),
    ]
    for saga in sagas {
      let task = try await Self.task(site, engine)
      #expect(task["saga"]?.stringValue == saga.id, "\(task.text())")
      if saga.id == sagas[0].id { try await sagas[1].waits(at: "measure") }
      let done = try await site.call(
        "POST", "\(engine.url)/v1/tasks/\(try #require(task["id"]?.stringValue))/complete",
        body: ["lease": task["lease"] ?? .null, "output": [:]])
      #expect(done.status == 200, "\(done.body.text())")
    }

    // 3. Each well is a saga.
    for saga in sagas {
      try await saga.ends("completed")
      let items = try await site.call("GET", "\(saga.url)/steps/wells/items").body["items"]?.arrayValue
      #expect(items?.map { $0["status"]?.stringValue } == ["succeeded", "succeeded"])
    }
    try await eventually("each of the four wells is listed") {
      try await site.call("GET", "\(engine.url)/v1/sagas?workflow=one-well").body["sagas"]?.arrayValue?.count == 4
    }
    #expect(await engine.stop() == 0)
    #expect(await lab.stop() == 0)
    await site.close()
  }

  private static func input(_ plate: String) -> JSON {
    ["plate": .string(plate), "reader": "READER-1", "wells": ["A1", "A2"]]
  }

  /// Waits until a worker of the queue gets a task.
  private static func task(_ site: Site, _ engine: SagaProcess) async throws -> JSON {
    let polled = try await site.call(
      "POST", "\(engine.url)/v1/tasks/plate-reader/poll", body: ["worker": "driver", "wait": "60s"])
    return try #require(polled.body["tasks"]?[0], "\(polled.body.text())")
  }
}
