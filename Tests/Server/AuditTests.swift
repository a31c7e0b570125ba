import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct AuditTests {
  private static let moment = Timestamp("2026-03-01T08:15:30.000Z") ?? Timestamp(milliseconds: 0)

  private static func act(_ number: Int, by actor: String, verb: String = "retry") -> AuditEntry {
    let saga = UniqueID(high: 0x019C_8A5E_7B1C_7D2E, low: 0x8F3A_0123_4567_8900 + UInt64(number))
    return AuditEntry(
      id: "\(saga)/\(number)", at: moment + .seconds(number), actor: actor, kind: .verb, verb: verb, saga: saga,
      version: number, workflow: "spec", step: "store", reason: "the freezer is back", from: "rest",
      before: .init(saga: "stuck", step: "failed"), after: .init(saga: "running", step: "running"))
  }

  @Test(arguments: Depth.allCases) func whatPeopleDidComesInPages(at depth: Depth) async throws {
    let engine = FakeEngine()
    for number in 1...5 { engine.note(Self.act(number, by: number == 3 ? "bert" : "anna")) }
    try await TestAPI.run(depth, engine: engine) { api in
      var met: [JSON] = []
      var cursor = ""
      repeat {
        let page = try await api.get("/v1/audit?by=anna&limit=3" + cursor)
        #expect(page.status == 200)
        met += page.json["acts"]?.arrayValue ?? []
        cursor = page.json["next"]?.stringValue.map { "&cursor=\($0)" } ?? ""
      } while !cursor.isEmpty
      #expect(met.map { $0["version"]?.intValue } == [1, 2, 4, 5])
      #expect(
        met[0] == [
          "at": "2026-03-01T08:15:31.000Z", "by": "anna", "actor": "anna", "kind": "verb", "verb": "retry",
          "saga": "019c8a5e-7b1c-7d2e-8f3a-012345678901", "version": 1, "workflow": "spec", "step": "store",
          "reason": "the freezer is back", "from": "rest", "before": ["saga": "stuck", "step": "failed"],
          "after": ["saga": "running", "step": "running"],
        ])
      let newest = try await api.get("/v1/audit?by=anna&sort=-at&limit=3")
      #expect(newest.json["acts"]?.arrayValue?.map { $0["version"]?.intValue } == [5, 4, 2])
      let next = try #require(newest.json["next"]?.stringValue)
      let rest = try await api.get("/v1/audit?by=anna&sort=-at&cursor=\(next)")
      #expect(rest.json["acts"]?.arrayValue?.map { $0["version"]?.intValue } == [1])
      // A cursor belongs to one order.
      #expect(try await api.get("/v1/audit?by=anna&cursor=\(next)").code == ServerErrorCode.cursorMalformed)
      let between = try await api.get("/v1/audit?from=2026-03-01T08:15:32Z&to=2026-03-01T08:15:34Z")
      #expect(between.json["acts"]?.arrayValue?.count == 2)
      let one = try await api.get("/v1/audit?saga=019c8a5e-7b1c-7d2e-8f3a-012345678903&verb=retry")
      #expect(one.json["acts"]?.arrayValue?.count == 1)
      let older = try await api.get("/v1/audit?actor=anna")
      #expect(older.json == (try await api.get("/v1/audit?by=anna")).json)
      #expect(older.json["acts"]?.arrayValue?.count == 4)
      #expect(try await api.get("/v1/audit?by=bert&actor=bert").json["acts"]?.arrayValue?.count == 1)
    }
  }

  @Test(
    arguments: [
      ("saga=x", ServerErrorCode.parameterInvalid), ("from=yesterday", ServerErrorCode.parameterInvalid),
      ("by=anna&actor=bert", ServerErrorCode.parameterInvalid), ("sort=by", ServerErrorCode.parameterInvalid),
      ("cursor=abc", ServerErrorCode.cursorMalformed),
      ("who=anna", ServerErrorCode.parameterUnknown),
    ]) func whatCannotBeMeantIsRefused(_ query: String, _ code: String) async throws
  {
    try await TestAPI.run { api in
      let answer = try await api.get("/v1/audit?\(query)")
      #expect(answer.status == 400)
      #expect(answer.code == code)
    }
  }

  @Test func aHeadIsComparedWhenItsSignatureHolds() async throws {
    let key = try #require(SigningKey.generate())
    let other = try #require(SigningKey.generate())
    let pem = String(decoding: key.publicKey.pem ?? [], as: UTF8.self)
    let otherPEM = String(decoding: other.publicKey.pem ?? [], as: UTF8.self)
    try await TestAPI.run { api in
      let shown = try await api.get("/v1/audit/head")
      #expect(shown.status == 200)
      let head = try AuditHead(shown.json)
      #expect(head.signature == nil)
      let plain = try await api.post("/v1/audit/verify", [:])
      #expect(plain.json["intact"] == true)
      #expect(plain.json["comparedWith"] == nil)
      let signed = try #require(head.signed(with: key))
      let compared = try await api.post(
        "/v1/audit/verify", ["head": signed.json, "publicKey": .string(pem)])
      #expect(compared.json["comparedWith"] == .string(head.at.description))

      func code(_ head: JSON, _ pem: String) async throws -> String? {
        try await api.post("/v1/audit/verify", ["head": head, "publicKey": .string(pem)]).code
      }
      #expect(try await code(head.json, pem) == AuditErrorCode.headUnsigned)
      #expect(try await code(signed.json, otherPEM) == AuditErrorCode.otherKey)
      #expect(try await code(["store": "x"], pem) == AuditErrorCode.headUnreadable)
      #expect(try await code(signed.json, "no key") == ServerErrorCode.memberInvalid)
      let forged = AuditHead(
        store: head.store, at: head.at + .seconds(1), shards: head.shards, signature: signed.signature)
      #expect(try await code(forged.json, pem) == AuditErrorCode.signatureWrong)
      let foreign = try #require(
        AuditHead(store: .derived(from: "another"), at: head.at, shards: head.shards).signed(with: key))
      #expect(try await code(foreign.json, pem) == AuditErrorCode.otherStore)
      let keyless = try await api.post("/v1/audit/verify", ["head": signed.json])
      #expect(keyless.code == ServerErrorCode.memberMissing)
    }
  }

  @Test func theEngineItselfTellsAndWalks() async throws {
    try await LiveEngine.run { api, engine in
      try await LiveEngine.register(Samples.storage, api)
      _ = try await api.post("/v1/workflows/store-sample/sagas", ["input": Samples.input])
      try await engine.waitUntilAudited()
      let acts = try await api.get("/v1/audit").json["acts"]?.arrayValue ?? []
      #expect(acts.map { $0["verb"]?.stringValue } == ["register", "start"])
      #expect(try await api.post("/v1/audit/verify", [:]).json["intact"] == true)
    }
  }
}
