import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

/// The program itself, with a patient's name in the input that a participant repeats.
@Suite("Sensitive fields, in the program", .timeLimit(.minutes(15)), .inTurn)
struct SensitiveTests {
  private static let (name, spelt) = ("Nora Sensitive 1987", "Nora%20Sensitive%201987")

  private static let workflow = #"""
    {"name": "consent", "version": 1, "title": "Case ${input.code}",
     "inputSchema": {"properties": {"patient": {"type": "string", "sensitive": true}, "code": {}}},
     "steps": [
       {"id": "register", "http": {"service": "lims", "method": "PUT", "path": "/register",
         "body": {"who": "${input.patient}"}}, "compensation": "none"},
       {"id": "word", "signal": {"name": "go", "schema": {"properties": {"doctor": {"sensitive": true}}}}},
       {"id": "report", "http": {"service": "lims", "method": "PUT", "path": "/report",
         "body": {"who": "${input.patient}", "by": "${steps.word.output.doctor}"}},
         "retry": {"maxAttempts": 3, "initialInterval": "100ms"}, "compensation": "none"}]}
    """#

  /// Answers with what it got. The report fails once, with the name in its error.
  private static func participant(_ calls: Told<HTTPServerRequest>) -> HTTPServer {
    HTTPServer(environment: .system) { request in
      let isFirstReport = request.path == "/report" && !calls.all.contains { $0.path == "/report" }
      calls.add(request)
      let said = "no bed for \(name), see /beds?of=\(spelt)"
      let body: JSON = ["code": "FULL", "detail": .string(said), "who": .string(name), "note": .string("a \(name) b")]
      return HTTPServerResponse(
        status: isFirstReport ? 503 : 200, headers: ["Content-Type": "application/json"], body: .bytes(body.bytes()))
    }
  }

  @Test("Only the participant gets the name; after a kill the saga goes on; forgotten, it still verifies")
  func nowhere() async throws {
    let site = try await Site(.sqlite)
    let calls = Told<HTTPServerRequest>()
    let participant = Self.participant(calls)
    let port = try participant.start()
    let flows = site.folder.appendingPathComponent("flows")
    try FileManager.default.createDirectory(at: flows, withIntermediateDirectories: true)
    try Data(Self.workflow.utf8).write(to: flows.appendingPathComponent("consent.json"))
    let keys = site.folder.appendingPathComponent("seal-keys.json").path
    let made = try TestProcess(
      TestProgram.path("saga"), ["seal-key", "create", "--seal-keys", keys], in: site.folder)
    #expect(await made.status() == 0)
    let arguments = [
      "serve", "--store", site.engineStore, "--port", "0", "--workflows", flows.path, "--service",
      "lims=http://127.0.0.1:\(port)", "--log-level", "debug",
    ]

    // 1. Without keys nothing starts, and nothing is stored.
    var engine = try await SagaProcess.listening(arguments, in: site.folder)
    let input: JSON = ["patient": .string(Self.name), "code": "C-7"]
    func start(_ input: JSON) async throws -> (status: Int, body: JSON) {
      let response = try await site.client.send(
        HTTPClientRequest(
          method: "POST", url: "\(engine.url)/v1/workflows/consent/sagas",
          headers: ["Content-Type": "application/json", "Idempotency-Key": "ORD-1"],
          body: (["input": input] as JSON).bytes()))
      return (response.status, try JSON(parsing: response.body))
    }
    let refused = try await start(input)
    #expect(refused.status == 409 && refused.body["code"] == "seal.keysMissing")
    #expect(await engine.stop() == 0)
    var said = engine.said

    // 2. A kill in the middle, and the rest.
    engine = try await SagaProcess.listening(arguments + ["--seal-keys", keys], in: site.folder)
    let started = try await start(input)
    #expect(started.status == 201)
    let id = try #require(started.body["id"]?.stringValue)
    try await eventually("the saga waits for a word") {
      try await site.call("GET", "\(engine.url)/v1/sagas/\(id)").body["steps"]?[1]?["status"] == "waiting"
    }
    await engine.killNow()
    said += engine.said
    engine = try await SagaProcess.listening(arguments + ["--seal-keys", keys], in: site.folder)
    _ = try await site.call(
      "POST", "\(engine.url)/v1/sagas/\(id)/signals/go", body: ["doctor": "Dr. Nora Sensitive 1987"])
    try await eventually("the saga is completed") {
      try await site.call("GET", "\(engine.url)/v1/sagas/\(id)").body["status"] == "completed"
    }
    let bodies = calls.all.map { String(decoding: $0.body, as: UTF8.self) }
    #expect(bodies.count == 3 && bodies.allSatisfy { $0.contains(Self.name) })
    #expect(bodies.last?.contains("Dr. Nora Sensitive 1987") == true)

    // 3. The same start again is the same saga, and another one is refused.
    #expect(try await start(input).status == 200)
    let other = try await start(["patient": "Olga", "code": "C-7"])
    #expect(other.status == 409 && other.body["code"] == "saga.startKeyReused")

    // 4. The name is nowhere.
    try await expectNowhere(site, engine, id, said, keys)
    let shown = try await site.call("GET", "\(engine.url)/v1/sagas/\(id)").body
    #expect(shown["input"]?["patient"] == "•••" && shown["title"] == "Case C-7")
    let document = Array(
      try await site.client.send(HTTPClientRequest(url: "\(engine.url)/v1/sagas/\(id)/document")).body)
    #expect(
      document.firstRange(of: Array("•••".utf8)) != nil && document.firstRange(of: Array("sealed:1:".utf8)) == nil)

    // 5. Forgotten.
    let forgotten = try await site.call(
      "POST", "\(engine.url)/v1/sagas/\(id)/forget", body: ["reason": "consent withdrawn, form 118"])
    #expect(forgotten.body["forgotten"]?["reason"] == "consent withdrawn, form 118")
    let verified = try await site.call("POST", "\(engine.url)/v1/audit/verify", body: [:]).body
    #expect(verified["intact"] == true)
    #expect(try await start(input).body["code"] == "saga.forgotten")
    try await expectNowhere(site, engine, id, said, keys)
    #expect(await engine.stop() == 0)

    // 6. A restart reads it, and builds the lists again.
    engine = try await SagaProcess.listening(
      arguments + ["--seal-keys", keys, "--read-store", "memory"], in: site.folder)
    #expect(
      try await site.call("GET", "\(engine.url)/v1/sagas/\(id)").body["forgotten"]?["by"] != nil)
    #expect(await engine.stop() == 0)
    await participant.shutdown(drain: .seconds(1))
    await site.close()
  }

  /// Looks for the name in every answer, in what the program has printed, and in every file.
  private func expectNowhere(
    _ site: Site, _ engine: SagaProcess, _ id: String, _ said: String, _ keys: String
  ) async throws {
    let paths = [
      "/v1/sagas/\(id)", "/v1/sagas/\(id)/calls", "/v1/sagas/\(id)/events", "/v1/sagas/\(id)/timeline",
      "/v1/sagas/\(id)/document", "/v1/sagas", "/v1/stats", "/metrics", "/v1/audit", "/v1/incidents", "/v1/tasks",
      "/v1/workflows/consent",
    ]
    var texts: [(name: String, bytes: [UInt8])] = [("the log", Array((said + engine.said).utf8))]
    for path in paths {
      texts.append((path, try await site.client.send(HTTPClientRequest(url: "\(engine.url)\(path)")).body))
    }
    let files = try #require(FileManager.default.enumerator(at: site.folder, includingPropertiesForKeys: nil))
    for case let file as URL in files {
      guard let content = try? Data(contentsOf: file) else { continue }
      texts.append((file.lastPathComponent, [UInt8](content)))
    }
    #expect(texts.contains { $0.name.hasPrefix("engine.db") })
    let key = try #require(
      try JSON(parsing: [UInt8](Data(contentsOf: URL(fileURLWithPath: keys))))["keys"]?[0]?["key"]?.stringValue)
    for (name, bytes) in texts {
      #expect(bytes.firstRange(of: "Nora".utf8) == nil && bytes.firstRange(of: "Sensitive".utf8) == nil, "\(name)")
      if name != "seal-keys.json" { #expect(bytes.firstRange(of: Array(key.utf8)) == nil, "\(name) has the seal key") }
    }
  }
}
