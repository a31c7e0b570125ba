import HTTP
import JSON
import Messaging
import Persistence
import SagaCore
import Streaming
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct EchoTests {
  @Test func withoutKafkaThereIsNoEcho() async throws {
    try await TestAPI.run { api in
      let shown = try await api.get("/v1/echo")
      #expect(shown.status == 404)
      #expect(shown.code == ServerErrorCode.echoOff)
      #expect(shown.json["detail"]?.stringValue?.contains("--kafka") == true)
      #expect(try await api.post("/v1/echo/rewind", ["to": 0, "reason": "x"]).code == ServerErrorCode.echoOff)
      #expect(try await api.get("/readyz").json == ["status": "ready"])
    }
  }

  @Test(arguments: Depth.allCases) func howItStands(at depth: Depth) async throws {
    let kafka = FakeKafka(
      .sample(.held, lagEvents: 3, lag: .milliseconds(12_500), problem: .unreachable),
      consumers: [.sample(lag: 4, problem: "the store is away"), .sample("saga.replies")])
    try await TestAPI.run(depth, kafka: kafka) { api in
      let answer = try await api.get("/v1/echo")
      #expect(answer.status == 200)
      #expect(answer.json["topic"] == "laboratory.saga.events")
      #expect(answer.json["state"] == "held")
      #expect(answer.json["lagEvents"] == 3)
      #expect(answer.json["lagSeconds"] == 12.5)
      #expect(answer.json["problem"]?["code"] == "kafka.unavailable")
      #expect(answer.json["problem"]?["since"] == "2026-03-01T08:15:30.250Z")
      #expect(answer.json["delivered"] == 400)
      #expect(answer.json["deadLettered"] == 1)
      #expect(answer.json["shards"]?.arrayValue?.count == 4)
      #expect(answer.json["shards"]?[0] == ["shard": 0, "head": 100, "delivered": 97, "checkpoint": 87])
      #expect(
        answer.json["consumers"]?[0] == [
          "group": "saga-engine", "topics": ["saga.commands"], "partitions": 8, "lag": 4, "handled": 17,
          "deadLettered": 2, "problem": "the store is away",
        ])
      #expect(answer.json["consumers"]?[1]?["problem"] == nil)
      kafka.show(.sample())
      #expect(try await api.get("/v1/echo").json["problem"] == nil)
    }
  }

  @Test func whatCannotBeReadIsToldByItsCode() async throws {
    let kafka = FakeKafka()
    kafka.fail(StoreError(.unavailable, "The store is away."))
    try await TestAPI.run(kafka: kafka) { api in
      let answer = try await api.get("/v1/echo")
      #expect(answer.status == 503)
      #expect(answer.code == StoreErrorCode.unavailable)
    }
  }

  @Test(arguments: Depth.allCases) func rewinding(at depth: Depth) async throws {
    let kafka = FakeKafka()
    try await TestAPI.run(depth, kafka: kafka) { api in
      let target = "/v1/echo/rewind"
      let all = try await api.post(
        target, ["to": 0, "reason": "topic created again"], headers: ["Saga-User": "j.meier"])
      #expect(all.status == 202)
      #expect(all.json == ["events": 400])
      #expect(try await api.post(target, ["shard": 3, "to": 90, "reason": "again"]).json == ["events": 10])
      #expect(
        kafka.rewinds == [
          .init(shard: nil, position: 0, by: "j.meier", reason: "topic created again"),
          .init(shard: 3, position: 90, by: "anonymous", reason: "again"),
        ])
      let refused = try await api.post(target, ["shard": 7, "to": 0, "reason": "x"])
      #expect(refused.status == 409)
      #expect(refused.code == StreamingErrorCode.echoRewindInvalid)
    }
  }

  @Test(
    arguments: [
      (["to": 0], EngineErrorCode.sagaReasonMissing, "/reason"),
      (["to": 0, "reason": " "], EngineErrorCode.sagaReasonMissing, "/reason"),
      (["reason": "x"], ServerErrorCode.memberMissing, "/to"),
      (["to": -1, "reason": "x"], ServerErrorCode.memberInvalid, "/to"),
      (["to": "0", "reason": "x"], ServerErrorCode.memberInvalid, "/to"),
      (["to": 0, "shard": -1, "reason": "x"], ServerErrorCode.memberInvalid, "/shard"),
      (["to": 0, "shards": 1, "reason": "x"], ServerErrorCode.memberUnknown, "/shards"),
    ] as [(JSON, String, String)])
  func aRewindThatIsWrong(_ body: JSON, _ code: String, _ place: String) async throws {
    let kafka = FakeKafka()
    try await TestAPI.run(kafka: kafka) { api in
      let answer = try await api.post("/v1/echo/rewind", body)
      #expect(answer.status == 400)
      #expect(answer.code == code)
      #expect(answer.places == [place])
      #expect(kafka.rewinds.isEmpty)
    }
  }
}

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct ReadinessTests {
  private func reasons(_ status: EchoStatus, _ consumers: [ConsumerStatus] = []) -> [Readiness.Reason] {
    Readiness(echo: status, consumers: consumers).reasons
  }

  @Test func aWellEchoIsNoReason() {
    #expect(reasons(.sample(), [.sample(lag: 1_000)]).isEmpty)
    #expect(reasons(.sample(.catchingUp, lagEvents: 5, lag: .seconds(60))).isEmpty)
  }

  @Test func behindForMoreThanAMinute() {
    let reason = Readiness.Reason(
      code: ServerErrorCode.echoBehind,
      message: "The echo to laboratory.saga.events is behind: the oldest of 5 events has waited for 61 s.")
    #expect(reasons(.sample(.catchingUp, lagEvents: 5, lag: .seconds(61))) == [reason])
  }

  @Test func heldAndFailing() {
    #expect(
      reasons(
        .sample(.held, lagEvents: 1, lag: .seconds(90), problem: .unreachable), [.sample(problem: "no"), .sample()])
        == [
          .init(
            code: ServerErrorCode.echoHeld,
            message: "The echo to laboratory.saga.events is blocked "
              + "(kafka.unavailable): Kafka is out of reach: 1/1 brokers are down"),
          .init(
            code: ServerErrorCode.consumerFailing, message: "The consumer of saga.commands makes no progress: no"),
        ])
  }

  private struct Fault: Error {}

  @Test(arguments: Depth.allCases) func degradedIsStill200(at depth: Depth) async throws {
    let kafka = FakeKafka()
    try await TestAPI.run(depth, kafka: kafka) { api in
      #expect(try await api.get("/readyz").json == ["status": "ready"])
      kafka.show(.sample(.held, problem: .unreachable))
      let held = try await api.get("/readyz")
      #expect(held.status == 200)
      #expect(held.json["status"] == "degraded")
      #expect(held.json["reasons"]?[0]?["code"] == "echo.held")
      kafka.fail(StoreError(.unavailable, "The store is away."))
      #expect(try await api.get("/readyz").json["reasons"]?[0]?["code"] == "store.unavailable")
      kafka.fail(Fault())
      let unknown = try await api.get("/readyz")
      #expect(unknown.status == 200)
      #expect(unknown.json["reasons"]?[0]?["code"] == "http.internal")
      #expect(!unknown.json.text().contains("Fault"))
    }
  }
}
