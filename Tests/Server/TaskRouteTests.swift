import HTTP
import JSON
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite("Routes of workers", .timeLimit(.minutes(15)), .inTurn)
struct TaskRouteTests {
  private func poll(_ api: TestAPI, _ body: JSON = ["worker": "robot-2"]) async throws -> JSON {
    let answer = try await api.post("/v1/tasks/robot/poll", body)
    #expect(answer.status == 200)
    return answer.json["tasks"] ?? .null
  }

  @Test("A poll gives everything that a worker needs, and the answer ends the task", arguments: Depth.allCases)
  func completes(at depth: Depth) async throws {
    let engine = FakeEngine()
    try engine.register(Samples.task)
    let id = try engine.start("load-plate", input: ["plate": "P-1"])
    try await TestAPI.run(depth, engine: engine) { api in
      let task = try #require(try await poll(api)[0])
      #expect(task["id"] == .string("\(id).load.1.1") && task["saga"] == .string("\(id)"))
      #expect(task["queue"] == "robot" && task["step"] == "load" && task["phase"] == "forward")
      #expect(task["item"] == nil && task["compensates"] == nil && task["attempt"] == 1)
      #expect(task["key"] == .string("\(id)/load/1") && task["input"] == ["plate": "P-1"])
      #expect(task["heartbeatTimeoutMs"] == 30_000 && task["deadline"] == "2026-03-01T09:00:00.000Z")
      #expect(task["leaseUntil"] == "2026-03-01T08:00:30.000Z")
      #expect(try await poll(api) == [])
      let lease = task["lease"] ?? .null
      let target = "/v1/tasks/\(id).load.1.1"
      let heartbeat = try await api.post(
        target + "/heartbeat", ["lease": lease, "progress": "column 3", "fraction": 0.25])
      #expect(heartbeat.json == ["cancelled": false, "until": "2026-03-01T08:00:30.000Z"])
      let saga = try await api.get("/v1/sagas/\(id)").json
      #expect(saga["steps"]?[0]?["progress"]?["message"] == "column 3")
      #expect(saga["steps"]?[0]?["task"]?["worker"] == "robot-2")
      for _ in 0..<2 {
        let done = try await api.post(target + "/complete", ["lease": lease, "output": ["run": 7]])
        #expect(done.status == 200)
        #expect(done.json == ["task": task["id"] ?? .null, "saga": task["saga"] ?? .null, "outcome": "succeeded"])
      }
      #expect(try await api.get("/v1/sagas/\(id)").json["status"] == "completed")
      let other = try await api.post(target + "/complete", ["lease": lease, "output": ["run": 8]])
      #expect(other.status == 409 && other.code == "task.leaseLost")
      let late = try await api.post(target + "/heartbeat", ["lease": lease])
      #expect(late.status == 409 && late.code == "task.leaseLost")
    }
  }

  @Test("A listed task has the title and the key of its saga")
  func names() async throws {
    let engine = FakeEngine()
    try engine.register(
      #"""
      {"name": "load-plate", "version": 1, "timeout": "1d", "title": "Plate ${input.plate}",
       "steps": [{"id": "load", "timeout": "1h", "task": {"queue": "robot"}, "compensation": "none"}]}
      """#)
    let id = try engine.start("load-plate", input: ["plate": "P-7"])
    try await TestAPI.run(engine: engine) { api in
      let task = try #require(try await api.get("/v1/tasks").json["tasks"]?[0])
      #expect(task["saga"] == .string("\(id)") && task["title"] == "Plate P-7")
    }
  }

  @Test("A failure has the worker's code, and says whether the work may have happened")
  func fails() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.task)
    let (clean, unknown) = (
      try engine.start("load-plate", input: ["plate": "P-1"]), try engine.start("load-plate", input: ["plate": "P-2"])
    )
    try await TestAPI.run(engine: engine) { api in
      let tasks = try await poll(api, ["worker": "robot-2", "max": 5, "wait": "10s"])
      let leases = Dictionary(
        uniqueKeysWithValues: (tasks.arrayValue ?? []).map { ($0["saga"]?.stringValue ?? "", $0["lease"] ?? .null) })
      #expect(leases.count == 2)
      let first = try await api.post(
        "/v1/tasks/\(clean).load.1.1/fail",
        ["lease": leases["\(clean)"] ?? .null, "code": "NO_PLATE", "message": "The deck is empty."])
      #expect(first.json["outcome"] == "failed")
      let second = try await api.post(
        "/v1/tasks/\(unknown).load.1.1/fail",
        ["lease": leases["\(unknown)"] ?? .null, "code": "CRASH", "retryable": true, "nothingHappened": false])
      #expect(second.json["outcome"] == "unknown")
      let failed = try await api.get("/v1/sagas/\(clean)").json["steps"]?[0]
      #expect(
        failed?["error"] == ["code": "NO_PLATE", "message": "The deck is empty.", "outcome": "failed"])
      let again = try await api.get("/v1/sagas/\(unknown)").json["steps"]?[0]
      #expect(again?["status"] == "backingOff" && again?["error"]?["outcome"] == "unknown")
    }
  }

  @Test("The list has the queues, and who has which task")
  func list() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.task)
    let first = try engine.start("load-plate", input: ["plate": "P-1"])
    engine.clock.advance(by: .seconds(1))
    let second = try engine.start("load-plate", input: ["plate": "P-2"])
    try await TestAPI.run(engine: engine) { api in
      _ = try await poll(api)
      let all = try await api.get("/v1/tasks").json
      #expect(all["queues"]?[0]?["waiting"] == 1 && all["queues"]?[0]?["taken"] == 1)
      #expect(all["tasks"]?.arrayValue?.map { $0["saga"] } == [.string("\(first)"), .string("\(second)")])
      #expect(all["tasks"]?.arrayValue?.map { $0["status"] } == ["taken", "waiting"])
      #expect(all["tasks"]?[0]?["worker"] == "robot-2" && all["more"] == 0)
      let page = try await api.get("/v1/tasks?queue=robot&limit=1").json
      #expect(page["tasks"]?.arrayValue?.count == 1 && page["more"] == 1)
      let other = try await api.get("/v1/tasks?queue=cleaner").json
      #expect(other["queues"] == [] && other["tasks"] == [])
    }
  }

  @Test("A wrong request of a worker gets an error with a code and a place")
  func wrong() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.task)
    let id = try engine.start("load-plate", input: ["plate": "P-1"])
    try await TestAPI.run(engine: engine) { api in
      let nameless = try await api.post("/v1/tasks/robot/poll", ["max": 101, "wait": "soon", "workr": "x"])
      #expect(nameless.status == 400)
      #expect(Set(nameless.places) == ["/workr", "/worker", "/max", "/wait"])
      let noTask = try await api.post("/v1/tasks/x/complete", ["lease": "l"])
      #expect(noTask.status == 404 && noTask.code == "task.notFound")
      let noSaga = try await api.post(
        "/v1/tasks/019c8a5e-7b1c-7d2e-8f3a-0123456789ab.load.1.1/complete", ["lease": "l"])
      #expect(noSaga.status == 404 && noSaga.code == "saga.notFound")
      let notTaken = try await api.post("/v1/tasks/\(id).load.1.1/complete", ["lease": "l"])
      #expect(notTaken.status == 409 && notTaken.code == "task.leaseLost")
      let noCode = try await api.post("/v1/tasks/\(id).load.1.1/fail", ["lease": "l"])
      #expect(noCode.status == 400 && noCode.places == ["/code"])
      let fraction = try await api.post("/v1/tasks/\(id).load.1.1/heartbeat", ["lease": "l", "fraction": 2])
      #expect(fraction.status == 400 && fraction.places == ["/fraction"])
    }
  }

  @Test("Over a socket, a poll that waits is answered when a task comes")
  func longPoll() async throws {
    try await LiveEngine.run { api, engine in
      try await LiveEngine.register(Samples.task, api)
      async let polled = api.post("/v1/tasks/robot/poll", ["worker": "robot-2", "wait": "30s"])
      try await eventually("the worker waits") { engine.taskQueues.first?.pollers == 1 }
      let started = try await api.post("/v1/workflows/load-plate/sagas", ["input": ["plate": "P-1"]])
      let task = try #require(try await polled.json["tasks"]?[0])
      #expect(task["saga"] == started.json["id"])
      let target = "/v1/tasks/\(task["id"]?.stringValue ?? "")"
      let done = try await api.post(target + "/complete", ["lease": task["lease"] ?? .null, "output": 1])
      #expect(done.status == 200)
      let saga = try await api.get("/v1/sagas/\(started.json["id"]?.stringValue ?? "")?wait=30s").json
      #expect(saga["status"] == "completed")
    }
  }
}
