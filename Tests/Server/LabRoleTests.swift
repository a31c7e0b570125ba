import HTTP
import JSON
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// Signals that a workflow takes only from people with a role in the laboratory.
@Suite("Laboratory roles over REST", .timeLimit(.minutes(15)), .inTurn)
struct LabRoleTests {
  private let engine = FakeEngine()
  private let ring: KeyRing

  init() throws { ring = try KeyRing(engine.environment) }

  private static let workflow = """
    {"name": "release", "version": 1, "steps": [
      {"id": "sign", "signal": {"name": "signed", "roles": ["qa", "lead"]}, "compensation": "none"}]}
    """

  private func run(log: Log = .silent, _ body: (TestAPI) async throws -> Void) async throws {
    try await TestAPI.run(engine: engine, authenticator: try ring.authenticator(log: log), log: log, body)
  }

  @Test("A signal needs a laboratory role, also from an admin; the answer names what is missing")
  func roles() async throws {
    let admin = try ring.add("root", "admin").text
    let night = try ring.add("ben", "operator", labRoles: ["night"]).text
    let qa = try ring.add("mia", "starter:release", labRoles: ["qa"]).text
    let viewer = try ring.add("vera", "viewer", labRoles: ["qa"]).text
    try engine.register(Self.workflow)
    let id = try engine.start("release")
    try await run { api in
      let path = "/v1/sagas/\(id)/signals/signed"
      for (key, has) in [(admin, "root has none."), (night, "ben has “night”.")] {
        let refused = try await api.post(path, ["ok": true], key: key)
        #expect(refused.status == 403 && refused.code == EngineErrorCode.signalRoleMissing)
        let detail = try #require(refused.json["detail"]?.stringValue)
        #expect(detail.contains("sign takes it from “qa” or “lead”") && detail.hasSuffix(has), "\(detail)")
      }
      // A laboratory role gives no permission at the engine.
      #expect(try await api.post(path, [:], key: viewer).code == ServerErrorCode.roleMissing)
      let events = try await api.get("/v1/sagas/\(id)/events", key: admin).json["events"]?.arrayValue ?? []
      #expect(events.allSatisfy { $0["type"]?.stringValue?.hasPrefix("signal") == false }, "refusals change nothing")
      let metrics = String(decoding: try await api.get("/metrics", key: admin).bytes, as: UTF8.self)
      #expect(metrics.contains(#"tracseq_access_refused_total{code="signal.roleMissing"} 2"#))
      #expect(try await api.get("/v1/me", key: qa).json["labRoles"] == ["qa"])
      #expect(try await api.get("/v1/me", key: admin).json["labRoles"] == nil)
      let taken = try await api.post(path, ["ok": true], key: qa)
      #expect(taken.status == 200 && taken.json["answer"] == "taken", "\(taken.json.text())")
    }
  }

  @Test("An engine without keys takes the signal from anyone")
  func withoutKeys() async throws {
    try engine.register(Self.workflow)
    let id = try engine.start("release")
    try await TestAPI.run(engine: engine) { api in
      let taken = try await api.post("/v1/sagas/\(id)/signals/signed", ["ok": true])
      #expect(taken.status == 200)
    }
  }

  @Test(
    "A rule of the provider's settings gives a laboratory role",
    arguments: [
      (#""labRole": "qa""#, true), (#""labRole": """#, false), (#""labRole": "qa", "role": "viewer""#, false),
    ])
  func rules(gift: String, isRule: Bool) {
    let text = """
      {"issuer": "https://login.lab.example", "audience": "saga",
       "roles": [{"claim": "groups", "value": "quality", \(gift)}]}
      """
    let settings = try? OIDCSettings(parsing: Array(text.utf8), of: "oidc.json")
    #expect((settings != nil) == isRule)
    if isRule { #expect(settings?.rules.map(\.gives) == [.labRole("qa")]) }
  }

  @Test("A changed file of keys is logged with the ids that it adds, revokes and removes, and with no secret")
  func log() async throws {
    let first = try ring.add("anna", "viewer")
    let lines = Told<String>()
    let log = Log { level, message, values in
      guard level == .warning else { return }
      lines.add([message + values.map { " \($0.0)=\($0.1)" }.joined()])
    }
    try await run(log: log) { api in
      #expect(try await api.get("/v1/stats", key: first.text).status == 200)
      #expect(lines.all == [])
      let second = try ring.add("ben", "admin")
      #expect(try await api.get("/v1/stats", key: second.text).status == 200)
      try ring.revoke(first.id)
      #expect(try await api.get("/v1/stats", key: first.text).code == ServerErrorCode.keyRevoked)
      try ring.write(KeyList(keys: ring.list.keys.filter { $0.id == second.id }).bytes)
      #expect(try await api.get("/v1/stats", key: second.text).status == 200)
      let begins = "The file of keys has changed and counts from now on"
      #expect(
        lines.all == [
          "\(begins) added=\(second.id) revoked=none removed=none changed=none",
          "\(begins) added=none revoked=\(first.id) removed=none changed=none",
          "\(begins) added=none revoked=none removed=\(first.id) changed=none",
        ])
      #expect(!lines.all.joined().contains(second.text.suffix(64)))
    }
  }
}
