import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

@Suite("A real Prometheus watches the engine", .timeLimit(.minutes(15)), .inTurn)
struct MonitoringTests {
  private static let dashboard = "deploy/grafana/tracseq-sagas.json"

  private static func promtool(_ arguments: String..., input: [UInt8] = []) async throws -> (Int32, String) {
    try PrometheusServer.require("promtool")
    let run = try await TestProcess.run("promtool", arguments, in: Repository.root, input: input)
    return (run.status, String(decoding: run.bytes, as: UTF8.self))
  }

  @Test("promtool accepts the rules and the settings")
  func rules() async throws {
    for arguments in [
      ["check", "rules", "deploy/prometheus/rules.yml"], ["check", "config", "deploy/prometheus/prometheus.yml"],
    ] {
      let run = try await TestProcess.run("promtool", arguments, in: Repository.root)
      #expect(run.status == 0, "\(String(decoding: run.bytes, as: UTF8.self))")
    }
  }

  @Test("Each alert fires when its condition is true for long enough, and resolves afterwards")
  func alerts() async throws {
    let (status, text) = try await Self.promtool("test", "rules", "deploy/prometheus/rules-test.yml")
    #expect(status == 0, "\(text)")
  }

  @Test("The metrics of an engine that has run sagas pass promtool, and every query of dashboard and rules works")
  func live() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab()
    let engine = try await site.startEngine(lab: lab)
    for number in 1...3 {
      let started = try await site.start(number, at: engine, wait: "60s")
      #expect(started.body["status"] == "completed", "\(started.body)")
    }
    // A path without a route.
    _ = try await site.call("GET", "\(engine.url)/v1/nothing")

    // 1. The text itself.
    let metrics = try await site.client.send(HTTPClientRequest(method: "GET", url: "\(engine.url)/metrics"))
    let (status, findings) = try await Self.promtool("check", "metrics", input: metrics.body)
    #expect(status == 0 && findings.isEmpty, "\(findings)")

    // 2. What Prometheus reads from it.
    let prometheus = try await PrometheusServer(reading: engine, at: site)
    for query in [
      "up{job=\"tracseq\"} == 1", "sum(tracseq_sagas_started_total{workflow=\"sample-processing\"}) == 3",
      "sum(tracseq_sagas_ended_total{end=\"completed\"}) == 3", "tracseq_calls_total{service=\"storage\"} > 0",
      "sum(tracseq_append_events_sum) >= sum(tracseq_append_events_count)",
      "tracseq_http_requests_total{route=\"none\",status=\"4xx\"} == 1", "tracseq_build_info == 1",
      "process_resident_memory_bytes{job=\"tracseq\"} > 1e6", "tracseq_store_bytes > 1e4",
      "histogram_quantile(0.5, sum by (le) (tracseq_saga_seconds_bucket)) > 0", "tracseq_ready == 1",
    ] {
      try await eventually("Prometheus finds \(query)") { try await !prometheus.query(query).isEmpty }
    }

    // 3. The dashboard.
    let queries = try Self.dashboardQueries()
    #expect(queries.count > 40)
    for query in queries { _ = try await prometheus.query(query) }

    // 4. The rules: each is evaluated without an error, and none fires for a healthy engine. One that was evaluated before
    // Prometheus had read the engine is pending until its next evaluation.
    var last: [JSON] = []
    try await eventually("every rule is evaluated, and inactive: \(last)") {
      let groups = try await prometheus.ask("/api/v1/rules")["groups"]?.arrayValue ?? []
      let rules = groups.flatMap { $0["rules"]?.arrayValue ?? [] }
      last = rules.filter { rule in
        // The disk of this machine is not the test's.
        let isOfTheDisk = rule["name"] == "StoreDiskFull" || rule["name"] == "StoreDiskFilling"
        return rule["health"] != "ok" || (!isOfTheDisk && rule["state"] != "inactive")
      }
      return !rules.isEmpty && last.isEmpty
    }

    // 5. An engine that ends is noticed.
    _ = await engine.stop()
    try await eventually("Prometheus sees that the engine is away") {
      let alerts = try await prometheus.ask("/api/v1/alerts")["alerts"]?.arrayValue ?? []
      return alerts.contains { $0["labels"]?["alertname"] == "EngineDown" }
    }
    await prometheus.stop()
    _ = await lab.stop()
    await site.close()
  }

  /// Returns the queries of all panels and variables, with values for the variables.
  private static func dashboardQueries() throws -> [String] {
    let dashboard = try JSON(parsing: try Repository.bytes(dashboard))
    let panels = dashboard["panels"]?.arrayValue ?? []
    let annotations = dashboard["annotations"]?["list"]?.arrayValue ?? []
    let queries = (panels.flatMap { $0["targets"]?.arrayValue ?? [] } + annotations).compactMap {
      $0["expr"]?.stringValue
    }
    return queries.map { query in
      query.replacing("$__rate_interval", with: "1m").replacing("$instance", with: ".*")
        .replacing("$workflow", with: ".*")
    }
  }

  @Test("With the log on info and as JSON, each event in a saga's life is one line")
  func log() async throws {
    let site = try await Site(.sqlite)
    let lab = try await site.startLab()
    let engine = try await site.startEngine(lab: lab, ["--log-level", "info", "--log-format", "json"])
    let started = try await site.start(1, at: engine, wait: "60s")
    let id = try #require(started.body["id"]?.stringValue)
    let lines = try await eventualValue("the log has the end of the saga") { () -> [JSON]? in
      let lines = engine.said.split(separator: "\n").compactMap { try? JSON(parsing: Array($0.utf8)) }
        .filter { $0["saga"]?.stringValue == id }
      return lines.contains { $0["end"] != nil } ? lines : nil
    }
    #expect(lines.compactMap { $0["message"]?.stringValue } == ["Started a saga", "A saga ended"])
    #expect(lines.allSatisfy { $0["workflow"] == "sample-processing" && $0["level"] == "info" })
    #expect(engine.said.contains("Registered a workflow"))
    // The input is in no line.
    #expect(!engine.said.contains("TS-100001") && !engine.said.contains("ward-7@lab.example"))
    _ = await engine.stop()
    _ = await lab.stop()
    await site.close()
  }
}
