import Foundation
import HTTP
import JSON
import TestSupport
import Testing
import Values

/// The real program with TLS on every side: its own port, Postgres, and Kafka.
@Suite("TLS of the real program", .serialized, .timeLimit(.minutes(15)), .apart)
struct TLSTests {
  static let workflow: JSON = [
    "name": "w", "version": 1, "timeout": "1h", "steps": [["id": "a", "delay": ["for": "0s"]]],
  ]

  private func saga(
    _ site: Site, _ words: String..., variables: [String: String] = [:]
  ) async throws -> (status: Int32, text: String) {
    let result = try await TestProcess.run(TestProgram.path("saga"), words, in: site.folder, variables: variables)
    return (result.status, String(decoding: result.bytes, as: UTF8.self))
  }

  private func copy(_ from: TestAuthority.Identity, over to: TestAuthority.Identity) throws {
    for (from, to) in [(from.certificate, to.certificate), (from.key, to.key)] {
      try Data(contentsOf: URL(fileURLWithPath: from)).write(to: URL(fileURLWithPath: to))
    }
  }

  /// Starts a saga and waits until it has completed.
  private func runSaga(_ site: Site, _ engine: SagaProcess, key: String) async throws {
    let registered = try await site.call("POST", "\(engine.url)/v1/workflows", body: Self.workflow)
    #expect([200, 201].contains(registered.status), "\(registered.body.text())")
    let answer = try await site.call(
      "POST", "\(engine.url)/v1/workflows/w/sagas?wait=60s", body: ["input": [:]], headers: ["Idempotency-Key": key])
    #expect(answer.body["status"] == "completed", "\(answer.body.text())")
  }

  // MARK: The engine's own port

  @Test("An engine with a certificate is used by the command line and a worker, and renews it without a restart")
  func certificate() async throws {
    let authority = try await TestAuthority()
    let files = try await authority.issue("server")
    let site = try await Site(.sqlite, trusting: authority.certificate)
    let created = try await saga(site, "key", "create", "--keys", "keys.json", "--name", "anna", "--role", "admin")
    let key = String(try #require(created.text.split(separator: "\n").last))
    let headers = ["Authorization": "Bearer \(key)"]
    let engine = try await SagaProcess.listening(
      [
        "serve", "--store", site.engineStore, "--port", "0", "--keys", "keys.json", "--tls-cert", files.certificate,
        "--tls-key", files.key,
      ], in: site.folder)
    #expect(engine.url.hasPrefix("https://"))
    try await eventually("it says so") { engine.said.contains("tls        with a certificate until 2") }

    // 1. The command line trusts the authority that it is given, and no other.
    let list = ["list", "--server", engine.url]
    func run(_ more: [String], _ variables: [String: String] = [:]) async throws -> (status: Int32, text: String) {
      let result = try await TestProcess.run(
        TestProgram.path("saga"), list + more, in: site.folder,
        variables: ["SAGA_KEY": key].merging(variables) { _, new in new })
      return (result.status, String(decoding: result.bytes, as: UTF8.self))
    }
    #expect(try await run(["--ca", authority.certificate]).status == 0)
    #expect(try await run([], ["SAGA_CA": authority.certificate]).status == 0)
    let untrusted = try await run([])
    #expect(untrusted.status == 1)
    #expect(untrusted.text.contains("cli.serverUnreachable") && untrusted.text.contains("--ca FILE"))
    let missing = try await run(["--ca", "/none.pem"])
    #expect(missing.status == 1 && missing.text.contains("cli.fileUnreadable"))
    let plain = try await saga(site, "list", "--server", engine.url.replacing("https://", with: "http://"))
    #expect(plain.status == 1 && plain.text.contains("http.tlsNeeded"))

    // 2. The worker of docs/workers.md.
    let task: JSON = [
      "name": "t", "version": 1, "timeout": "1h",
      "steps": [["id": "a", "compensation": "none", "task": ["queue": "q0", "input": ["n": 1]]]],
    ]
    let registered = try await site.call("POST", "\(engine.url)/v1/workflows", body: task, headers: headers)
    #expect(registered.status == 201)
    let program = try #require(try Repository.blocks("python", of: "docs/workers.md").first)
    let file = site.folder.appendingPathComponent("worker.py")
    try Data(program.utf8).write(to: file)
    let worker = try TestProcess(
      "python3", [file.path, "q0", engine.url], in: site.folder,
      variables: ["SSL_CERT_FILE": authority.certificate, "SAGA_KEY": key])
    let done = try await site.call(
      "POST", "\(engine.url)/v1/workflows/t/sagas?wait=60s", body: ["input": [:]], headers: headers)
    #expect(done.body["status"] == "completed", "\(done.body.text())")
    #expect(await worker.stop() == 0)

    // 3. A renewed certificate, which is of another authority so that it can be told apart.
    let other = try await TestAuthority("other")
    try copy(try await other.issue("renewed"), over: files)
    engine.send(SIGHUP)
    try await eventually("the certificate was read again") { engine.said.contains("The certificate was read again") }
    #expect(try await run(["--ca", other.certificate]).status == 0)
    #expect(try await run(["--ca", authority.certificate]).status == 1)

    // 4. A broken one changes nothing, and the log, the readiness and the metrics say so.
    try Data("broken".utf8).write(to: URL(fileURLWithPath: files.certificate))
    engine.send(SIGHUP)
    try await eventually("the log says so") { engine.said.contains("code=http.certificateUnusable") }
    #expect(try await run(["--ca", other.certificate]).status == 0)
    let reader = try await Site(.sqlite, trusting: other.certificate)
    let ready = try await reader.call("GET", "\(engine.url)/readyz", headers: headers)
    #expect(ready.status == 200 && ready.body["status"] == "degraded")
    #expect(ready.body["reasons"]?[0]?["code"] == .string(HTTPErrorCode.certificateUnusable))
    try copy(try await other.issue("again"), over: files)
    engine.send(SIGHUP)
    try await eventually("the engine is ready again") {
      try await reader.call("GET", "\(engine.url)/readyz", headers: headers).body["status"] == "ready"
    }
    #expect(await engine.stop() == 0)
    await reader.close()
    await site.close()
  }

  @Test("An engine whose certificate can't be used does not start")
  func unusable() async throws {
    let authority = try await TestAuthority()
    let (files, other) = (try await authority.issue("server"), try await authority.issue("other"))
    let site = try await Site(.sqlite)
    let wrong = try await saga(
      site, "serve", "--store", "memory", "--port", "0", "--tls-cert", files.certificate, "--tls-key", other.key)
    #expect(wrong.status == 1 && wrong.text.contains(HTTPErrorCode.certificateUnusable))
    let half = try await saga(site, "serve", "--store", "memory", "--port", "0", "--tls-cert", files.certificate)
    #expect(half.status == 2 && half.text.contains("--tls-key"))
    await site.close()
  }

  // MARK: Postgres

  @Test("An engine runs on a Postgres that takes TLS only, and refuses a server that it can't trust")
  func postgres() async throws {
    try #require(Site.hasPostgres, "No Postgres: run the tests with scripts/with-postgres in front")
    let authority = try await TestAuthority()
    let other = try await TestAuthority("other")
    let site = try await Site(.sqlite)
    let cluster = try await PostgresCluster.overTLS(in: site.folder, try await authority.issue("server"))
    func store(_ mode: String, trusting authority: TestAuthority) -> String {
      "postgresql://tracseq:geheim@127.0.0.1:\(cluster.port)/postgres?sslmode=\(mode)&sslrootcert="
        + authority.certificate
    }
    let engine = try await SagaProcess.listening(
      ["serve", "--store", store("verify-full", trusting: authority), "--port", "0", "--log-level", "debug"],
      in: site.folder)
    try await runSaga(site, engine, key: "k")
    // Writers, readers, the read model and the follower of notifications: none of them goes past TLS.
    let sessions = try await cluster.query(
      "select count(*), count(*) filter (where ssl) from pg_stat_activity join pg_stat_ssl using (pid) "
        + "where application_name like 'tracseq%'")
    let counts = sessions.split(whereSeparator: { !$0.isNumber }).compactMap { Int($0) }
    #expect(counts.count == 2 && counts[0] > 0 && counts[0] == counts[1], "\(sessions)")
    #expect(await engine.stop() == 0)
    #expect(!engine.said.contains("geheim"))

    for (mode, trusted, why) in [
      ("verify-full", other, "certificate verify failed"), ("disable", authority, "no encryption"),
    ] {
      let refused = try await saga(site, "serve", "--store", store(mode, trusting: trusted), "--port", "0")
      #expect(refused.status == 1 && refused.text.contains("store.unavailable"), "\(refused.text)")
      #expect(refused.text.contains(why) && !refused.text.contains("geheim"), "\(refused.text)")
    }
    await cluster.stopAtOnce()
    await site.close()
  }

  // MARK: Kafka

  @Test("An engine publishes to a Kafka behind TLS, and says why when it can't trust the broker")
  func kafka() async throws {
    let authority = try await TestAuthority()
    let other = try await TestAuthority("other")
    let identity = try await authority.issue("broker")
    // The mock cluster has no TLS: this endpoint in front of it has.
    let broker = try await TestBroker.mock(topics: [
      "laboratory.saga.events:2", "saga.commands:1", "saga.replies:1", "laboratory.dead-letter:1",
    ])
    let port = try #require(broker.brokers.split(separator: ":").last.map(String.init))
    let script = Repository.root.appendingPathComponent("Tests/System/Clients/Python/kafka_tls.py").path
    let endpoint = try TestProcess(
      "python3", [script, port, identity.certificate, identity.key], keepsInput: true)
    var secured = ""
    for await line in endpoint.lines where line.hasPrefix("LISTENS ") {
      secured = "127.0.0.1:\(line.dropFirst(8))"
      break
    }
    let site = try await Site(.sqlite)
    func start(_ store: String, trusting authority: TestAuthority) async throws -> SagaProcess {
      try await .listening(
        [
          "serve", "--store", store, "--port", "0", "--kafka", secured, "--kafka-config", "security.protocol=SSL",
          "--kafka-config", "ssl.ca.location=env:KAFKA_CA",
        ], in: site.folder, variables: ["KAFKA_CA": authority.certificate])
    }
    let engine = try await start(site.engineStore, trusting: authority)
    try await runSaga(site, engine, key: "k")
    var echo = JSON.null
    try await eventually("the echo has delivered everything: \(echo.text().prefix(300))", within: .seconds(240)) {
      echo = try await site.call("GET", "\(engine.url)/v1/echo").body
      return echo["lagEvents"] == 0 && (echo["delivered"]?.intValue ?? 0) > 0
    }
    #expect(await engine.stop() == 0)

    let distrustful = try await start("memory", trusting: other)
    var ready = JSON.null
    try await eventually("the readiness says why: \(ready.text().prefix(600))", within: .seconds(120)) {
      ready = try await site.call("GET", "\(distrustful.url)/readyz").body
      let message = ready["reasons"]?[0]?["message"]?.stringValue ?? ""
      return message.contains("kafka.notAllowed") && message.contains("certificate verify failed")
    }
    #expect(ready["status"] == "degraded" && ready["reasons"]?[0]?["code"] == "echo.held")
    // Sagas do not wait for Kafka.
    try await runSaga(site, distrustful, key: "k")
    #expect(await distrustful.stop() == 0)
    endpoint.closeInput()
    await endpoint.status()
    await site.close()
  }
}
