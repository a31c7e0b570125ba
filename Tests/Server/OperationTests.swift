import HTTP
import JSON
import Runtime
import SagaCore
import TestSupport
import Testing
import Values

@testable import Server
@testable import WorkflowEngine

/// A verb on many sagas, over REST.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct OperationTests {
  @Test func aPreviewThenExactlyThat() async throws {
    let engine = FakeEngine()
    let ids = try waiting(3, engine)
    try await TestAPI.run(engine: engine) { api in
      let asked: JSON = ["verb": "pause", "filter": ["workflow": "approval"], "dryRun": true]
      let preview = try await api.post("/v1/operations", asked)
      #expect(preview.status == 200)
      #expect(preview.json["sagas"] == 3 && preview.json["takes"] == 3 && preview.json["refuses"] == 0)
      #expect(Set((preview.json["items"]?.arrayValue ?? []).map { $0["saga"] }) == Set(ids.map { .string("\($0)") }))
      #expect(try await api.get("/v1/operations").json["operations"] == [])

      let begun = try await api.post(
        "/v1/operations",
        [
          "verb": "pause", "filter": ["workflow": "approval"], "selection": preview.json["selection"] ?? .null,
          "reason": "F2 is being defrosted", "rate": 1000,
        ], headers: ["Saga-User": "anna", "Saga-Client": "console"])
      #expect(begun.status == 202)
      let place = try #require(begun.headers["Location"])
      let shown = try await eventualValue("the operation is finished") {
        let now = try await api.get(place)
        if now.json["status"] == "finished" { return now }
        engine.clock.advance(by: .milliseconds(10))
        return nil
      }
      #expect(shown.json["done"] == 3 && shown.json["left"] == 0 && shown.json["refused"] == 0)
      #expect(shown.json["by"] == "anna" && shown.json["filter"] == ["workflow": "approval"])
      #expect(shown.json["standing"] == ["running": 3])
      let sagas = try await api.get("\(place)/sagas?outcome=done&limit=2")
      #expect(sagas.json["sagas"]?.arrayValue?.count == 2)
      let next = try #require(sagas.json["next"]?.stringValue)
      let rest = try await api.get("\(place)/sagas?outcome=done&limit=2&cursor=\(next)")
      #expect(rest.json["sagas"]?.arrayValue?.count == 1 && rest.json["next"] == nil)
      #expect(try await api.get("/v1/operations?status=finished").json["operations"]?.arrayValue?.count == 1)
      #expect(try await api.get("/v1/operations?status=stopped").json["operations"]?.arrayValue?.count == 0)
      let twice = try await api.get("/v1/operations?status=stopped&status=finished")
      #expect(twice.status == 400 && twice.code == "request.parameterInvalid")
      #expect(try await api.post("\(place)/stop", ["reason": "late"]).code == "operation.ended")
    }
  }

  @Test func thePreviewAndTheResultsNameTheSagas() async throws {
    let engine = FakeEngine()
    try engine.register(
      #"""
      {"name": "approval", "version": 1, "title": "Tube ${input.barcode}",
       "steps": [{"id": "approve", "timeout": "1m", "signal": {"name": "ok"}}]}
      """#)
    _ = try engine.start("approval", input: ["barcode": "TS-7"])
    try await TestAPI.run(engine: engine) { api in
      let preview = try await api.post(
        "/v1/operations", ["verb": "pause", "filter": ["workflow": "approval"], "dryRun": true])
      #expect(preview.json["items"]?[0]?["title"] == "Tube TS-7" && preview.json["items"]?[0]?["key"] == nil)
      let begun = try await api.post(
        "/v1/operations",
        [
          "verb": "pause", "filter": ["workflow": "approval"], "selection": preview.json["selection"] ?? .null,
          "reason": "F2 is being defrosted", "rate": 1000,
        ])
      let place = try #require(begun.headers["Location"])
      #expect(try await api.get("\(place)/sagas").json["sagas"]?[0]?["title"] == "Tube TS-7")
    }
  }

  @Test func withoutAPreviewItIsRefused() async throws {
    let engine = FakeEngine()
    _ = try waiting(1, engine)
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.post(
        "/v1/operations", ["verb": "pause", "filter": ["workflow": "approval"], "reason": "why"])
      #expect(answer.status == 400 && answer.places == ["/selection"])
    }
  }

  @Test(arguments: [
    (#"{"filter": {"status": "stuck"}, "dryRun": true}"#, "/verb"),
    (#"{"verb": "retyr", "filter": {"status": "stuck"}, "dryRun": true}"#, "/verb"),
    (#"{"verb": "retry", "dryRun": true}"#, "/filter"),
    (#"{"verb": "retry", "dryRun": true, "filter": {}}"#, "/filter"),
    (#"{"verb": "retry", "dryRun": true, "filter": {"tag": null}}"#, "/filter"),
    (#"{"verb": "retry", "dryRun": true, "filter": {"workflow": "approval", "tag": []}}"#, "/filter"),
    (#"{"verb": "retry", "dryRun": true, "filter": {"status": "stuk"}}"#, "status"),
    (#"{"verb": "retry", "dryRun": true, "filter": {"colour": "red"}}"#, "colour"),
    (#"{"verb": "retry", "dryRun": true, "filter": {"status": "stuck"}, "sagas": ["a"]}"#, "/sagas"),
    (#"{"verb": "retry", "dryRun": true, "sagas": ["a"]}"#, "/sagas"),
    (#"{"verb": "skip", "dryRun": true, "filter": {"status": "stuck"}}"#, "/step"),
    (#"{"verb": "pause", "dryRun": "yes", "filter": {"status": "stuck"}}"#, "/dryRun"),
    (#"{"verb": "pause", "dryRun": true, "rate": 0, "filter": {"status": "stuck"}}"#, "/rate"),
    (#"{"verb": "pause", "dryRun": true, "ramp": "2h", "filter": {"status": "stuck"}}"#, "/ramp"),
    (#"{"verb": "pause", "dryRun": true, "step": "a", "filter": {"status": "stuck"}}"#, "/step"),
    (#"{"verb": "pause", "selection": "x", "filter": {"status": "stuck"}}"#, "/reason"),
  ])
  func wrongRequestsSayWhere(_ body: String, _ place: String) async throws {
    try await TestAPI.run { api in
      let answer = try await api.post("/v1/operations", text: body)
      #expect(answer.status == 400)
      #expect(answer.places.contains(place), "\(answer.places)")
    }
  }

  @Test func aVerbThatTakesTwoPeopleIsAnsweredWithWhatWaits() async throws {
    let engine = FakeEngine()
    engine.requireApproval(of: .cancel)
    let id = try #require(try waiting(1, engine).first)
    try await TestAPI.run(engine: engine) { api in
      let asked = try await api.post("/v1/sagas/\(id)/cancel", ["reason": "withdrawn"], headers: ["Saga-User": "anna"])
      #expect(asked.status == 202)
      #expect(asked.json["status"] == "waiting" && asked.json["sagas"] == 1)
      #expect(try await api.get("/v1/sagas/\(id)").json["status"] == "running")
      let place = try #require(asked.headers["Location"])
      let own = try await api.post("\(place)/approve", ["reason": "I say so"], headers: ["Saga-User": "anna"])
      #expect(own.status == 403 && own.code == "operation.samePerson")
      #expect(try await api.post("\(place)/approve", [:], headers: ["Saga-User": "ben"]).code == "saga.reasonMissing")
      let other = try await api.post("\(place)/approve", ["reason": "seen it"], headers: ["Saga-User": "ben"])
      #expect(other.status == 200 && other.json["approved"]?["by"] == "ben")
      try await eventually("the saga is cancelled") {
        try await api.get("/v1/sagas/\(id)").json["status"] != "running"
      }
    }
  }

  @Test func whatIsNotThereIsSaid() async throws {
    try await TestAPI.run { api in
      let malformed = try await api.get("/v1/operations/nonsense")
      #expect(malformed.code == "operation.idMalformed")
      let gone = "019c8a5e-7b1c-7d2e-8f3a-0123456789ab"
      #expect(try await api.get("/v1/operations/\(gone)").code == "operation.notFound")
      #expect(try await api.post("/v1/operations/\(gone)/stop", ["reason": "x"]).code == "operation.notFound")
    }
  }

  /// Sagas that wait for a signal.
  private func waiting(_ count: Int, _ engine: FakeEngine) throws -> [UniqueID] {
    try engine.register(
      #"{"name": "approval", "version": 1, "steps": [{"id": "approve", "timeout": "1m", "signal": {"name": "ok"}}]}"#)
    return try (0..<count).map { _ in try engine.start("approval") }
  }
}
