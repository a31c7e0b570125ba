import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

/// The program itself, with a service whose secrets are planted, and which repeats them in each answer.
@Suite("Secrets of services", .timeLimit(.minutes(15)), .inTurn)
struct ServiceSecretTests {
  private static let (key, clientSecret) = ("planted-api-key-4711", "planted-client-secret-4712")
  private static let token = "planted-token-4713"

  @Test("A service gets its key and its token, and no store, log, answer, metric or page has them")
  func nowhere() async throws {
    let site = try await Site(.sqlite)
    let calls = Told<HTTPServerRequest>()
    let participant = HTTPServer(environment: .system) { request in
      if request.path == "/token" { return .text(#"{"access_token": "\#(Self.token)", "expires_in": 600}"#) }
      calls.add(request)
      let lines = ["X-Api-Key", "Authorization"].map { "\($0): \(request.headers[$0] ?? "")" }
      let body: JSON = ["code": "ECHO", "detail": .string(lines.joined(separator: "; ")), "got": .string(lines[1])]
      return HTTPServerResponse(
        status: request.path == "/fails" ? 422 : 200, headers: ["Content-Type": "application/json"],
        body: .bytes(body.bytes()))
    }
    let port = try participant.start()
    let flows = site.folder.appendingPathComponent("flows")
    try FileManager.default.createDirectory(at: flows, withIntermediateDirectories: true)
    func write(_ name: String, _ text: String) throws -> String {
      let file = site.folder.appendingPathComponent(name)
      try Data(text.utf8).write(to: file)
      return file.path
    }
    _ = try write(
      "flows/echo.json",
      #"""
      {"name": "echo", "version": 1, "steps": [
        {"id": "works", "http": {"service": "lims", "method": "PUT", "path": "/works"},
         "compensation": {"http": {"service": "lims", "method": "DELETE", "path": "/works"}}},
        {"id": "fails", "http": {"service": "lims", "method": "PUT", "path": "/fails",
          "headers": {"X-Api-Key": "of the workflow"}}}]}
      """#)
    let secretFile = try write("client.secret", Self.clientSecret + "\n")
    let services = try write(
      "services.json",
      #"""
      {"lims": {"url": "http://127.0.0.1:\#(port)", "headers": {"X-Api-Key": "env:LIMS_KEY"}, "oauth2": {
        "tokenUrl": "http://127.0.0.1:\#(port)/token", "clientId": "saga", "clientSecret": "file:\#(secretFile)"}}}
      """#)
    let engine = try await SagaProcess.listening(
      [
        "serve", "--store", site.engineStore, "--port", "0", "--workflows", flows.path, "--services", services,
        "--log-level", "debug",
      ], in: site.folder, variables: ["LIMS_KEY": Self.key])
    let started = try await site.call(
      "POST", "\(engine.url)/v1/workflows/echo/sagas?wait=30s", body: ["input": [:]])
    let id = try #require(started.body["id"]?.stringValue)
    try await eventually("the saga is compensated") {
      try await site.call("GET", "\(engine.url)/v1/sagas/\(id)").body["status"] == "compensated"
    }
    #expect(calls.all.count == 3, "two steps, and the compensation of the first")
    for call in calls.all {
      #expect(call.headers.all("X-Api-Key") == [Self.key] && call.headers["Authorization"] == "Bearer \(Self.token)")
    }

    let paths = [
      "/v1/sagas/\(id)", "/v1/sagas/\(id)/calls", "/v1/sagas/\(id)/events", "/v1/sagas/\(id)/timeline", "/v1/sagas",
      "/v1/stats", "/metrics", "/v1/workflows", "/v1/workflows/echo", "/", "/v1/status",
    ]
    var texts: [(name: String, bytes: [UInt8])] = []
    for path in paths {
      texts.append((path, try await site.client.send(HTTPClientRequest(url: "\(engine.url)\(path)")).body))
    }
    #expect(String(decoding: texts[1].bytes, as: UTF8.self).contains("***"), "the answers were recorded, masked")
    #expect(await engine.stop() == 0)
    texts.append(("the log", Array(engine.said.utf8)))
    let files = try #require(FileManager.default.enumerator(at: site.folder, includingPropertiesForKeys: nil))
    for case let file as URL in files {
      guard file.path != secretFile, let content = try? Data(contentsOf: file) else { continue }
      texts.append((file.lastPathComponent, [UInt8](content)))
    }
    #expect(texts.contains { $0.name.hasPrefix("engine.db") })
    for (name, bytes) in texts {
      #expect(bytes.firstRange(of: "planted-".utf8) == nil, "\(name) has a secret")
    }
    await participant.shutdown(drain: .seconds(1))
    await site.close()
  }
}
