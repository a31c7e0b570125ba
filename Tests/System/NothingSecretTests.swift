import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

/// An engine with every kind of secret at once. Everything that it writes and answers is searched for each of them.
@Suite("Nothing secret is written or answered", .timeLimit(.minutes(15)), .inTurn)
struct NothingSecretTests {
  @Test(
    "No store, log, topic, metric, answer, page or command has a secret of the engine",
    arguments: Site.hasPostgres ? Site.Store.allCases : [.sqlite])
  func nowhere(_ kind: Site.Store) async throws {
    let site = try await Site(kind)
    let world = try SecretWorld()
    let broker = try await TestBroker.mock(topics: SecretWorld.topics.map { "\($0):1" })
    let browser = try Chromium()
    let found = SearchedTexts()
    let result: Result<Void, any Error>
    do { result = .success(try await play(site, world, broker, browser, found)) } catch { result = .failure(error) }
    await browser.quit()
    await world.close()
    await site.close()
    try result.get()
    found.search(for: world.planted)
  }

  private func play(
    _ site: Site, _ world: SecretWorld, _ broker: TestBroker, _ browser: Chromium, _ found: SearchedTexts
  ) async throws {
    let made = try await TestProcess.run(
      TestProgram.path("saga"), ["key", "create", "--keys", "keys.json", "--name", "ops", "--role", "admin"],
      in: site.folder)
    let key = String(try #require(String(decoding: made.bytes, as: UTF8.self).split(separator: "\n").last))
    world.plant("the key", String(key.suffix(64)))
    let store = try world.store(of: site)
    let engine = try await SagaProcess.listening(
      ["serve", "--store", store, "--port", "0"] + (try world.settings(in: site.folder))
        + ["--kafka", broker.brokers] + SecretWorld.topics.flatMap { ["--kafka-topic", "\($0)=\($0)"] }
        + ["--log-level", "debug"], in: site.folder, variables: world.variables)
    let caller = SecretCaller(site: site, engine: engine, key: key, found: found)

    // 1. A saga whose service repeats what it gets, a notice whose receiver does, and a sign-in of each kind.
    let id = try await caller.stuckSaga()
    try await eventually("the receiver has refused a notice") {
      try await caller.ask("GET", "/v1/notices").json["destinations"]?[0]?["failures"]?.intValue ?? 0 > 0
    }
    try await signIn(caller, world)
    try await refusals(caller, world)
    let test = try await caller.ask("POST", "/v1/notices/test", ["destination": "pager"])
    #expect(test.json["problem"]?["message"]?.stringValue?.contains("***") == true, "the receiver repeats its URL")

    // 2. Every route that reads, the console, and the commands.
    let description = try await caller.ask("GET", "/openapi.json").json
    let paths = description["paths"]?.objectValue ?? [:]
    for (path, routes) in paths where routes["get"] != nil && path != "/v1/events" {
      _ = try await caller.ask("GET", SecretWorld.filled(path, saga: id))
    }
    #expect(paths.count > 40)
    for page in ["/", "/errors", "/errors/access.keyUnknown", "/console/app.js"] {
      _ = try await caller.ask("GET", page)
    }
    try await look(browser, engine, key, id, found)
    for words in [
      ["list"], ["show", id], ["why", id], ["timeline", id], ["events", id], ["incidents"], ["notices"], ["status"],
      ["echo"], ["audit"], ["workflows", "list"], ["tasks"], ["locks"], ["projections"], ["ops", "list"],
      ["show", "none"],
    ] {
      for words in [words, words + ["--json"]] { try await caller.run(words, key: key) }
    }
    try await caller.run(["list", "--json"], key: key + "0")

    // 3. What was written.
    try await eventually("every event is published") {
      try await caller.ask("GET", "/v1/echo").json["lagEvents"] == 0
    }
    for topic in SecretWorld.topics {
      found.add("topic \(topic)", Data(try await Kcat.dump(topic, "%k %h %s\n", at: broker.brokers).joined().utf8))
    }
    #expect(found.size(of: "topic events") > 1_000)
    #expect(await engine.stop() == 0)
    #expect(engine.said.contains("access.keyUnknown") && engine.said.contains("The receiver answered"))
    found.add("the log", Data(engine.said.utf8))
    try await found.addStore(of: site, besides: world.secretFiles)
  }

  /// Signs in with a token, with a key, and at the provider.
  private func signIn(_ caller: SecretCaller, _ world: SecretWorld) async throws {
    let token = world.token(["aud": "api"])
    world.plant("the token of a caller", token)
    let me = try await caller.ask("GET", "/v1/me", headers: ["Authorization": "Bearer \(token)"])
    #expect(me.json["subject"] == "anna-17")
    for claims: JSONObject in [["aud": "api", "exp": 1], ["aud": "other"]] {
      let wrong = world.token(claims)
      world.plant("a wrong token", wrong)
      #expect(try await caller.ask("GET", "/v1/me", headers: ["Authorization": "Bearer \(wrong)"]).status == 401)
    }
    let page = ["Origin": caller.engine.url]
    let withKey = try await caller.ask("POST", "/v1/session", ["key": .string(caller.key)], headers: page)
    world.plant("the session of a key", try #require(withKey.cookie("saga_session")))

    let begun = try await caller.ask("POST", "/v1/session/provider", [:], headers: page, isSearched: false)
    let cookie = try #require(begun.cookie("saga_signin"))
    let location = try #require(begun.json["location"]?.stringValue.flatMap { URLComponents(string: $0) })
    func parameter(_ name: String) -> String { location.queryItems?.first { $0.name == name }?.value ?? "" }
    world.nonce(parameter("nonce"))
    world.plant("the sign-in", cookie)
    for code in ["planted-code", "planted-wrong-code"] {
      let finished = try await caller.ask(
        "POST", "/v1/session/provider/finish", ["code": .string(code), "state": .string(parameter("state"))],
        headers: page.merging(["Cookie": "saga_signin=\(cookie)"]) { $1 })
      #expect(finished.status == (code == "planted-code" ? 200 : 401))
      if let session = finished.cookie("saga_session") { world.plant("the session of a token", session) }
    }
    #expect(world.sawClientSecret)
  }

  /// Sends secrets where they don't belong. No answer repeats them.
  private func refusals(_ caller: SecretCaller, _ world: SecretWorld) async throws {
    let key = caller.key
    for headers in [
      ["Authorization": key], ["Authorization": "Basic \(key)"], ["Authorization": "Bearer \(key)0"],
      ["Cookie": "saga_session=\(key)"], ["X-Api-Key": key],
    ] {
      #expect(try await caller.ask("GET", "/v1/stats", headers: headers).status == 401)
    }
    for body: JSON in [
      ["kee": .string(key)], ["key": [.string(key)]], ["key": ["a": .string(key)]], .string(key), [.string(key)],
      ["key": .string(key), "more": 1],
    ] {
      let answer = try await caller.ask("POST", "/v1/session", body, headers: ["Origin": caller.engine.url])
      #expect(answer.status == 400)
    }
    #expect(try await caller.ask("GET", "/v1/stats?key=\(key)").status == 400)
  }

  /// Signs in on the console with the key, and reads each page as a browser has it.
  private func look(
    _ browser: Chromium, _ engine: SagaProcess, _ key: String, _ id: String, _ found: SearchedTexts
  ) async throws {
    let page = try await browser.newPage()
    try await page.open("\(engine.url)/#/saga/\(id)")
    try await page.wait("!!document.querySelector('#key')")
    try await page.click("#key")
    try await page.type(key)
    try await page.press("Enter")
    try await page.waitForText("Live", in: "#live")
    for hash in ["#/saga/\(id)", "#/", "#/sagas", "#/operations", "#/tasks", "#/workflows", "#/workflow/echo/1"] {
      try await page.run("location.hash = '\(hash)'")
      try await page.wait("document.querySelector('main h1') && !document.querySelector('main .placeholder')")
      let text = try await page.run(
        """
        document.documentElement.outerHTML + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)
          + document.cookie + location.href
        """)
      found.add("the console's \(hash)", Data((text.stringValue ?? "").utf8))
    }
  }
}

/// What is around the engine: a service, its token server, an OpenID provider and a receiver of notices. All repeat what
/// they get.
private final class SecretWorld: Sendable {
  static let topics = ["events", "commands", "replies", "dead-letter"]

  private struct State {
    var planted: [(name: String, text: String)] = []
    var nonce = ""
    var sawClientSecret = false
    var issuer = ""
  }
  private let state = Mutex(State())
  private let signing: SigningKey
  private let server = Mutex<HTTPServer?>(nil)

  init() throws {
    signing = try #require(SigningKey.generate())
    let server = HTTPServer(environment: .system) { [self] request in answer(request) }
    let port = try server.start()
    state.withLock { $0.issuer = "http://127.0.0.1:\(port)" }
    self.server.withLock { $0 = server }
    for name in ["api-key", "service-secret", "service-token", "console-secret", "access-token", "hook", "sasl"] {
      plant(name, "planted-\(name)-4711")
    }
    plant("the client's header", Data("saga:planted-service-secret-4711".utf8).base64EncodedString())
    plant("the console's header", Data("console:planted-console-secret-4711".utf8).base64EncodedString())
    plant("the webhook's secret", Self.webhookKey)
    plant("a code", "planted-code")
    plant("another code", "planted-wrong-code")
  }

  func close() async { await server.withLock { $0 }?.shutdown(drain: .seconds(1)) }

  var planted: [(name: String, text: String)] { state.withLock { $0.planted } }
  var sawClientSecret: Bool { state.withLock { $0.sawClientSecret } }
  private var issuer: String { state.withLock { $0.issuer } }

  func plant(_ name: String, _ text: String) { state.withLock { $0.planted.append((name, text)) } }
  func nonce(_ nonce: String) { state.withLock { $0.nonce = nonce } }

  // MARK: The engine's settings

  private static let webhookKey = Data("planted-webhook-key-of-32-bytes!".utf8).base64EncodedString()
  let secretFiles = ["service.secret", "hook.secret", "hooks.json", "kafka.conf"]
  let variables = ["LIMS_KEY": "planted-api-key-4711", "CONSOLE_SECRET": "planted-console-secret-4711"]

  /// Returns the place of the store; a database gets a password, which its server does not ask for.
  func store(of site: Site) throws -> String {
    guard site.engineStore.hasPrefix("postgres:") else { return site.engineStore }
    var url = try #require(URLComponents(string: String(site.engineStore.dropFirst("postgres:".count))))
    url.password = "planted-database-4711"
    plant("the password of Postgres", "planted-database-4711")
    return "postgres:" + (try #require(url.string))
  }

  /// Writes the files, and returns the options that name them.
  func settings(in folder: URL) throws -> [String] {
    func write(_ name: String, _ text: String) throws {
      let file = folder.appendingPathComponent(name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    try write("service.secret", "planted-service-secret-4711")
    try write("hook.secret", "whsec_\(Self.webhookKey)")
    try write(
      "hooks.json",
      #"[{"name": "pager", "url": "\#(issuer)/hooks/planted-hook-4711", "secretFile": "hook.secret"}]"#)
    try write(
      "kafka.conf", "sasl.mechanism=PLAIN\nsasl.username=saga\nsasl.password=planted-sasl-4711\n")
    try write(
      "services.json",
      #"""
      {"lims": {"url": "\#(issuer)", "headers": {"X-Api-Key": "env:LIMS_KEY"}, "oauth2": {
        "tokenUrl": "\#(issuer)/service-token", "clientId": "saga", "clientSecret": "file:service.secret"}}}
      """#)
    try write(
      "oidc.json",
      #"""
      {"issuer": "\#(issuer)", "audience": "api", "clientId": "console", "clientSecret": "env:CONSOLE_SECRET",
       "person": "name", "roles": [{"claim": "groups", "value": "ops", "role": "admin"}]}
      """#)
    try write(
      "flows/echo.json",
      #"""
      {"name": "echo", "version": 1, "steps": [
        {"id": "works", "http": {"service": "lims", "method": "PUT", "path": "/works"},
         "compensation": {"http": {"service": "lims", "method": "DELETE", "path": "/works"}}},
        {"id": "fails", "onFailure": "stuck", "compensation": "none",
         "http": {"service": "lims", "method": "PUT", "path": "/fails"}}]}
      """#)
    return [
      "--keys", "keys.json", "--oidc", "oidc.json", "--services", "services.json", "--webhooks", "hooks.json",
      "--kafka-config", "@kafka.conf", "--workflows", "flows",
    ]
  }

  /// Returns the path of a route with names of things that there are, where the test has them.
  static func filled(_ path: String, saga: String) -> String {
    path.replacing("/workflows/{name}", with: "/workflows/echo").replacing("{version}", with: "1")
      .replacing("/sagas/{id}", with: "/sagas/\(saga)").replacing("{step}", with: "works")
      .replacing("{key}", with: "echo-1").replacing("{id}", with: "019c8a5e-7b1c-7d2e-8f3a-0123456789ab")
  }

  // MARK: Answers

  private func answer(_ request: HTTPServerRequest) -> HTTPServerResponse {
    let body = String(decoding: request.body, as: UTF8.self)
    let sent = request.headers["Authorization"] ?? ""
    let lines = ["X-Api-Key", "Authorization", "webhook-signature"].map { "\($0): \(request.headers[$0] ?? "")" }
    var status = 200
    let answer: JSON
    switch request.path {
    case "/.well-known/openid-configuration":
      answer = [
        "issuer": .string(issuer), "jwks_uri": .string("\(issuer)/jwks"),
        "authorization_endpoint": .string("\(issuer)/authorize"), "token_endpoint": .string("\(issuer)/token"),
      ]
    case "/jwks": answer = ["keys": [publicKey]]
    case "/service-token": answer = ["access_token": "planted-service-token-4711", "expires_in": 600]
    case "/token" where !body.contains("code=planted-code"):
      (status, answer) = (400, ["error": .string("\(body) \(sent)"), "error_description": .string(body)])
    case "/token":
      let basic = Data("console:planted-console-secret-4711".utf8).base64EncodedString()
      let nonce = state.withLock { state in
        state.sawClientSecret = sent == "Basic \(basic)"
        return state.nonce
      }
      let token = token(["aud": "console", "nonce": .string(nonce)])
      plant("the token of the sign-in", token)
      let verifier = body.split(separator: "&").first { $0.hasPrefix("code_verifier=") }?.split(separator: "=").last
      plant("the verifier", String(verifier ?? "no verifier"))
      answer = ["access_token": "planted-access-token-4711", "id_token": .string(token)]
    default:
      if request.path != "/works" { status = request.path == "/fails" ? 422 : 500 }
      answer = [
        "code": "ECHO", "message": .string("Cannot \(request.method) \(request.path)"),
        "detail": .string(lines.joined(separator: "; ")), "got": .string(sent), "body": .string(body),
      ]
    }
    return HTTPServerResponse(
      status: status, headers: ["Content-Type": "application/json"], body: .bytes(answer.bytes()))
  }

  private static func base64URL(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  private var publicKey: JSON {
    let text = String(decoding: signing.publicKey.pem ?? [], as: UTF8.self)
    let base64 = text.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
    // The last 32 bytes of the form in PEM are the key.
    let bytes = [UInt8](Data(base64Encoded: base64) ?? Data()).suffix(32)
    return ["kty": "OKP", "crv": "Ed25519", "kid": "one", "x": .string(Self.base64URL(Array(bytes)))]
  }

  /// Returns a token of anna.
  func token(_ more: JSONObject) -> String {
    let now = Int(Date().timeIntervalSince1970)
    var claims: JSONObject = [
      "iss": .string(issuer), "sub": "anna-17", "name": "anna", "groups": ["ops"],
      "iat": .number(JSONNumber(now)), "exp": .number(JSONNumber(now + 3_600)),
    ]
    for (name, value) in more { claims[name] = value }
    let header: JSON = ["alg": "EdDSA", "kid": "one"]
    let signed = "\(Self.base64URL(header.bytes())).\(Self.base64URL(JSON.object(claims).bytes()))"
    return "\(signed).\(Self.base64URL(signing.sign(Array(signed.utf8)) ?? []))"
  }
}

/// Sends requests and runs commands. What comes back is searched later.
private struct SecretCaller {
  let site: Site
  let engine: SagaProcess
  let key: String
  let found: SearchedTexts

  struct Answer {
    let status: Int
    let headers: HTTPHeaders
    let json: JSON

    /// Returns the value of a cookie that the answer sets.
    func cookie(_ name: String) -> String? {
      headers.all("Set-Cookie").first { $0.hasPrefix("\(name)=") }?.split(separator: ";").first
        .map { String($0.dropFirst(name.count + 1)) }
    }
  }

  /// - Parameters:
  ///   - headers: those of the request; without any it has the key.
  ///   - isSearched: false for the one answer that has a secret for the browser, the state and the nonce of a sign-in.
  func ask(
    _ method: String, _ path: String, _ body: JSON? = nil, headers: [String: String] = [:], isSearched: Bool = true
  ) async throws -> Answer {
    var all = HTTPHeaders(headers.map { ($0.key, $0.value) })
    if headers.isEmpty { all["Authorization"] = "Bearer \(key)" }
    if body != nil { all["Content-Type"] = "application/json" }
    let answer = try await site.client.send(
      HTTPClientRequest(
        method: method, url: engine.url + path, headers: all, body: body?.bytes() ?? [], maxResponseBytes: 64 << 20))
    // The key in a path comes back to the one who has sent it.
    if isSearched { found.add("\(method) \(path.prefix { $0 != "?" })", Data(answer.body)) }
    return Answer(
      status: answer.status, headers: answer.headers, json: (try? JSON(parsing: answer.body)) ?? .null)
  }

  /// Starts a saga, and waits until it is stuck.
  func stuckSaga() async throws -> String {
    let started = try await ask(
      "POST", "/v1/workflows/echo/sagas", ["input": [:]],
      headers: ["Authorization": "Bearer \(key)", "Idempotency-Key": "echo-1"])
    let id = try #require(started.json["id"]?.stringValue)
    try await eventually("the saga is stuck") { try await ask("GET", "/v1/sagas/\(id)").json["status"] == "stuck" }
    return id
  }

  func run(_ words: [String], key: String) async throws {
    let result = try await TestProcess.run(
      TestProgram.path("saga"), words + ["--server", engine.url], in: site.folder, variables: ["SAGA_KEY": key])
    found.add("saga \(words.joined(separator: " "))", Data(result.bytes))
  }
}

/// Texts by the places where they were found.
private final class SearchedTexts: Sendable {
  private let texts = Mutex<[(place: String, text: Data)]>([])

  func add(_ place: String, _ text: Data) { texts.withLock { $0.append((place, text)) } }
  func size(of place: String) -> Int { texts.withLock { $0.first { $0.place == place }?.text.count ?? 0 } }

  /// Adds the site's files, and a dump of its database.
  /// - Parameter names: files in which the operator keeps secrets.
  func addStore(of site: Site, besides names: [String]) async throws {
    let files = try #require(FileManager.default.enumerator(at: site.folder, includingPropertiesForKeys: nil))
    var count = 0
    while let file = files.nextObject() as? URL {
      guard !names.contains(file.lastPathComponent), let content = try? Data(contentsOf: file) else { continue }
      add(file.lastPathComponent, content)
      count += file.lastPathComponent.hasPrefix("engine.db") ? 1 : 0
    }
    guard site.engineStore.hasPrefix("postgres:") else {
      #expect(count > 0)
      return
    }
    let dump = try await TestProcess.run(
      "pg_dump", ["--inserts", "-d", String(site.engineStore.dropFirst("postgres:".count))], errors: .discarded)
    #expect(dump.status == 0 && dump.bytes.count > 1_000)
    add("the database", Data(dump.bytes))
  }

  /// Expects that no text has a secret.
  func search(for secrets: [(name: String, text: String)]) {
    let texts = texts.withLock { $0 }
    #expect(texts.count > 100 && secrets.count > 18)
    for secret in secrets {
      let places = texts.filter { $0.text.range(of: Data(secret.text.utf8)) != nil }.map(\.place)
      #expect(places.isEmpty, "\(secret.name) is in \(places.joined(separator: ", "))")
    }
  }
}
