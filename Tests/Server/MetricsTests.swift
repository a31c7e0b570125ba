import Foundation
import HTTP
import Messaging
import Persistence
import Runtime
import SagaCore
import Streaming
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite(.timeLimit(.minutes(15)), .inTurn)
struct MetricsTests {
  private func read(_ answer: Answer) throws -> Exposition {
    #expect(answer.status == 200)
    #expect(answer.contentType == "text/plain; version=0.0.4; charset=utf-8")
    return try Exposition(String(decoding: answer.bytes, as: UTF8.self))
  }

  @Test(arguments: Depth.allCases) func ofAnEngineAlone(at depth: Depth) async throws {
    let engine = FakeEngine()
    try engine.register(Samples.storage)
    _ = try engine.start("store-sample")
    engine.show([TurnRouteTests.line("HiSeq-1"), TurnRouteTests.line("robot")])
    try await TestAPI.run(depth, engine: engine) { api in
      let metrics = try read(try await api.get("/metrics"))
      #expect(metrics["tracseq_ready"] == 1)
      #expect(metrics.metrics["tracseq_sagas"]?.samples[["status": "running"]] == 1)
      #expect(metrics.metrics["tracseq_sagas"]?.samples.count == SagaStatus.allCases.count)
      #expect(metrics.metrics["tracseq_incident_sagas"]?.samples[["kind": "stuck"]] == 0)
      #expect(metrics["tracseq_turn_keys"] == 2)
      #expect(metrics.metrics["tracseq_turns"]?.samples == [["state": "held"]: 2, ["state": "waiting"]: 2])
      let lag = ["tracseq_read_model_lag_events", "tracseq_read_model_lag_seconds"]
      #expect(metrics[lag[0]] == 2 && metrics[lag[1]] == 1.5)
      let store = ["tracseq_store_writable", "tracseq_store_failing_seconds", "tracseq_store_foreign_events_total"]
      #expect(metrics["tracseq_store_bytes"] == 4_096 && metrics["tracseq_store_free_bytes"] == 1_073_741_824)
      #expect(metrics.metrics["tracseq_incident_oldest_seconds"]?.samples[["kind": "stuck"]] == 0)
      // The request for the metrics is not answered yet.
      let load = [
        "tracseq_sagas_in_memory", "tracseq_sagas_working", "tracseq_attempts_under_way", "tracseq_timers",
        "tracseq_timer_delay_seconds",
      ]
      #expect(
        Set(metrics.metrics.keys.filter { $0.hasPrefix("tracseq_") })
          == Set(
            lag + store + load + [
              "tracseq_ready", "tracseq_degraded", "tracseq_sagas", "tracseq_sagas_held",
              "tracseq_incident_sagas", "tracseq_incident_oldest_seconds",
              "tracseq_clock_offset_seconds", "tracseq_turn_keys", "tracseq_turns", "tracseq_tasks_waiting",
              "tracseq_tasks_taken",
              "tracseq_task_workers_waiting", "tracseq_task_asked_seconds", "tracseq_access_refused_total",
              "tracseq_store_bytes",
              "tracseq_store_free_bytes",
            ]))
      #expect(metrics["tracseq_store_writable"] == 1 && metrics["tracseq_degraded"] == 0)
    }
  }

  @Test func eachIsInTheGuide() async throws {
    let guide = try String(contentsOf: APIDescription.root.appending(path: "docs/operating.md"), encoding: .utf8)
    let engine = FakeEngine()
    engine.countEverything()
    let files = try await TestAuthority().issue("server")
    let certificate = try ServerCertificate(
      certificate: files.certificate, key: files.key, now: Environment.system.wallNow())
    try await TestAPI.run(
      engine: engine, kafka: FakeKafka(consumers: [.sample()]), notices: FakeNotices(.sample()),
      certificate: certificate, version: "1.2.3"
    ) { api in
      _ = try await api.get("/readyz")
      let metrics = try read(try await api.get("/metrics")).metrics
      #expect(metrics["tracseq_build_info"]?.samples == [["version": "1.2.3"]: 1])
      for (name, metric) in metrics {
        #expect(guide.contains("`\(name)"), "\(name)")
        let labels = Set(metric.samples.keys.flatMap(\.keys)).subtracting(["le", "part"]).sorted()
        guard !labels.isEmpty else { continue }
        let listed = guide.firstMatch(of: try Regex("`\(name)\\{([a-z,]+)\\}`"))?.output[1].substring
        #expect(listed.map { $0.split(separator: ",").map(String.init).sorted() } == labels, "the labels of \(name)")
      }
      for name in guide.matches(of: /tracseq_[a-z_]+/) { #expect(metrics[String(name.0)] != nil, "\(name.0)") }
    }
  }

  @Test(arguments: Depth.allCases) func ofRequests(at depth: Depth) async throws {
    try await TestAPI.run(depth) { api in
      for _ in 0..<3 { _ = try await api.get("/v1/stats") }
      _ = try await api.get("/v1/sagas/019c0000-0000-7000-8000-000000000000")
      _ = try await api.get("/v1/workflows/x/7")
      let metrics = try read(try await api.get("/metrics")).metrics
      let requests = try #require(metrics["tracseq_http_requests_total"]).samples
      #expect(requests[["route": "/v1/stats", "method": "GET", "status": "2xx"]] == 3)
      #expect(requests[["route": "/v1/sagas/{id}", "method": "GET", "status": "4xx"]] == 1)
      #expect(requests[["route": "/v1/workflows/{name}/{version}", "method": "GET", "status": "4xx"]] == 1)
      let times = try #require(metrics["tracseq_http_request_seconds"]).samples
      #expect(times[["route": "/v1/stats", "method": "GET", "part": "count"]] == 3)
    }
  }

  /// Whatever clients send, the number of series stays that of the routes.
  @Test func requestsWithoutARouteAreOneSeries() {
    let meters = RequestMeters()
    for number in 0..<500 {
      guard let request = try? HTTPServerRequest(number.isMultiple(of: 2) ? "GET" : "M\(number)", "/x\(number)") else {
        Issue.record("no request \(number)")
        continue
      }
      meters.answered(request, route: nil, HTTPServerResponse(status: 404), in: .zero)
    }
    #expect(
      meters.requests.samples.map(\.labels) == [["none", "GET", "4xx"], ["none", "other", "4xx"]])
    #expect(meters.durations.samples.map(\.count) == [250, 250])
  }

  @Test func theOldestOfEachKindOfIncident() async throws {
    let engine = FakeEngine()
    try engine.register(Samples.pivot)
    let id = try engine.start("sequence")
    try engine.settle(id, "load", .unknown(Samples.lost))
    engine.clock.advance(by: .seconds(90))
    try await TestAPI.run(engine: engine) { api in
      let metrics = try read(try await api.get("/metrics")).metrics
      #expect(metrics["tracseq_incident_sagas"]?.samples[["kind": "stuck"]] == 1)
      #expect(metrics["tracseq_incident_oldest_seconds"]?.samples[["kind": "stuck"]] == 90)
      #expect(metrics["tracseq_incident_oldest_seconds"]?.samples[["kind": "overdue"]] == 0)
    }
  }

  @Test(arguments: Depth.allCases) func withKafka(at depth: Depth) async throws {
    let kafka = FakeKafka(
      .sample(.held, lagEvents: 3, lag: .milliseconds(12_034), problem: .unreachable),
      consumers: [.sample(lag: 4), .sample("saga.replies")])
    try await TestAPI.run(depth, kafka: kafka) { api in
      let metrics = try read(try await api.get("/metrics"))
      #expect(metrics["tracseq_echo_lag_events"] == 3)
      #expect(metrics["tracseq_echo_lag_seconds"] == 12.034)
      #expect(metrics["tracseq_echo_held"] == 1)
      #expect(metrics["tracseq_echo_delivered_total"] == 400)
      #expect(metrics["tracseq_echo_dead_lettered_total"] == 1)
      #expect(metrics["tracseq_degraded"] == 1)
      let commands = ["group": "saga-engine", "topic": "saga.commands"]
      #expect(metrics.metrics["tracseq_consumer_lag"]?.samples[commands] == 4)
      #expect(metrics.metrics["tracseq_consumer_lag"]?.samples.count == 2)
      #expect(metrics.metrics["tracseq_consumer_handled_total"]?.samples[commands] == 17)
      #expect(metrics["tracseq_kafka_queued_messages"] == 3)
      #expect(metrics["tracseq_kafka_round_trip_seconds"] == 0.00125)
      #expect(metrics.metrics["tracseq_consumer_dead_lettered_total"]?.samples[commands] == 2)
      kafka.show(.sample())
      #expect(try read(try await api.get("/metrics"))["tracseq_degraded"] == 0)
    }
  }

  /// Without metrics while the engine recovers, or its store is unavailable, a monitor would take the engine for dead.
  @Test func theyAnswerWhateverHappens() async throws {
    let engine = FakeEngine()
    let kafka = FakeKafka()
    engine.isReady = false
    try await TestAPI.run(engine: engine, kafka: kafka) { api in
      #expect(try read(try await api.get("/metrics"))["tracseq_ready"] == 0)
      engine.fail(StoreError(.unavailable, "The store is away."))
      kafka.fail(StoreError(.unavailable, "The store is away."))
      let metrics = try read(try await api.get("/metrics"))
      #expect(metrics["tracseq_ready"] == 0)
      #expect(metrics["tracseq_degraded"] == 1)
      #expect(metrics.metrics["tracseq_sagas"] == nil)
      #expect(metrics.metrics["tracseq_echo_lag_events"] == nil)
    }
  }

  @Test func aHistogramIsReadAsItWasCounted() throws {
    let family = HistogramFamily(
      MetricFamily("x_seconds", "X.", labels: [.open("step")]), upTo: [.milliseconds(5), .milliseconds(1_250)])
    family.add(.milliseconds(5), "a")
    family.add(.microseconds(1_250_001), "a")
    var text = PrometheusText()
    text.add(family)
    text.add(CounterFamily(MetricFamily("nothing_total", "Nothing.")))
    let read = try Exposition(text.text)
    #expect(
      read.metrics["x_seconds"]?.samples == [
        ["step": "a", "part": "bucket", "le": "0.005"]: 1, ["step": "a", "part": "bucket", "le": "1.25"]: 1,
        ["step": "a", "part": "bucket", "le": "+Inf"]: 2, ["step": "a", "part": "sum"]: 1.255_001,
        ["step": "a", "part": "count"]: 2,
      ])
    #expect(read.metrics.count == 1)
  }

  @Test func whatStandsInALabelOrAHelpComesThrough() throws {
    var text = PrometheusText()
    let awkward = "a\\n\n\"b\", c=\"{}\" é\u{301}\r\n"
    text.add(
      "x", .gauge, "one\ntwo \\ \"three\"", [.init(1, ["l": awkward, "m": ""]), .init(-9_223_372_036_854_775_808)])
    text.add("nothing", .gauge, "", [])
    let read = try Exposition(text.text)
    #expect(read.metrics["x"]?.help == "one\ntwo \\ \"three\"")
    #expect(read.metrics["x"]?.samples[["l": awkward, "m": ""]] == 1)
    #expect(read["x"] == -9_223_372_036_854_775_808)
    #expect(read.metrics["nothing"] == nil)
  }

  @Test(
    arguments: [
      (Duration.zero, "0.000"), (.milliseconds(5), "0.005"), (.milliseconds(61_250), "61.250"),
      (.milliseconds(-1_500), "-1.500"), (.microseconds(999), "0.000999"),
    ])
  func seconds(_ duration: Duration, _ text: String) {
    #expect(PrometheusText.Sample(seconds: duration).value == text)
  }
}

extension FakeEngine {
  /// Gives each metric that the engine counts one series.
  fileprivate func countEverything() {
    for counters in meters.counters { counters.add(1, labels: counters.family.labels.map { _ in "x" }) }
    for histograms in meters.histograms {
      histograms.add(.seconds(1), labels: histograms.family.labels.map { _ in "x" })
    }
  }
}
