import HTTP
import JSON
import Notifications
import Persistence
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct NoticeTests {
  private static let unreachable = NoticeOutcome.failed(
    NoticeFailure(code: "http.connectionRefused", message: "Nobody is there."))

  @Test(arguments: Depth.allCases) func howTheyStand(at depth: Depth) async throws {
    let since = Timestamp(milliseconds: 1_772_352_000_000)
    let notices = FakeNotices(.sample(.failing, failing: since))
    try await TestAPI.run(depth, notices: notices) { api in
      let answer = try await api.get("/v1/notices")
      #expect(answer.status == 200)
      let pager = answer.json["destinations"]?[0]
      #expect(pager?["name"] == "pager" && pager?["kind"] == "webhook" && pager?["target"] == "https://pager.lab")
      #expect(pager?["types"] == ["saga.overdue", "saga.stuck"] && pager?["state"] == "failing")
      #expect(pager?["pending"] == 3 && pager?["pendingIsMore"] == false && pager?["failures"] == 4)
      #expect(pager?["failingSince"] == "2026-03-01T08:00:00.000Z" && pager?["nextTryAt"] == "2026-03-01T08:10:00.000Z")
      #expect(pager?["problem"]?["code"] == "notice.refused" && pager?["delivered"] == 41 && pager?["givenUp"] == 2)
      #expect(pager?["letters"]?[0]?["summary"] == "Saga x is stuck.")
      notices.show(.sample())
      #expect(try await api.get("/v1/notices").json["destinations"]?[0]?["problem"] == nil)
    }
  }

  @Test func nobodyIsTold() async throws {
    try await TestAPI.run { api in
      #expect(try await api.get("/v1/notices").json == ["destinations": []])
      let refused = try await api.post("/v1/notices/test", ["destination": "pager"])
      #expect(refused.status == 404 && refused.code == EngineErrorCode.noticeDestinationUnknown)
      #expect(refused.json["detail"]?.stringValue?.contains("--webhook") == true)
    }
  }

  @Test(arguments: Depth.allCases) func aTest(at depth: Depth) async throws {
    let notices = FakeNotices(.sample())
    try await TestAPI.run(depth, notices: notices) { api in
      let target = "/v1/notices/test"
      let arrived = try await api.post(target, ["destination": "pager"], headers: ["Saga-User": "j.meier"])
      #expect(arrived.status == 200)
      #expect(
        arrived.json == [
          "destination": "pager", "id": "test/1", "delivered": true, "answer": "204", "tookSeconds": 0.031,
        ])
      notices.answer(Self.unreachable)
      let failed = try await api.post(target, ["destination": "pager"])
      #expect(failed.status == 200 && failed.json["delivered"] == false && failed.json["answer"] == nil)
      #expect(failed.json["problem"] == ["code": "http.connectionRefused", "message": "Nobody is there."])
      #expect(notices.tests == ["pager by j.meier", "pager by anonymous"])
      // A request can't name the target.
      #expect(try await api.post(target, ["destination": "http://169.254.169.254/"]).status == 404)
      let url = try await api.post(target, ["destination": "pager", "url": "http://169.254.169.254/"])
      #expect(url.code == ServerErrorCode.memberUnknown && url.places == ["/url"])
      #expect(try await api.post(target, [:]).code == ServerErrorCode.memberMissing)
      #expect(notices.tests.count == 2)
    }
  }

  @Test(arguments: Depth.allCases) func whatWasGivenUp(at depth: Depth) async throws {
    let notices = FakeNotices(.sample())
    try await TestAPI.run(depth, notices: notices) { api in
      let target = "/v1/notices/resend"
      let arrived = try await api.post(target, ["destination": "pager"], headers: ["Saga-User": "j.meier"])
      #expect(arrived.status == 200)
      #expect(
        arrived.json == [
          "destination": "pager", "delivered": ["x/1"], "failed": [], "left": 0, "tookSeconds": 0.062,
        ])
      notices.answer(Self.unreachable)
      let failed = try await api.post(target, ["destination": "pager", "id": "y/2"])
      #expect(failed.json["left"] == 1 && failed.json["delivered"] == [])
      #expect(
        failed.json["failed"] == [
          ["id": "y/2", "problem": ["code": "http.connectionRefused", "message": "Nobody is there."]]
        ])
      #expect(notices.tests == ["resend all to pager by j.meier", "resend y/2 to pager by anonymous"])
      let unknown = try await api.post(target, ["destination": "pager", "id": "none/1"])
      #expect(unknown.status == 404 && unknown.code == EngineErrorCode.noticeUnknown)
      #expect(try await api.post(target, ["id": "y/2"]).code == ServerErrorCode.memberMissing)
    }
  }

  @Test func whoIsNotToldIsAReason() async throws {
    let engine = FakeEngine()
    let now = engine.environment.now()
    let notices = FakeNotices(.sample())
    try await TestAPI.run(engine: engine, notices: notices) { api in
      #expect(try await api.get("/readyz").json == ["status": "ready"])
      // A while may pass.
      notices.show(.sample(.failing, failing: now + .seconds(-300)))
      #expect(try await api.get("/readyz").json == ["status": "ready"])
      notices.show(.sample(.failing, failing: now + .seconds(-301)))
      let failing = try await api.get("/readyz")
      #expect(failing.status == 200 && failing.json["reasons"]?[0]?["code"] == "notice.failing")
      #expect(failing.json["reasons"]?[0]?["message"]?.stringValue?.contains("503") == true)
      notices.show(.sample(.gone))
      #expect(try await api.get("/readyz").json["reasons"]?[0]?["code"] == "notice.gone")
      notices.fail(StoreError(.unavailable, "The store is away."))
      #expect(try await api.get("/readyz").json["reasons"]?[0]?["code"] == "store.unavailable")
    }
  }

  @Test func metrics() async throws {
    let engine = FakeEngine()
    let notices = FakeNotices(.sample(.failing, failing: engine.environment.now() + .seconds(-600)))
    try await TestAPI.run(engine: engine, notices: notices) { api in
      func read() async throws -> Exposition {
        try Exposition(String(decoding: try await api.get("/metrics").bytes, as: UTF8.self))
      }
      let pager = ["destination": "pager"]
      let failing = try await read()
      #expect(failing.metrics["tracseq_notices_pending"]?.samples[pager] == 3)
      #expect(failing.metrics["tracseq_notices_failing_seconds"]?.samples[pager] == 600)
      #expect(failing.metrics["tracseq_notices_gone"]?.samples[pager] == 0)
      #expect(failing.metrics["tracseq_notices_delivered_total"]?.samples[pager] == 41)
      #expect(failing.metrics["tracseq_notices_given_up_total"]?.samples[pager] == 2)
      #expect(failing["tracseq_degraded"] == 1)
      notices.show(.sample(.gone))
      let gone = try await read()
      #expect(gone.metrics["tracseq_notices_gone"]?.samples[pager] == 1 && gone["tracseq_degraded"] == 1)
      notices.show(.sample())
      #expect(try await read()["tracseq_degraded"] == 0)
      // Without a destination there is nothing to measure.
      notices.show()
      #expect(try await read().metrics["tracseq_notices_pending"] == nil)
    }
  }
}
