import Foundation
import HTTP
import JSON
import TestSupport
import Testing

/// A Prometheus of its own, on the loopback address.
struct PrometheusServer {
  struct Missing: Error, CustomStringConvertible {
    let description: String
  }

  private let process: TestProcess
  let url: String
  private let site: Site

  /// Starts a server that reads an engine each second, with the rules of the repository.
  /// - Throws: `Missing` when no Prometheus is installed: without it the metrics are not tested.
  init(reading engine: SagaProcess, at site: Site) async throws {
    self.site = site
    let folder = try TestFolder.new("prometheus")
    let settings = folder.appendingPathComponent("prometheus.yml")
    let rules = Repository.root.appendingPathComponent("deploy/prometheus/rules.yml").path
    try """
    global: { scrape_interval: 1s, evaluation_interval: 1s }
    rule_files: ['\(rules)']
    scrape_configs:
      - job_name: tracseq
        static_configs: [{ targets: ['\(engine.url.replacing("http://", with: ""))'] }]
    """.write(to: settings, atomically: true, encoding: .utf8)
    try Self.require("prometheus")
    process = try TestProcess(
      "prometheus",
      [
        "--config.file=\(settings.path)", "--storage.tsdb.path=\(folder.path)/data",
        "--web.listen-address=127.0.0.1:0",
      ])
    var said: [String] = []
    for await line in process.lines {
      said.append(line)
      if let match = line.firstMatch(of: #/msg="Listening on" address=(127\.0\.0\.1:[0-9]+)/#) {
        url = "http://\(match.output.1)"
        let process = process
        Task { for await _ in process.lines {} }
        let ready = HTTPClientRequest(method: "GET", url: "\(url)/-/ready")
        try await eventually("Prometheus is ready") { try await site.client.send(ready).status == 200 }
        return
      }
    }
    throw Missing(description: "Prometheus did not say where it listens: \(said)")
  }

  static func require(_ program: String) throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/\(program)") else {
      throw Missing(description: "\(program) is missing: run scripts/install-needs test")
    }
  }

  /// Returns the answer to a request of its API: the member `data`.
  func ask(_ path: String) async throws -> JSON {
    let answer = try await site.call("GET", url + path)
    #expect(answer.status == 200 && answer.body["status"] == "success", "\(path): \(answer.body)")
    return answer.body["data"] ?? .null
  }

  /// Returns the series that a query has now.
  func query(_ text: String) async throws -> [JSON] {
    let encoded = try #require(text.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
    return try await ask("/api/v1/query?query=\(encoded)")["result"]?.arrayValue ?? []
  }

  func stop() async { _ = await process.stop() }
}
