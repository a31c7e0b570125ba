import Foundation
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

/// A laboratory and an engine in a folder of their own, talked to over HTTP.
final class Site: Sendable {
  enum Store: String, CaseIterable { case sqlite, postgres }

  let folder: URL
  let engineStore: String
  let client: HTTPClient

  /// - Parameter authorities: the file of the certificate authorities that the client trusts; nil for the machine's.
  init(_ store: Store, trusting authorities: String? = nil) async throws {
    client = HTTPClient(HTTPClientConfiguration(certificateAuthorities: authorities))
    folder = try TestFolder.new("site")
    switch store {
    case .sqlite: engineStore = "sqlite:\(folder.path)/engine.db"
    case .postgres: engineStore = "postgres:" + (try await Self.newDatabase())
    }
  }

  static var hasPostgres: Bool { ProcessInfo.processInfo.environment["TRACSEQ_TEST_POSTGRES"] != nil }
  static var isCI: Bool { ProcessInfo.processInfo.environment["CI"] != nil }

  /// A database of its own in the throwaway cluster.
  private static func newDatabase() async throws -> String {
    let cluster = try #require(
      ProcessInfo.processInfo.environment["TRACSEQ_TEST_POSTGRES"],
      "No Postgres: run the tests with scripts/with-postgres in front, as `make test` does")
    let name = "system_" + Environment.system.newID().description.replacing("-", with: "_")
    let psql = try await TestProcess.run("psql", ["-q", "-d", cluster, "-c", "create database \(name)"])
    #expect(psql.status == 0, "psql could not create a database: \(String(decoding: psql.bytes, as: UTF8.self))")
    var url = try #require(URLComponents(string: cluster))
    url.path = "/" + name
    return try #require(url.string)
  }

  /// Ends every session of the engine's database, as the server does with silent ones.
  func endSessions() async throws {
    let url = try #require(engineStore.split(separator: ":", maxSplits: 1).last.map(String.init))
    let statement =
      "select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity "
      + "where datname = current_database() and pid <> pg_backend_pid()"
    let psql = try await TestProcess.run("psql", ["-q", "-A", "-t", "-d", url, "-c", statement])
    #expect(psql.status == 0, "psql could not end the sessions: \(String(decoding: psql.bytes, as: UTF8.self))")
  }

  func startLab(_ more: String...) async throws -> SagaProcess {
    try await .listening(
      ["lab", "--store", "sqlite:\(folder.path)/lab.db", "--port", "0"] + more, in: folder)
  }

  func startEngine(lab: SagaProcess, port: Int = 0, _ more: [String] = []) async throws -> SagaProcess {
    let services = [
      "samples", "storage", "sequencing", "notification", "accession", "qc", "pipeline", "library-prep", "pooling",
    ]
    .flatMap {
      ["--service", "\($0)=\(lab.url)/\($0),tombstones"]
    }
    let workflows = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("workflows")
    return try await .listening(
      ["serve", "--store", engineStore, "--port", "\(port)", "--workflows", workflows.path] + services + more,
      in: folder)
  }

  func close() async {
    await client.shutdown()
  }

  // MARK: Talking

  struct Answer {
    let status: Int
    let body: JSON
  }

  func call(_ method: String, _ url: String, body: JSON? = nil, headers: [String: String] = [:]) async throws -> Answer
  {
    var all = HTTPHeaders()
    if body != nil { all.add("Content-Type", "application/json") }
    for (name, value) in headers { all.add(name, value) }
    let response = try await client.send(
      HTTPClientRequest(
        method: method, url: url, headers: all, body: body?.bytes() ?? [], timeout: .seconds(90),
        maxResponseBytes: 64 << 20))
    return Answer(status: response.status, body: response.body.isEmpty ? .null : try JSON(parsing: response.body))
  }

  /// A tube that the laboratory takes.
  static func tube(_ number: Int) -> JSON {
    [
      "barcode": .string("TS-\(100_000 + number)"), "type": "blood", "volumeMl": 4, "temperature": "+4",
      "patientId": .string("P-\(number)"), "priority": "routine", "assay": "WGS-30x",
      "requestedBy": "ward-7@lab.example",
    ]
  }

  /// Starts a saga; the same number is the same start.
  func start(_ number: Int, at engine: SagaProcess, wait: String? = nil) async throws -> Answer {
    try await call(
      "POST", "\(engine.url)/v1/workflows/sample-processing/sagas" + (wait.map { "?wait=\($0)" } ?? ""),
      body: ["input": Self.tube(number)], headers: ["Idempotency-Key": "tube-\(number)"])
  }

  /// Registers a workflow that waits for an hour, and starts a saga of it.
  /// - Returns: the id of the saga.
  func startWaiting(at engine: SagaProcess, headers: [String: String]) async throws -> String {
    let registered = try await call(
      "POST", "\(engine.url)/v1/workflows",
      body: ["name": "w", "version": 1, "timeout": "2h", "steps": [["id": "a", "delay": ["for": "1h"]]]],
      headers: headers)
    #expect(registered.status == 201)
    let started = try await call(
      "POST", "\(engine.url)/v1/workflows/w/sagas", body: ["input": [:]], headers: headers)
    return try #require(started.body["id"]?.stringValue)
  }
}
