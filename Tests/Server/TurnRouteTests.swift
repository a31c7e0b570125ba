import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// `GET /v1/concurrency`, and the turns of a saga.
@Suite("Turns over REST", .timeLimit(.minutes(15)), .inTurn)
struct TurnRouteTests {
  static let start = Timestamp(milliseconds: 1_772_352_000_000)
  static let holder = UniqueID.version7(at: start, random: (7, 11))
  static let waiter = UniqueID.version7(at: start, random: (7, 12))

  static func line(_ key: String, holder: UniqueID = TurnRouteTests.holder) -> TurnLine {
    func claim(_ saga: UniqueID, _ step: String?, takenAt: Timestamp?) -> TurnClaim {
      TurnClaim(
        saga: saga, workflow: "sequencing-run", step: step, phase: .forward, limit: 1, askedAt: start, takenAt: takenAt,
        isPaused: takenAt == nil)
    }
    return TurnLine(
      key: key, held: 1, waiting: 1, holders: [claim(holder, "load", takenAt: start + .seconds(2))],
      waiters: [claim(waiter, nil, takenAt: nil)])
  }

  @Test("Keys are listed with their holders and waiters, in pages")
  func pages() async throws {
    let engine = FakeEngine()
    engine.show([Self.line("HiSeq-1"), Self.line("HiSeq-2"), Self.line("robot")])
    try await TestAPI.run(engine: engine) { api in
      let first = try await api.get("/v1/concurrency?limit=2")
      #expect(first.status == 200)
      #expect(first.json["keys"]?.arrayValue?.compactMap { $0["key"]?.stringValue } == ["HiSeq-1", "HiSeq-2"])
      #expect(first.json["keys"]?[0]?["holders"]?[0]?["saga"]?.stringValue == "\(Self.holder)")
      #expect(first.json["keys"]?[0]?["waiters"]?[0]?["paused"] == true)
      let next = try #require(first.json["next"]?.stringValue)
      let second = try await api.get("/v1/concurrency?limit=2&cursor=\(next)")
      #expect(second.json["keys"]?.arrayValue?.compactMap { $0["key"]?.stringValue } == ["robot"])
      #expect(second.json["next"] == nil)
      #expect(try await api.get("/v1/concurrency?cursor=x").status == 400)
      #expect(try await api.get("/v1/concurrency?limit=201").status == 400)
    }
  }

  @Test("A holder has the title of its saga, if the lists have the saga")
  func titles() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.labelled)
    let id = try engine.start("tube", input: ["barcode": "TS-7", "patient": "P-17"])
    engine.show([Self.line("HiSeq-1", holder: id)])
    try await TestAPI.run(engine: engine) { api in
      for target in ["/v1/concurrency", "/v1/concurrency?key=HiSeq-1"] {
        let key = try await api.get(target).json["keys"]?[0]
        #expect(key?["holders"]?[0]?["title"] == "Tube TS-7" && key?["waiters"]?[0]?["title"] == nil)
      }
    }
  }

  @Test("One key is shown, and a key that nothing holds gives an empty list")
  func oneKey() async throws {
    let engine = FakeEngine()
    engine.show([Self.line("HiSeq-1"), Self.line("robot")])
    try await TestAPI.run(engine: engine) { api in
      let one = try await api.get("/v1/concurrency?key=robot")
      #expect(one.json["keys"]?.arrayValue?.count == 1 && one.json["keys"]?[0]?["waiting"] == 1)
      #expect(try await api.get("/v1/concurrency?key=other").json == ["keys": []])
    }
  }

  @Test("A saga whose key has no text is refused at its start")
  func badKey() async throws {
    let workflow = """
      {"name": "run", "version": 1, "concurrency": {"key": "${input.instrument}"},
       "steps": [{"id": "wait", "signal": {"name": "go"}}]}
      """
    try await LiveEngine.run { api, _ in
      try await LiveEngine.register(workflow, api)
      let answer = try await api.post("/v1/workflows/run/sagas", ["input": ["instrument": [1]]])
      #expect(answer.status == 422 && answer.json["code"] == "concurrency.badKey")
      #expect(try await api.post("/v1/workflows/run/sagas", ["input": ["instrument": 7]]).status == 201)
    }
  }
}
