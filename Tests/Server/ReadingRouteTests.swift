import HTTP
import JSON
import Persistence
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import Wire

@testable import Server
@testable import WorkflowEngine

/// Filters, facets, timelines, and the read model's own state.
@Suite(.timeLimit(.minutes(15)), .inTurn)
struct ReadingRouteTests {
  private func engine(_ workflows: String...) throws -> FakeEngine {
    let engine = FakeEngine()
    for workflow in workflows { try engine.register(workflow) }
    return engine
  }

  @Test func everyFilterReachesTheList() async throws {
    let engine = FakeEngine()
    try await TestAPI.run(engine: engine) { api in
      let answer = try await api.get(
        "/v1/sagas?status=stuck,running&status=compensating&workflow=w&version=2&step=a&stepStatus=undoFailed&error=http.*"
          + "&cause=QC_FAILED&incident=stuck-0f3a5c7e9b1d2f40&minAttempts=3&waitingFor=go&overdue=true&paused=false&tag=t&tag=u&label=patient:P-17&label=a:b:%20c%0A&key=k&q=Lab-1%20x&sort=-updatedAt"
          + "&startedAfter=2026-03-01T00:00:00Z&startedBefore=2026-03-02T00:00:00Z"
          + "&endedAfter=2026-03-03T00:00:00Z&endedBefore=2026-03-04T00:00:00Z&limit=7&facets=true&seen=0.99")
      #expect(answer.status == 200)
      let request = try #require(engine.lists.last)
      var query = SagaQuery()
      query.statuses = ["stuck", "running", "compensating"]
      (query.workflow, query.version, query.step, query.stepStatus) = ("w", 2, "a", "undoFailed")
      (query.error, query.minAttempts, query.waitingFor) = ("http.*", 3, "go")
      (query.cause, query.incident) = (
        "QC_FAILED", IncidentAt(id: "stuck-0f3a5c7e9b1d2f40", at: engine.clock.now())
      )
      (query.overdueAt, query.isPaused) = (engine.clock.now(), false)
      (query.tags, query.key, query.words, query.sort) = (["t", "u"], "k", ["lab-1", "x"], .lastChanged)
      query.labels = [Label("patient", "P-17"), Label("a", "b: c")]
      func moment(_ day: Int) -> Timestamp? { Timestamp("2026-03-0\(day)T00:00:00Z") }
      query.started = MomentRange(from: moment(1), before: moment(2))
      query.ended = MomentRange(from: moment(3), before: moment(4))
      #expect(request.query == query)
      #expect(request.limit == 7 && request.wantsFacets && request.seen == SeenToken(positions: [0: 99]))
      #expect(answer.json["behind"] == true && answer.json["facets"]?["status"] == [:])
    }
  }

  @Test(
    arguments: [
      "status=stcuk", "status=stuck,", "stuck=yes", "stuck=true&status=running", "version=0", "stepStatus=lost",
      "error=*", "error=a*b", "cause=", "incident=stuck", "incident=stuck-0F3A5C7E9B1D2F40", "minAttempts=0",
      "overdue=false", "paused=1", "tag=", "label=", "label=patient",
      "label=:x", "label=1:x", "label=the%20patient:x", "label=patient:", "label=patient:%20",
      "label=patient:%E2%80%8B",
      "label=patient:" + String(repeating: "x", count: 201), "label=patient:P-17&label=ward", "q=%20-%20", "sort=id",
      "startedAfter=yesterday", "startedAfter=2026-03-02T00:00:00Z&startedBefore=2026-03-01T00:00:00Z", "limit=201",
      "facets=all", "seen=x", "seen=1.2.3", "workflow=a&workflow=b",
    ]) func whatCannotBeIsAnError(query: String) async throws
  {
    try await TestAPI.run(engine: FakeEngine()) { api in
      let answer = try await api.get("/v1/sagas?\(query)")
      #expect(answer.status == 400)
      #expect(answer.code == ServerErrorCode.parameterInvalid)
    }
  }

  @Test func facetsCountAndCommandsSayWhatListsMustHaveSeen() async throws {
    let engine = try engine(Samples.pause("a"))
    for _ in 0..<3 { _ = try engine.start("a") }
    try await TestAPI.run(engine: engine) { api in
      let started = try await api.post("/v1/workflows/a/sagas", ["input": 1])
      #expect(started.headers["Saga-Seen"] == "0.7")
      let target = try #require(started.headers["Location"])
      #expect(try await api.post(target + "/cancel", ["reason": "why not"]).headers["Saga-Seen"] == "0.7")
      #expect(try await api.get(target).headers["Saga-Seen"] == nil)
      let list = try await api.get("/v1/sagas?facets=true&seen=0.7").json
      #expect(list["facets"]?["workflow"] == ["a": 4])
      #expect(list["behind"] == nil)
      let line = try #require(list["sagas"]?[0])
      for name in ["deadline", "tags", "attempts", "overdue"] { #expect(line[name] != nil, "\(name)") }
    }
  }

  @Test(arguments: Depth.allCases) func titleAndLabelsAreInTheSagaAndInLists(at depth: Depth) async throws {
    try await LiveEngine.run(depth: depth) { api, _ in
      try await LiveEngine.register(Samples.labelled, api)
      var seen = ""
      var ids: [JSON] = []
      for (barcode, patient, ward) in [("T-1", "P-17", "3"), ("T-2", "P-17", "4"), ("T-3", "P-18", "3")] {
        let answer = try await api.post(
          "/v1/workflows/tube/sagas",
          ["input": ["barcode": .string(barcode), "patient": .string(patient), "ward": .string(ward)]])
        #expect(answer.status == 201)
        #expect(answer.json["title"] == .string("Tube \(barcode)"))
        #expect(answer.json["labels"] == ["patient": .string(patient), "ward": .string(ward)])
        seen += (seen.isEmpty ? "" : "-") + (try #require(answer.headers["Saga-Seen"]))
        ids.append(try #require(answer.json["id"]))
      }
      let plain = try await api.post("/v1/workflows/tube/sagas", ["input": ["barcode": "T-4"]])
      #expect(plain.json["title"] == "Tube T-4" && plain.json["labels"] == nil)
      func found(_ query: String) async throws -> JSON {
        var page = try await api.get("/v1/sagas?\(query)&sort=startedAt&seen=\(seen)").json
        for _ in 0..<30 where page["behind"] == true {
          page = try await api.get("/v1/sagas?\(query)&sort=startedAt&seen=\(seen)").json
        }
        return page["sagas"] ?? .null
      }
      let patient = try await found("label=patient:P-17")
      #expect(patient.arrayValue?.map { $0["id"] } == [ids[0], ids[1]])
      #expect(patient[0]?["title"] == "Tube T-1" && patient[0]?["labels"] == ["patient": "P-17", "ward": "3"])
      #expect(try await found("label=patient:P-17&label=ward:4").arrayValue?.map { $0["id"] } == [ids[1]])
      #expect(try await found("label=patient:P-17&label=ward:5") == [])
      #expect(try await found("q=tube%20t-3").arrayValue?.map { $0["id"] } == [ids[2]])
      let preview = try await api.post(
        "/v1/operations",
        ["dryRun": true, "verb": "cancel", "filter": ["label": ["patient:P-17", "ward:3"]]])
      #expect(preview.json["sagas"] == 1 && preview.json["items"]?[0]?["saga"] == ids[0])
      let wrong = try await api.post("/v1/operations", ["dryRun": true, "verb": "cancel", "filter": ["label": "P-17"]])
      #expect(wrong.status == 400 && wrong.code == ServerErrorCode.parameterInvalid)
    }
  }

  @Test(arguments: Depth.allCases) func aListAskedWithWhatACommandSawHasIt(at depth: Depth) async throws {
    try await LiveEngine.run(depth: depth) { api, _ in
      try await LiveEngine.register(Samples.pause("a", seconds: 60), api)
      for number in 0..<20 {
        let started = try await api.post("/v1/workflows/a/sagas", ["input": .int(number), "tags": ["n\(number)"]])
        let seen = try #require(started.headers["Saga-Seen"])
        let target = try #require(started.headers["Location"])
        var list = try await api.get("/v1/sagas?tag=n\(number)&seen=\(seen)").json
        for _ in 0..<30 where list["behind"] == true {
          list = try await api.get("/v1/sagas?tag=n\(number)&seen=\(seen)").json
        }
        #expect(list["behind"] == nil && list["sagas"]?[0]?["id"] == started.json["id"])
        let cancelled = try await api.post(target + "/cancel", ["reason": "why not"])
        let then = try #require(cancelled.headers["Saga-Seen"])
        // A list that is behind says so after two seconds; the client asks again.
        var ended = try await api.get("/v1/sagas?tag=n\(number)&status=compensated&seen=\(then)").json
        for _ in 0..<30 where ended["behind"] == true {
          ended = try await api.get("/v1/sagas?tag=n\(number)&status=compensated&seen=\(then)").json
        }
        #expect(ended["behind"] == nil && ended["sagas"]?.arrayValue?.count == 1, "\(number)")
      }
    }
  }

  @Test func aTimelineAndASagaAsItWas() async throws {
    let engine = try engine(Samples.pause("a"))
    let id = try engine.start("a")
    try await TestAPI.run(engine: engine) { api in
      let timeline = try await api.get("/v1/sagas/\(id)/timeline").json
      #expect(timeline["marks"]?[0]?["what"] == "started")
      #expect(timeline["spans"]?.arrayValue?.isEmpty == false)
      #expect(timeline["spans"]?[0]?["to"] == nil)
      let first = try await api.get("/v1/sagas/\(id)?version=1").json
      #expect(first["lastEvent"] == 1)
      #expect(first["steps"]?[0]?["status"] == "pending")
      let beyond = try await api.get("/v1/sagas/\(id)?version=99")
      #expect(beyond.status == 404 && beyond.code == EngineErrorCode.sagaVersionUnknown)
      #expect(try await api.get("/v1/sagas/\(id)?version=1&wait=1s").status == 400)
    }
  }

  @Test func theDocumentOfASagaIsWhatItsExpressionsRead() async throws {
    let engine = try engine(Samples.storage)
    let id = try engine.start("store-sample")
    try engine.settle(id, "create", .succeeded(["id": "S-1"]))
    let state = try await engine.saga(id).state
    try await TestAPI.run(engine: engine) { api in
      let document = try await api.get("/v1/sagas/\(id)/document").json
      #expect(document == state.document)
      #expect(document["steps"]?["create"]?["output"] == ["id": "S-1"])
      #expect(document["steps"]?["create"]?["key"] == .string("\(id)/create/1"))
      #expect(document["saga"]?["id"] == .string("\(id)"))
      let first = try await api.get("/v1/sagas/\(id)/document?version=1").json
      #expect(first["steps"]?["create"]?["status"] == "pending" && first["steps"]?["create"]?["output"] == nil)
      #expect(first["input"] == document["input"])
      let beyond = try await api.get("/v1/sagas/\(id)/document?version=99")
      #expect(beyond.status == 404 && beyond.code == EngineErrorCode.sagaVersionUnknown)
      #expect(try await api.get("/v1/sagas/\(id)/document?versoin=1").code == ServerErrorCode.parameterUnknown)
    }
  }

  @Test func aSagaAsItWasIsJudgedAtItsLastEvent() async throws {
    let engine = try engine(Samples.pause("a"))
    var saga = try await engine.saga(try engine.start("a"))
    let later = saga.state.deadline + .seconds(60)
    let now = saga.response(at: later).json
    #expect(now["overdue"] == true)
    #expect(now["why"]?["sentence"]?.stringValue?.contains("The saga is overdue: its deadline was") == true)
    #expect(now["why"]?["kind"] == "delayed" && now["why"]?["step"] == now["steps"]?[0]?["id"])
    saga.asOf = saga.state.startedAt
    let then = saga.response(at: later).json
    #expect(then["overdue"] == false)
    #expect(then["why"]?["sentence"]?.stringValue?.contains("overdue") == false)
  }

  @Test func statisticsAndProjections() async throws {
    let engine = try engine(Samples.pause("a"))
    try await TestAPI.run(engine: engine) { api in
      let statistics = try await api.get("/v1/workflows/a/statistics").json
      #expect(statistics["steps"]?[0]?["total"]?["started"] == 2)
      #expect((100...112).contains(statistics["steps"]?[0]?["minutes"]?[0]?["p50Ms"]?.intValue ?? 0))
      #expect(try await api.get("/v1/workflows/a/statistics?from=2027-01-01T00:00:00Z").json["steps"] == [])
      #expect(try await api.get("/v1/workflows/none/statistics").status == 404)
      let projections = try await api.get("/v1/projections").json
      #expect(projections["lag"] == 2 && projections["lagSeconds"]?.doubleValue == 1.5)
      #expect(projections["rebuild"]?["events"] == 3)
      #expect(try await api.get("/v1/stats").json["lists"]?["lagEvents"] == 2)
      #expect(try await api.post("/v1/projections/rebuild", [:]).status == 202)
    }
  }
}
