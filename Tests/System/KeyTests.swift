import Foundation
import JSON
import TestSupport
import Testing

/// The real program asks its callers for keys.
@Suite("Keys of callers", .timeLimit(.minutes(15)), .inTurn)
struct KeyTests {
  /// Runs a command to its end.
  private func saga(
    _ site: Site, _ words: String..., variables: [String: String] = [:]
  ) async throws -> (status: Int32, text: String) {
    let result = try await TestProcess.run(
      TestProgram.path("saga"), words, in: site.folder, variables: variables)
    return (result.status, String(decoding: result.bytes, as: UTF8.self))
  }

  /// Creates a key and returns its text.
  private func create(_ site: Site, _ name: String, _ role: String, _ more: [String] = []) async throws -> String {
    let result = try await TestProcess.run(
      TestProgram.path("saga"), ["key", "create", "--keys", "keys.json", "--name", name, "--role", role] + more,
      in: site.folder)
    let text = String(decoding: result.bytes, as: UTF8.self)
    #expect(result.status == 0, "\(text)")
    return String(try #require(text.split(separator: "\n").last))
  }

  @Test("Where other machines can connect, an engine without keys does not start, and says what to do")
  func otherMachines() async throws {
    let site = try await Site(.sqlite)
    let refused = try await saga(site, "serve", "--store", "memory", "--port", "0", "--host", "0.0.0.0")
    #expect(refused.status == 1 && refused.text.contains("cli.insecure") && refused.text.contains("--keys FILE"))
    let missing = try await saga(
      site, "serve", "--store", "memory", "--port", "0", "--host", "0.0.0.0", "--keys", "none.json")
    #expect(missing.status == 1 && missing.text.contains("access.keysUnreadable"))
    await site.close()
  }

  @Test("Keys are created, used, rotated and revoked while the engine runs, and no secret is written anywhere")
  func life() async throws {
    let site = try await Site(.sqlite)
    let old = try await create(site, "anna", "admin")
    let engine = try await SagaProcess.listening(
      ["serve", "--store", site.engineStore, "--port", "0", "--keys", "keys.json", "--log-level", "debug"],
      in: site.folder)
    try await eventually("it says so") { engine.said.contains("access     with a key") }
    let list = ["list", "--server", engine.url]

    let without = try await TestProcess.run(TestProgram.path("saga"), list, in: site.folder)
    #expect(without.status == 1)
    #expect(String(decoding: without.bytes, as: UTF8.self).contains("access.keyMissing"))
    func status(_ key: String) async throws -> Int32 {
      try await TestProcess.run(TestProgram.path("saga"), list, in: site.folder, variables: ["SAGA_KEY": key]).status
    }
    #expect(try await status(old) == 0)
    #expect(try await status("tsk_x") == 1)

    let new = try await create(site, "anna", "admin")
    #expect(try await status(old) == 0)
    #expect(try await status(new) == 0)
    let id = String(old.split(separator: "_")[1])
    #expect(try await saga(site, "key", "revoke", "--keys", "keys.json", id).status == 0)
    #expect(try await status(old) == 1)
    #expect(try await status(new) == 0)

    // An act, so that the store has something to say of the key.
    let workflow = site.folder.appendingPathComponent("w.json")
    try Data(#"{"name": "w", "version": 1, "timeout": "2h", "steps": [{"id": "a", "delay": {"for": "1h"}}]}"#.utf8)
      .write(to: workflow)
    let registered = try await saga(
      site, "workflows", "register", "w.json", "--server", engine.url, variables: ["SAGA_KEY": new, "USER": "root"])
    #expect(registered.status == 0, "\(registered.text)")
    let audit = try await site.call(
      "GET", "\(engine.url)/v1/audit", headers: ["Authorization": "Bearer \(new)"])
    let act = try #require(audit.body["acts"]?.arrayValue?.last)
    #expect(act["by"] == "anna")
    #expect(act["from"]?.stringValue?.hasSuffix(" key \(new.split(separator: "_")[1])") == true)

    #expect(await engine.stop() == 0)
    for secret in [old.suffix(64), new.suffix(64)] {
      #expect(!engine.said.contains(secret))
      for name in try FileManager.default.subpathsOfDirectory(atPath: site.folder.path) {
        guard let bytes = FileManager.default.contents(atPath: site.folder.appendingPathComponent(name).path) else {
          continue
        }
        #expect(bytes.range(of: Data(secret.utf8)) == nil, "\(name)")
      }
    }
    await site.close()
  }

  @Test("The laboratory takes tasks from an engine with keys when it has a worker's key")
  func laboratory() async throws {
    let site = try await Site(.sqlite)
    let (admin, worker) = (try await create(site, "anna", "admin"), try await create(site, "lab", "worker"))
    let engine = try await SagaProcess.listening(
      ["serve", "--store", "memory", "--port", "0", "--keys", "keys.json"], in: site.folder)
    let file = site.folder.appendingPathComponent("lab.key")
    try Data(worker.utf8).write(to: file)
    let lab = try await site.startLab("--engine", engine.url, "--key-file", file.path)
    try await eventually("the laboratory has asked for tasks") {
      let tasks = try await site.call("GET", "\(engine.url)/v1/tasks", headers: ["Authorization": "Bearer \(admin)"])
      return tasks.body["queues"]?.arrayValue?.contains { $0["queue"] == "laboratory.storage" } ?? false
    }
    #expect(await lab.stop() == 0)
    #expect(await engine.stop() == 0)
    await site.close()
  }

  @Test("A loopback engine without keys says that no sign-in is needed, and refuses pages of others")
  func loopback() async throws {
    let site = try await Site(.sqlite)
    let engine = try await SagaProcess.listening(["serve", "--store", "memory", "--port", "0"], in: site.folder)
    try await eventually("it says so") { engine.said.contains("no sign-in is needed") }
    let stats = "\(engine.url)/v1/stats"
    #expect(try await site.call("GET", stats).status == 200)
    // A name that leads to this machine, and a page of another origin.
    #expect(try await site.call("GET", stats, headers: ["Host": "evil.example"]).status == 421)
    for (method, url) in [("GET", stats), ("POST", "\(engine.url)/v1/projections/rebuild")] {
      let answer = try await site.call(
        method, url, body: method == "POST" ? [:] : nil, headers: ["Origin": "http://evil.example"])
      #expect(answer.status == 403 && answer.body["code"] == "http.crossSite")
    }
    #expect(await engine.stop() == 0)
    await site.close()
  }
}
