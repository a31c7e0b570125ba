import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

/// The program itself, from its command line to the receiver.
@Suite("Being told", .timeLimit(.minutes(15)), .inTurn)
struct NoticeTests {
  private static let secret = "whsec_" + Data(repeating: 7, count: 32).base64EncodedString()

  @Test("A notice of a stuck saga arrives, although the receiver was down at first and the engine was killed")
  func toldOverARestart() async throws {
    let site = try await Site(.sqlite)
    let posts = Told<HTTPServerRequest>()
    let isUp = Told<Bool>()
    let receiver = HTTPServer(environment: .system) { request in
      if isUp.all.isEmpty { return HTTPServerResponse(status: 503) }
      posts.add(request)
      return HTTPServerResponse(status: 204)
    }
    let port = try receiver.start()
    // A pivot whose service does not exist: its outcome is unknown.
    let flows = site.folder.appendingPathComponent("flows")
    try FileManager.default.createDirectory(at: flows, withIntermediateDirectories: true)
    let workflow = #"""
      {"name": "sticky", "version": 1, "steps": [
        {"id": "go", "pivot": true, "retry": {"maxAttempts": 1}, "timeout": "1s",
         "http": {"service": "busy", "method": "PUT", "path": "/x"}}]}
      """#
    try Data(workflow.utf8).write(to: flows.appendingPathComponent("sticky.json"))
    let secretFile = site.folder.appendingPathComponent("secret")
    try Data(Self.secret.utf8).write(to: secretFile)
    let webhooks = site.folder.appendingPathComponent("webhooks.json")
    let entry: JSON = [
      [
        "name": "pager", "url": .string("http://127.0.0.1:\(port)/hook?token=hidden"),
        "secretFile": .string(secretFile.path),
      ]
    ]
    try Data(entry.bytes()).write(to: webhooks)
    let words = [
      "serve", "--store", site.engineStore, "--port", "0", "--workflows", flows.path, "--webhooks", webhooks.path,
      "--service", "busy=http://127.0.0.1:\(port)",
    ]

    let first = try await SagaProcess.listening(words, in: site.folder)
    let started = try await site.client.send(
      HTTPClientRequest(
        method: "POST", url: "\(first.url)/v1/workflows/sticky/sagas", headers: ["Content-Type": "application/json"],
        body: (["input": [:]] as JSON).bytes()))
    let id = try #require(try JSON(parsing: started.body)["id"]?.stringValue)
    func status(_ engine: SagaProcess) async throws -> JSON {
      let answer = try await site.client.send(HTTPClientRequest(url: "\(engine.url)/v1/notices"))
      return try JSON(parsing: answer.body)["destinations"]?[0] ?? .null
    }
    try await eventually("a delivery has failed") { try await status(first)["failures"]?.intValue ?? 0 > 0 }
    #expect(try await status(first)["state"] == "failing")
    // Without a farewell.
    await first.killNow()
    isUp.add(true)

    let second = try await SagaProcess.listening(words, in: site.folder)
    let post = await posts.wait(for: 1)[0]
    #expect(post.headers["webhook-signature"]?.hasPrefix("v1,") == true)
    let notice = try JSON(parsing: post.body)
    #expect(notice["type"] == "saga.stuck" && notice["data"]?["saga"] == .string(id))
    #expect(post.headers["webhook-id"].map(JSON.string) == notice["data"]?["id"])
    try await eventually("the notice is delivered") { try await status(second)["delivered"] == 1 }
    try await eventually("the log names the webhook") { second.said.contains("webhook") }
    let said = second.said
    #expect(said.contains("pager, http://127.0.0.1:\(port)") && !said.contains("hook?"), "\(said)")
    #expect(!said.contains("hidden") && !said.contains(Self.secret) && !first.said.contains("hidden"))
    #expect(await second.stop() == 0)
    // The first engine may have sent the notice too, just before it was killed. Each notice has one id, by which the
    // receiver recognises a repeat.
    #expect(Set(posts.all.map { $0.headers["webhook-id"] }).count == 1)
    await receiver.shutdown(drain: .seconds(1))
    await site.close()
  }
}
