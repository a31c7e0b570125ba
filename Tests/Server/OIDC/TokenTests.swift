import HTTP
import JSON
import Runtime
import SagaCore
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite("Tokens of an OpenID provider", .timeLimit(.minutes(15)), .inTurn)
struct TokenTests {
  private let engine = FakeEngine()
  private let provider: StandInProvider

  init() { provider = StandInProvider(engine.clock) }

  private func run(_ more: String = "", log: Log = .silent, _ body: (TestAPI, OIDCProvider) async throws -> Void)
    async throws
  {
    let known = try provider.known(engine.environment, more, log: log)
    try await TestAPI.run(engine: engine, authenticator: known, log: log) { try await body($0, known) }
  }

  // MARK: Who the caller is

  @Test("A token names the person, and rules give roles; the audit has the provider's own name")
  func person() async throws {
    try engine.register(Samples.storage)
    let id = try engine.start("store-sample")
    try await run { api, _ in
      let me = try await api.get("/v1/me", key: provider.token()).json
      #expect(me["signIn"] == "token" && me["person"] == "anna" && me["subject"] == "248289761001")
      #expect(me["roles"] == ["operator"] && me["speaksForOthers"] == false && me["key"] == nil)
      let other = try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], key: provider.token(), user: "ben")
      #expect(other.code == ServerErrorCode.otherPerson)
      #expect(try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], key: provider.token()).status == 200)
      let pause = try #require(try await engine.history(of: id, after: 0, limit: 100).last).data
      #expect(pause["by"] == "anna" && pause["from"] == "rest 127.0.0.1 oidc 248289761001")
      // A claim inside of a claim, with a role for one workflow.
      let nested = provider.token(["groups": .null, "realm_access": ["roles": ["x", "lims"]]])
      #expect(try await api.get("/v1/me", key: nested).json["roles"] == ["starter:store-sample"])
      #expect(try await api.get("/v1/sagas/\(id)", key: nested).status == 200)
      #expect(try await api.get("/v1/sagas", key: nested).code == ServerErrorCode.roleMissing)
      // Neither a text that has the value inside nor another case is the value.
      for groups: JSON in ["lab-ops2", "x lab-ops", ["Lab-Ops"], [["lab-ops"]], .null, true] {
        let token = provider.token(["groups": groups])
        #expect(try await api.get("/v1/me", key: token).json["roles"] == [], "\(groups)")
        #expect(try await api.get("/v1/stats", key: token).code == ServerErrorCode.roleMissing, "\(groups)")
      }
    }
  }

  @Test(
    "Without a setting the person is preferred_username, else a verified email, else sub",
    arguments: [
      ([:], "anna"), (["email": "a@lab"], "anna"), (["preferred_username": .null, "email": "a@lab"], "a@lab"),
      (["preferred_username": .null, "email": "a@lab", "email_verified": false], "248289761001"),
      (["preferred_username": "", "email": .null], "248289761001"), (["preferred_username": 7], "248289761001"),
      (["preferred_username": "anonymous"], nil), (["preferred_username": "an\u{200B}na"], nil),
      (["preferred_username": " anna"], nil), (["sub": "a\u{202E}b"], nil),
    ] as [(JSONObject, String?)])
  func persons(_ claims: JSONObject, _ person: String?) async throws {
    try await run { api, _ in
      let answer = try await api.get("/v1/me", key: provider.token(claims))
      #expect(answer.json["person"]?.stringValue == person)
      if person == nil { #expect(answer.code == ServerErrorCode.tokenInvalid) }
    }
  }

  @Test("With a setting the person is that claim, and a token without it does not count")
  func personClaim() async throws {
    try await run(#""person": "employee","#) { api, _ in
      let me = try await api.get("/v1/me", key: provider.token(["employee": "E-17"])).json
      #expect(me["person"] == "E-17")
      #expect(try await api.get("/v1/me", key: provider.token()).code == ServerErrorCode.tokenInvalid)
    }
  }

  @Test("A person who changes their name at the provider can't approve what they asked for")
  func changedName() async throws {
    engine.requireApproval(of: .cancel)
    try engine.register(Samples.storage)
    let id = try engine.start("store-sample")
    let roles = ["operator", "approver"].map { #"{"claim": "groups", "value": "lab-ops", "role": "\#($0)"}"# }
    let settings = try OIDCSettings(
      parsing: Array(
        #"{"issuer": "\#(provider.issuer)", "audience": "saga", "roles": [\#(roles.joined(separator: ","))]}"#.utf8),
      of: "oidc.json")
    let known = OIDCProvider(settings, environment: engine.environment, send: provider.send)
    try await TestAPI.run(engine: engine, authenticator: known) { api in
      let asked = try await api.post("/v1/sagas/\(id)/cancel", ["reason": "x"], key: provider.token())
      let place = try #require(asked.headers["Location"])
      let renamed = provider.token(["preferred_username": "ben"])
      let own = try await api.post("\(place)/approve", ["reason": "y"], key: renamed)
      #expect(own.status == 403 && own.code == "operation.samePerson")
      let other = provider.token(["preferred_username": "ben", "sub": "248289761002"])
      #expect(try await api.post("\(place)/approve", ["reason": "y"], key: other).status == 200)
    }
  }

  // MARK: What is refused

  @Test("Every token that does not count gets the same answer, which says nothing of the fault; the log does")
  func sameAnswer() async throws {
    let stored = try TokenVectorTests.stored()
    let faults = Told<String>()
    let log = Log { _, message, values in
      if message == "A token was refused" { faults.add(values.map(\.1)) }
    }
    let send: OIDCProvider.Send = { [provider] (request) throws(HTTPClientError) in
      request.url.hasSuffix("/jwks")
        ? HTTPClientResponse(status: 200, body: stored.keys.bytes()) : try await provider.send(request)
    }
    let known = try provider.known(engine.environment, log: log, send: send)
    try await TestAPI.run(engine: engine, authenticator: known) { api in
      var answers: Set<[UInt8]> = []
      for vector in stored.vectors {
        let answer = try await api.get("/v1/me", key: vector.token)
        switch vector.fault {
        case nil: #expect(answer.json["person"] == "anna", "\(vector.name)")
        case .expired: #expect(answer.code == ServerErrorCode.tokenExpired)
        default:
          #expect(answer.status == 401 && answer.code == ServerErrorCode.tokenInvalid, "\(vector.name)")
          answers.insert(answer.bytes)
        }
      }
      #expect(answers.count == 1)
    }
    #expect(faults.all == stored.vectors.compactMap { $0.fault?.rawValue })
  }

  @Test("A token counts until its end and the difference of clocks, and so does what goes on")
  func end() async throws {
    try await run(#""clockSkew": "10s","#) { api, known in
      let token = provider.token()
      let caller = try await known.caller(bearer: token, now: engine.environment.wallNow())
      engine.clock.advance(by: .seconds(309))
      #expect(try await api.get("/v1/me", key: token).status == 200)
      #expect(known.current(caller, now: engine.environment.wallNow()) != nil)
      engine.clock.advance(by: .seconds(1))
      #expect(try await api.get("/v1/me", key: token).code == ServerErrorCode.tokenExpired)
      #expect(known.current(caller, now: engine.environment.wallNow()) == nil)
    }
  }

  @Test("Keys and tokens count beside each other, and neither is taken for the other")
  func both() async throws {
    let ring = try KeyRing(engine.environment)
    let key = try ring.add("anna", "viewer").text
    let callers = Callers(keys: try ring.authenticator(), tokens: try provider.known(engine.environment))
    try await TestAPI.run(engine: engine, authenticator: callers) { api in
      #expect(try await api.get("/v1/me", key: key).json["signIn"] == "key")
      #expect(try await api.get("/v1/me", key: provider.token()).json["signIn"] == "token")
      #expect(try await api.get("/v1/me", key: "tsk_x").code == ServerErrorCode.keyUnknown)
      #expect(try await api.get("/v1/me", key: "a.b.c").code == ServerErrorCode.tokenInvalid)
      provider.isAway(true)
      engine.clock.advance(by: OIDCProvider.longestAway)
      #expect(try await api.get("/v1/me", key: key).status == 200)
      #expect(try await api.get("/v1/me", key: provider.token()).code == ServerErrorCode.providerUnavailable)
      // Both problems are reported.
      try ring.write([])
      let reasons = try await api.get("/readyz", key: key).json["reasons"]?.arrayValue?.compactMap {
        $0["code"]?.stringValue
      }
      #expect(reasons == [ServerErrorCode.keysUnreadable, ServerErrorCode.providerUnavailable])
    }
  }

  @Test("No log line, metric or answer has a token")
  func secrets() async throws {
    let lines = Told<String>()
    let log = Log { _, message, values in lines.add(["\(message) \(values)"]) }
    try await run(log: log) { api, _ in
      var told = ""
      let tokens = [provider.token(), provider.token(["aud": "other"]), provider.token(keyID: "x")]
      for token in tokens {
        for target in ["/v1/me", "/v1/stats", "/metrics", "/readyz"] {
          told += String(decoding: try await api.get(target, key: token).bytes, as: UTF8.self)
        }
      }
      #expect(!lines.all.isEmpty && told.contains(#"tracseq_access_refused_total{code="access.tokenInvalid"} "#))
      for token in tokens {
        let signature = token.split(separator: ".")[2]
        #expect(!told.contains(signature) && !lines.all.contains { $0.contains(signature) })
      }
    }
  }

  // MARK: The provider's keys

  @Test("A new key counts at once, an unknown one asks the provider once in ten seconds, and an old one ends")
  func rotation() async throws {
    try await run { api, known in
      let old = provider.token()
      let first = try await api.get("/v1/me", key: old)
      #expect(first.status == 200)
      #expect(provider.requests == ["/.well-known/openid-configuration", "/jwks"])
      engine.clock.advance(by: .seconds(10))
      provider.rotate("second")
      #expect(try await api.get("/v1/me", key: provider.token()).status == 200)
      #expect(try await api.get("/v1/me", key: old).status == 200)
      #expect(provider.requests.count == 4)
      for index in 0..<20 {
        let forged = provider.token(keyID: "forged-\(index)")
        #expect(try await api.get("/v1/me", key: forged).code == ServerErrorCode.tokenInvalid)
      }
      #expect(provider.requests.count == 4)
      engine.clock.advance(by: .seconds(10))
      #expect(try await api.get("/v1/me", key: provider.token(keyID: "forged")).status == 401)
      #expect(provider.requests.count == 6)
      // The old key leaves the set.
      provider.remove("first")
      await known.read()
      #expect(try await api.get("/v1/me", key: old).code == ServerErrorCode.tokenInvalid)
      #expect(try await api.get("/v1/me", key: provider.token()).status == 200)
    }
  }

  @Test("While the provider is away its keys count for twelve hours, and the engine says that it is degraded")
  func away() async throws {
    let lines = Told<String>()
    let log = Log { level, message, _ in if level >= .warning { lines.add([message]) } }
    try await run(log: log) { api, known in
      await known.read()
      #expect(try await api.get("/readyz").json["status"] == "ready")
      provider.isAway(true)
      engine.clock.advance(by: .seconds(300))
      await known.read()
      await known.read()
      #expect(try await api.get("/v1/me", key: provider.token()).status == 200)
      let ready = try await api.get("/readyz", key: provider.token()).json
      let reason = ready["reasons"]?.arrayValue?.first
      #expect(ready["status"] == "degraded" && reason?["code"] == .string(ServerErrorCode.providerUnavailable))
      #expect(reason?["message"]?.stringValue?.contains(provider.issuer) == true)
      engine.clock.advance(by: OIDCProvider.longestAway - .seconds(301))
      #expect(try await api.get("/v1/me", key: provider.token()).status == 200)
      engine.clock.advance(by: .seconds(1))
      let late = try await api.get("/v1/me", key: provider.token())
      #expect(late.status == 503 && late.code == ServerErrorCode.providerUnavailable)
      #expect(late.headers["Retry-After"] != nil)
      provider.isAway(false)
      engine.clock.advance(by: .seconds(10))
      #expect(try await api.get("/v1/me", key: provider.token()).status == 200)
      #expect(try await api.get("/readyz").json["status"] == "ready")
      // One line for the beginning, one for the end.
      #expect(lines.all.count == 2, "\(lines.all)")
    }
  }

  @Test("The keys are read every five minutes, and every thirty seconds after a failure")
  func times() async throws {
    let known = try provider.known(engine.environment)
    let clock = engine.clock
    let running = Task { await known.run() }
    func nextPause() async -> Duration {
      let now = clock.now()
      await clock.waitForSleepers { $0.contains { $0 > now } }
      return (clock.deadlines.first ?? now) - now
    }
    #expect(await nextPause() == .seconds(300))
    provider.isAway(true)
    clock.advance(by: .seconds(300))
    #expect(await nextPause() == .seconds(30))
    provider.isAway(false)
    clock.advance(by: .seconds(30))
    #expect(await nextPause() == .seconds(300))
    running.cancel()
    await running.value
  }

  @Test(
    "A document that names another issuer, an address without https, or no keys is not taken",
    arguments: [
      ["issuer": "https://evil.example"], ["issuer": .null], ["jwks_uri": "http://login.lab.example/jwks"],
      ["jwks_uri": "file:///etc/passwd"], ["jwks_uri": "https://a@evil.example/jwks"], ["jwks_uri": .null],
      ["token_endpoint": "http://127.0.0.1/token"], ["authorization_endpoint": "javascript:alert(1)"],
      ["jwks_uri": "https://login.lab.example/other"],
    ] as [JSONObject])
  func documents(_ members: JSONObject) async throws {
    provider.says(members)
    try await TestAPI.run(engine: engine, authenticator: try provider.known(engine.environment)) { api in
      let refused = try await api.get("/v1/me", key: provider.token())
      #expect(refused.code == ServerErrorCode.providerUnavailable)
      #expect(try await api.get("/readyz").json["status"] == "degraded")
    }
  }

  @Test("Over real sockets: the documents are fetched and the keys rotate")
  func sockets() async throws {
    let server = HTTPServer(HTTPServerConfiguration(port: 0), environment: .system) { [provider] request in
      let (status, json) = provider.answer(request.path, request.body)
      return .json(json, status: status)
    }
    provider.listens(on: try server.start())
    let client = HTTPClient()
    let known = try provider.known(engine.environment) { (request) throws(HTTPClientError) in
      try await client.send(request)
    }
    try await TestAPI.run(engine: engine, authenticator: known) { api in
      let me = try await api.get("/v1/me", key: provider.token()).json
      #expect(me["person"] == "anna")
      provider.rotate("second")
      engine.clock.advance(by: .seconds(10))
      #expect(try await api.get("/v1/me", key: provider.token()).json["person"] == "anna")
      await server.shutdown(drain: .seconds(1))
      await known.read()
      #expect(try await api.get("/readyz").json["status"] == "degraded")
    }
    await client.shutdown()
  }

  // MARK: Settings

  private static func settings(_ text: String, _ variables: [String: String] = [:]) throws(AccessRefusal)
    -> OIDCSettings
  {
    try OIDCSettings(parsing: Array(text.utf8), of: "oidc.json", variables: variables)
  }

  @Test("The example of docs/security.md is read")
  func example() throws {
    let text = try #require(try Repository.blocks("json", of: "docs/security.md").first)
    let settings = try Self.settings(text)
    #expect(settings.issuer == "https://login.lab.example/realms/lab" && settings.rules.count == 4)
    #expect(settings.clockSkew == .seconds(60) && settings.session == .seconds(8 * 3_600))
    #expect(settings.scopes == ["openid", "profile", "email"] && settings.personClaim == "employee_number")
  }

  @Test(
    "A mistake in the settings is named",
    arguments: [
      ("", "1:1"), ("[]", "object"), (#""issuer": "http://login.lab.example","#, "issuer"),
      (#""issuer": "http://127.0.0.1.evil.example","#, "issuer"), (#""issuer": "https://","#, "issuer"),
      (#""issuer": "https://a@b","#, "issuer"), (#""issuer": "https://a?b","#, "issuer"),
      (#""audience": "","#, "audience"),
      (#""audience": 7,"#, "audience"), (#""roles": [],"#, "roles"),
      (#""roles": [{"claim": "a", "value": "b", "role": "root"}],"#, "roles"),
      (#""roles": [{"claim": "a", "value": "b"}],"#, "roles"),
      (#""roles": [{"claim": "a", "value": "b", "role": "viewer", "x": 1}],"#, "roles"),
      (#""clockSkew": "61s","#, "clockSkew"), (#""clockSkew": 60,"#, "clockSkew"), (#""session": "13h","#, "session"),
      (#""session": "1m","#, "session"), (#""scopes": ["profile"],"#, "scopes"),
      (#""clientSecret": "plain","#, "clientSecret"),
      (#""clientSecret": "env:NONE","#, "clientSecret"), (#""clientSecret": "env:SECRET","#, "clientId"),
      (#""isuer": "x","#, "did you mean issuer"),
    ])
  func mistakes(_ change: String, _ named: String) throws {
    let usual = [
      "issuer": #""https://login.lab.example""#, "audience": #""saga""#,
      "roles": #"[{"claim": "a", "value": "b", "role": "viewer"}]"#,
    ]
    let rest = usual.filter { !change.hasPrefix("\"\($0.key)\"") }.map { "\"\($0.key)\": \($0.value)" }
    let text = change.isEmpty || change == "[]" ? change : "{\(change) \(rest.sorted().joined(separator: ", "))}"
    let error = #expect(throws: AccessRefusal.self) { _ = try Self.settings(text, ["SECRET": "s"]) }
    #expect(error?.code == ServerErrorCode.oidcUnreadable)
    #expect(error?.message.contains(named) == true, "\(error?.message ?? "")")
  }

  @Test("An issuer without https is taken on a loopback address, and a missing file is named")
  func loopback() throws {
    for host in ["127.0.0.1:9", "localhost", "[::1]:80/realm"] {
      let text = #"{"issuer": "http://\#(host)", "audience": "a", \#(StandInProvider.rules)}"#
      #expect(try Self.settings(text).issuer == "http://\(host)")
    }
    let error = #expect(throws: AccessRefusal.self) {
      _ = try OIDCSettings(path: "/nowhere/oidc.json", variables: [:])
    }
    #expect(error?.message.contains("/nowhere/oidc.json") == true)
  }
}
