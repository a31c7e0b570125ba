import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

@Suite("The console's sign-in at an OpenID provider", .timeLimit(.minutes(15)), .inTurn)
struct CodeFlowTests {
  private static let origin = "https://saga.lab.example"
  private let engine = FakeEngine()
  private let provider: StandInProvider

  init() { provider = StandInProvider(engine.clock) }

  private func run(_ more: String = #""clientId": "console","#, _ body: (TestAPI) async throws -> Void) async throws {
    try await TestAPI.run(engine: engine, authenticator: try provider.known(engine.environment, more), body)
  }

  /// Begins a sign-in.
  /// - Returns: the provider's page, and the cookie that the browser sends from now on.
  private func begin(_ api: TestAPI, origin: String = origin) async throws -> (location: String, cookie: String) {
    let answer = try await api.post("/v1/session/provider", [:], headers: ["Origin": origin])
    #expect(answer.status == 200)
    let cookie = try #require(answer.headers["Set-Cookie"]?.split(separator: ";").first)
    return (try #require(answer.json["location"]?.stringValue), String(cookie))
  }

  private func finish(
    _ api: TestAPI, _ code: String, _ state: String, cookie: String?, origin: String = origin
  ) async throws -> Answer {
    var headers: HTTPHeaders = ["Origin": origin]
    if let cookie { headers["Cookie"] = cookie }
    return try await api.post(
      "/v1/session/provider/finish", ["code": .string(code), "state": .string(state)], headers: headers)
  }

  @Test("A person signs in, acts under the provider's name with the session, and signs out")
  func story() async throws {
    try engine.register(Samples.storage)
    let id = try engine.start("store-sample")
    try await run { api in
      #expect(
        try await api.get("/v1/session").json == ["needed": true, "key": false, "provider": .string(provider.issuer)])
      let (location, cookie) = try await begin(api)
      let asked = StandInProvider.form(String(location.split(separator: "?")[1]))
      #expect(location.hasPrefix("\(provider.issuer)/authorize?"))
      #expect(asked["response_type"] == "code" && asked["client_id"] == "console")
      #expect(asked["redirect_uri"] == "\(Self.origin)/" && asked["scope"] == "openid profile email")
      #expect(asked["code_challenge_method"] == "S256" && asked["code_challenge"]?.utf8.count == 43)
      #expect(asked["state"]?.utf8.count == 43 && asked["nonce"]?.utf8.count == 43)
      #expect(Set([asked["state"], asked["nonce"], asked["code_challenge"]]).count == 3)

      let (code, state) = provider.agree(to: location)
      let answer = try await finish(api, code, state, cookie: cookie)
      #expect(answer.json["person"] == "anna" && answer.json["signIn"] == "session")
      #expect(!String(decoding: answer.bytes, as: UTF8.self).contains("eyJ"))
      let cookies = answer.headers.all("Set-Cookie")
      #expect(cookies.count == 2)
      let session = try #require(cookies.first { $0.hasPrefix("saga_session=") })
      #expect(session.hasSuffix("; Path=/; Max-Age=28800; HttpOnly; SameSite=Strict; Secure"))
      #expect(cookies.contains { $0.hasPrefix("saga_signin=;") && $0.contains("Max-Age=0") })

      let browser: HTTPHeaders = ["Cookie": String(session.split(separator: ";")[0]), "Origin": Self.origin]
      #expect(try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], headers: browser).status == 200)
      let pause = try #require(try await engine.history(of: id, after: 0, limit: 100).last).data
      #expect(pause["by"] == "anna" && pause["from"] == "rest 127.0.0.1 oidc 248289761001")
      engine.clock.advance(by: .seconds(8 * 3_600 - 1))
      #expect(try await api.send("GET", "/v1/me", headers: browser).status == 200)
      engine.clock.advance(by: .seconds(1))
      #expect(try await api.send("GET", "/v1/me", headers: browser).code == ServerErrorCode.sessionEnded)
    }
  }

  @Test("A sign-in ends only in the browser that began it, with its state, in time, and once")
  func bound() async throws {
    try await run { api in
      let (location, cookie) = try await begin(api)
      let (otherLocation, otherCookie) = try await begin(api)
      let (code, state) = provider.agree(to: location)
      let (otherCode, otherState) = provider.agree(to: otherLocation)
      func refused(_ answer: Answer) {
        #expect(answer.status == 401 && answer.code == ServerErrorCode.signInFailed)
        #expect(answer.headers["Set-Cookie"] == nil)
      }
      refused(try await finish(api, code, state, cookie: nil))
      refused(try await finish(api, code, state, cookie: otherCookie))
      refused(try await finish(api, code, otherState, cookie: cookie))
      refused(try await finish(api, code, state + "x", cookie: cookie))
      refused(try await finish(api, code, state, cookie: cookie + "0"))
      refused(try await finish(api, code, state, cookie: "saga_signin="))
      // No refusal up to here has asked the provider. The code of another sign-in has another verifier.
      #expect(!provider.requests.contains("/token"))
      refused(try await finish(api, otherCode, state, cookie: cookie))
      refused(try await finish(api, code, state, cookie: cookie, origin: "https://other.lab.example"))
      let (again, againState) = provider.agree(to: location)
      #expect(try await finish(api, again, againState, cookie: cookie).status == 200)
      refused(try await finish(api, again, againState, cookie: cookie))
      let (late, lateState) = provider.agree(to: location)
      engine.clock.advance(by: .seconds(600))
      refused(try await finish(api, late, lateState, cookie: cookie))
    }
  }

  @Test(
    "The token of a sign-in is checked like any other, and for its nonce and the console",
    arguments: [
      ["nonce": "other"], ["aud": "saga"], ["aud": ["console", "other"]], ["azp": "other"],
      ["iss": "https://evil.example"],
      ["exp": 1], ["sub": .null], ["preferred_username": "an\u{200B}na"],
    ] as [JSONObject])
  func tokens(_ claims: JSONObject) async throws {
    provider.nextTokenSays(claims)
    try await run { api in
      let (location, cookie) = try await begin(api)
      let (code, state) = provider.agree(to: location)
      #expect(try await finish(api, code, state, cookie: cookie).code == ServerErrorCode.signInFailed)
    }
  }

  @Test("A person whom no rule gives a role gets no session, and the page can say so")
  func noRole() async throws {
    provider.nextTokenSays(["groups": ["guests"]])
    try await run { api in
      let (location, cookie) = try await begin(api)
      let (code, state) = provider.agree(to: location)
      let answer = try await finish(api, code, state, cookie: cookie)
      #expect(answer.status == 403 && answer.code == ServerErrorCode.roleMissing)
      #expect(answer.json["detail"]?.stringValue?.contains("anna") == true && answer.headers["Set-Cookie"] == nil)
    }
  }

  @Test("A confidential client sends its secret in the header, and several audiences need the console as azp")
  func confidential() async throws {
    provider.nextTokenSays(["aud": ["console", "other"], "azp": "console"])
    try await run(#""clientId": "console", "clientSecret": "env:CONSOLE_SECRET", "session": "5m","#) { api in
      let (location, cookie) = try await begin(api)
      let (code, state) = provider.agree(to: location)
      let answer = try await finish(api, code, state, cookie: cookie)
      #expect(answer.status == 200 && answer.headers.all("Set-Cookie").contains { $0.contains("Max-Age=300;") })
      // console:s3cret%2F%26
      #expect(provider.authorization == "Basic Y29uc29sZTpzM2NyZXQlMkYlMjY=")
    }
  }

  @Test("A provider that repeats what it was sent as its error brings no code and no verifier into the log")
  func echoingProvider() async throws {
    let lines = Told<String>()
    let log = Log { _, message, values in lines.add(["\(message) \(values)"]) }
    let (sent, real) = (Told<String>(), provider.send)
    let known = try provider.known(engine.environment, log: log) { (request) throws(HTTPClientError) in
      guard request.url.hasSuffix("/token") else { return try await real(request) }
      let body = String(decoding: request.body, as: UTF8.self)
      sent.add(body)
      let answer: JSON = ["error": .string(sent.all.count > 1 ? "invalid_grant" : body)]
      return HTTPClientResponse(status: 400, body: answer.bytes())
    }
    try await TestAPI.run(engine: engine, authenticator: known, log: log) { api in
      let (location, cookie) = try await begin(api)
      let (code, state) = provider.agree(to: location)
      for _ in 0..<2 {
        #expect(try await finish(api, code, state, cookie: cookie).code == ServerErrorCode.signInFailed)
      }
    }
    let verifier = try #require(StandInProvider.form(sent.all[0])["code_verifier"])
    let text = lines.all.joined(separator: "\n")
    #expect(text.contains("status 400") && text.contains("invalid_grant"), "\(text)")
    #expect(!text.contains(verifier) && !text.contains("code_verifier"), "\(text)")
  }

  /// The codes with which a begin and an end of a sign-in are refused.
  private func codes(_ api: TestAPI) async throws -> [String?] {
    let begun = try await api.post("/v1/session/provider", [:], headers: ["Origin": Self.origin])
    return [begun.code, try await finish(api, "c", "s", cookie: "saga_signin=1-a").code]
  }

  @Test("Without a provider for the console there is nothing to sign in at, and a provider that is away says so")
  func off() async throws {
    let off: [String?] = [ServerErrorCode.providerOff, ServerErrorCode.providerOff]
    try await run("") { api in
      let options = try await api.get("/v1/session").json
      #expect(options == ["needed": true, "key": false])
      #expect(try await codes(api) == off)
    }
    try await TestAPI.run(engine: engine) { api in
      let options = try await api.get("/v1/session").json
      #expect(options == ["needed": false, "key": false])
      #expect(try await codes(api) == off)
    }
    let ring = try KeyRing(engine.environment)
    try await TestAPI.run(engine: engine, authenticator: try ring.authenticator()) { api in
      let options = try await api.get("/v1/session").json
      #expect(options == ["needed": true, "key": true])
      #expect(try await codes(api) == off)
    }
    provider.isAway(true)
    try await run { api in
      let refused = try await codes(api)
      #expect(refused == [ServerErrorCode.providerUnavailable, ServerErrorCode.signInFailed])
    }
  }

  @Test("The page to which the provider sends people back takes any parameters; a request without Origin is refused")
  func requests() async throws {
    try await run { api in
      #expect(try await api.get("/?code=a&state=b&iss=c&session_state=d").status == 200)
      #expect(try await api.get("/console/app.js?code=a").status == 400)
      for (path, body): (String, JSON) in [("provider", [:]), ("provider/finish", ["code": "a", "state": "b"])] {
        let answer = try await api.post("/v1/session/\(path)", body)
        #expect(answer.status == 403 && answer.code == HTTPErrorCode.crossSite)
      }
    }
  }
}
