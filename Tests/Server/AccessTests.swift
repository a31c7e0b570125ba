import Foundation
import HTTP
import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import TestSupport
import Testing
import Values
import WorkflowEngine

@testable import Server

/// Who is recognised, and what each role may do.
@Suite("Keys, roles and sessions", .timeLimit(.minutes(15)), .inTurn)
struct AccessTests {
  private let engine = FakeEngine()
  private let ring: KeyRing

  init() throws { ring = try KeyRing(engine.environment) }

  private func run(log: Log = .silent, _ body: (TestAPI) async throws -> Void) async throws {
    try await TestAPI.run(engine: engine, authenticator: try ring.authenticator(log: log), log: log, body)
  }

  // MARK: The table

  /// The lines of the table in docs/security.md: a route, what it asks, and the roles that have it.
  private static func rows() -> [String] {
    Endpoint.allCases.filter { $0.facts.asks != .open }.map { endpoint in
      let facts = endpoint.facts
      let cells = Role.allCases.map { facts.asks.roles.contains($0) ? "✓" : "" }
      return "| `\(facts.method) \(facts.path)` | \(facts.asks.rawValue) | \(cells.joined(separator: " | ")) |"
    }
  }

  @Test("docs/security.md has the table of routes and roles, and the routes that ask nothing")
  func documentedTable() throws {
    let page = String(decoding: try Repository.bytes("docs/security.md"), as: UTF8.self)
    let lines = page.split(separator: "\n").map(String.init)
    #expect(lines.filter { $0.hasPrefix("| `GET ") || $0.hasPrefix("| `POST ") } == Self.rows())
    for endpoint in Endpoint.allCases where endpoint.facts.asks == .open {
      #expect(page.contains("`\(endpoint.facts.method) \(endpoint.facts.path)`"), "\(endpoint)")
    }
    for role in Role.allCases { #expect(page.contains("| `\(role.rawValue)` |"), "\(role)") }
  }

  /// A request to a route: of a saga that does not exist, with an empty body.
  private func target(_ facts: RouteFacts) -> String {
    let values = facts.pathParameters.map { name in
      name == "id" ? "019c8a5e-7b1c-7d2e-8f3a-0123456789ab" : name == "version" ? "1" : "some"
    }
    return "/" + facts.segments(values).joined(separator: "/")
  }

  @Test("Each role may use exactly the routes of its table", arguments: Role.allCases)
  func routesOfARole(_ role: Role) async throws {
    let key = try ring.add("kim", role.rawValue).text
    try await run { api in
      for endpoint in Endpoint.allCases {
        let facts = endpoint.facts
        let answer = try await api.send(
          facts.method, target(facts), headers: ["Authorization": "Bearer \(key)"])
        let isRefused = answer.code == ServerErrorCode.roleMissing
        #expect(isRefused == !facts.asks.roles.contains(role), "\(endpoint) answers \(answer.status) to \(role)")
        #expect(answer.status != 401, "\(endpoint)")
      }
    }
  }

  @Test("Without a key only the routes that ask nothing answer")
  func routesWithoutAKey() async throws {
    try await run { api in
      for endpoint in Endpoint.allCases {
        let facts = endpoint.facts
        let answer = try await api.send(facts.method, target(facts))
        #expect((answer.code == ServerErrorCode.keyMissing) == (facts.asks != .open), "\(endpoint)")
        #expect((answer.headers["WWW-Authenticate"] != nil) == (answer.status == 401), "\(endpoint)")
      }
    }
  }

  @Test("An engine without keys asks no caller for one")
  func withoutKeys() async throws {
    try await TestAPI.run(engine: engine) { api in
      let me = try await api.get("/v1/me").json
      #expect(me["signIn"] == "notNeeded" && me["person"] == "anonymous" && me["key"] == nil)
      #expect(try await api.get("/v1/stats").status == 200)
      #expect(try await api.post("/v1/session", ["key": "tsk_x"]).json["signIn"] == "notNeeded")
    }
  }

  @Test("A starter may start, read and signal the sagas of its workflows, and no others")
  func limitedStarter() async throws {
    try engine.register(Samples.storage)
    try engine.register(
      #"{"name": "approval", "version": 1, "steps": [{"id": "approve", "timeout": "1m", "signal": {"name": "ok"}}]}"#)
    let key = try ring.add("lims", "starter:approval").text
    let (mine, other) = (try engine.start("approval"), try engine.start("store-sample"))
    try await run { api in
      func codes(_ workflow: String, _ id: UniqueID) async throws -> [String?] {
        [
          try await api.post("/v1/workflows/\(workflow)/sagas", ["input": ["a": 1]], key: key).code,
          try await api.get("/v1/workflows/\(workflow)", key: key).code,
          try await api.get("/v1/sagas/\(id)", key: key).code,
          try await api.get("/v1/sagas/\(id)/events", key: key).code,
          try await api.post("/v1/sagas/\(id)/signals/ok", ["approved": true], key: key).code,
        ]
      }
      #expect(try await codes("approval", mine) == [nil, nil, nil, nil, nil])
      #expect(try await api.get("/v1/me", key: key).json["roles"] == ["starter:approval"])
      let refused = try await codes("store-sample", other)
      #expect(refused == Array(repeating: ServerErrorCode.roleMissing, count: refused.count))
      for target in ["/v1/sagas", "/v1/stats", "/v1/events", "/v1/audit", "/metrics"] {
        #expect(try await api.get(target, key: key).code == ServerErrorCode.roleMissing, "\(target)")
      }
      #expect(
        try await api.post("/v1/sagas/\(mine)/cancel", ["reason": "x"], key: key).code == ServerErrorCode.roleMissing)
      #expect(
        try await api.post("/v1/workflows/store-sample/keys/k/signals/ok", [:], key: key).code
          == ServerErrorCode.roleMissing)
    }
  }

  @Test("A worker takes tasks from its queues only")
  func limitedWorker() async throws {
    let key = try ring.add("robot-7", "worker:robot,freezer").text
    try await run { api in
      let poll: JSON = ["worker": "w", "wait": "0s"]
      let own = try await api.post("/v1/tasks/robot/poll", poll, key: key)
      let other = try await api.post("/v1/tasks/scanner/poll", poll, key: key)
      let all = try await api.get("/v1/tasks", key: key)
      #expect(own.code != ServerErrorCode.roleMissing)
      #expect(other.code == ServerErrorCode.roleMissing && all.code == ServerErrorCode.roleMissing)
    }
  }

  @Test(
    "A role with names behind it is read as it was written, and nonsense is refused",
    arguments: [
      ("viewer", true), ("starter", true), ("starter:a,b-c", true), ("worker:q", true), ("operator:a", false),
      ("starter:", false), ("starter:a,,b", false), ("starter:a b", false), ("Viewer", false), ("", false),
      ("root", false),
    ])
  func roleTexts(_ text: String, _ isRole: Bool) {
    #expect(GrantedRole(text)?.description == (isRole ? text : nil))
  }

  @Test("Two roles reach as far as both of them")
  func reach() {
    let roles = ["starter:a", "starter:b", "viewer"].compactMap { GrantedRole($0) }
    #expect(Reach(.start, of: roles) == .only(["a", "b"]))
    #expect(Reach(.read, of: roles) == .all)
    #expect(Reach(.operate, of: roles) == .none)
    #expect(Reach(.start, of: roles + [GrantedRole(.starter)]) == .all)
  }

  // MARK: Credentials

  @Test("A key that is forged, unknown, expired, revoked or malformed is refused, each with its code")
  func wrongCredentials() async throws {
    let good = try ring.add("anna", "viewer")
    let short = try ring.add("ben", "viewer", lasts: .seconds(60))
    let revoked = try ring.add("carla", "viewer")
    try ring.revoke(revoked.id)
    try await run { api in
      #expect(try await api.get("/v1/stats", key: good.text).status == 200)
      #expect(try await api.get("/v1/stats", key: short.text).status == 200)
      engine.clock.advance(by: .seconds(60))
      #expect(try await api.get("/v1/stats", key: short.text).code == ServerErrorCode.keyExpired)
      #expect(try await api.get("/v1/stats", key: revoked.text).code == ServerErrorCode.keyRevoked)
      let last = good.text.last == "0" ? "1" : "0"
      let forged = [
        String(good.text.dropLast()) + last, "tsk_\(good.id)_" + String(repeating: "0", count: 64),
        "tsk_000000000000_" + good.text.suffix(64), good.text + "0", String(good.text.dropLast()),
        good.text.uppercased(), "tsk__", "x", String(repeating: "tsk_", count: 2_000),
        // A revoked key with another secret says nothing about the key.
        "tsk_\(revoked.id)_" + String(repeating: "0", count: 64),
        // A token of another kind, unsigned.
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0.",
      ]
      var answers: Set<String> = []
      for text in forged {
        let answer = try await api.get("/v1/stats", key: text)
        #expect(answer.status == 401 && answer.code == ServerErrorCode.keyUnknown, "\(text)")
        answers.insert(String(decoding: answer.bytes, as: UTF8.self))
      }
      #expect(answers.count == 1, "an answer tells more than the others")
      for value in ["Basic YTpi", "Bearer", good.text, "Bearer \(good.text) x", ""] {
        let answer = try await api.send("GET", "/v1/stats", headers: ["Authorization": value])
        #expect(answer.code == ServerErrorCode.keyUnknown, "\(value)")
      }
      let twice = HTTPHeaders([("Authorization", "Bearer \(good.text)"), ("Authorization", "Bearer \(good.text)")])
      #expect(try await api.send("GET", "/v1/stats", headers: twice).code == ServerErrorCode.keyUnknown)
      // The key counts in its header alone.
      #expect(try await api.send("GET", "/v1/stats?key=\(good.text)").code == ServerErrorCode.keyMissing)
    }
  }

  @Test("Keys are compared byte by byte to the end")
  func comparison() {
    let hash = Digest.sha256([1])
    #expect(AccessKey.areSame(hash, hash))
    for index in hash.indices {
      var other = hash
      other[index] ^= 1
      #expect(!AccessKey.areSame(hash, other))
    }
    #expect(!AccessKey.areSame(hash, Array(hash.dropLast())) && AccessKey.areSame([], []))
  }

  @Test("A key is rotated while the engine runs: both count, then the old one is revoked")
  func rotation() async throws {
    let old = try ring.add("lims", "viewer")
    try await run { api in
      let new = try ring.add("lims", "viewer")
      #expect(try await api.get("/v1/me", key: old.text).json["key"] == .string(old.id))
      #expect(try await api.get("/v1/me", key: new.text).json["key"] == .string(new.id))
      try ring.revoke(old.id)
      #expect(try await api.get("/v1/me", key: old.text).code == ServerErrorCode.keyRevoked)
      #expect(try await api.get("/v1/me", key: new.text).json["person"] == "lims")
    }
  }

  @Test(
    "A file of keys that can't be read keeps the keys that were read before, and the engine is degraded",
    arguments: ["", "{", #"{"version": 2, "keys": []}"#, #"{"version": 1, "keys": [{"id": "x"}]}"#])
  func brokenFile(_ text: String) async throws {
    let key = try ring.add("anna", "viewer").text
    let lines = Told<String>()
    let log = Log { level, message, _ in if level == .error { lines.add([message]) } }
    try await run(log: log) { api in
      try ring.write(Array(text.utf8))
      #expect(try await api.get("/v1/stats", key: key).status == 200)
      let ready = try await api.get("/readyz", key: key).json
      #expect(ready["status"] == "degraded")
      #expect(ready["reasons"]?.arrayValue?.first?["code"] == .string(ServerErrorCode.keysUnreadable))
      #expect(lines.all.count == 1, "\(lines.all)")
      try ring.write()
      #expect(try await api.get("/readyz", key: key).json["status"] == "ready")
    }
    #expect(throws: AccessRefusal.self) {
      try ring.write(Array(text.utf8))
      _ = try ring.authenticator()
    }
  }

  @Test("A file of keys that other users can write is refused")
  func writableFile() throws {
    try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: ring.path)
    let error = #expect(throws: AccessRefusal.self) { _ = try ring.authenticator() }
    #expect(error?.code == ServerErrorCode.keysUnreadable && error?.message.contains("chmod") == true)
  }

  @Test("A key or a token in a path is not in the log")
  func keyInPath() async throws {
    let lines = Told<String>()
    let log = Log { _, message, values in lines.add(["\(message) \(values)"]) }
    let key = try ring.add("anna", "viewer").text
    try await run(log: log) { api in
      for secret in [key, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0."] {
        let answer = try await api.send("GET", "/v1/sagas/\(secret)")
        #expect(answer.code == ServerErrorCode.keyMissing)
      }
    }
    let refused = lines.all.filter { $0.contains(ServerErrorCode.keyMissing) }
    #expect(refused.count == 2 && refused.allSatisfy { $0.contains("/v1/sagas/***\"") }, "\(refused)")
    #expect(!lines.all.contains { $0.contains(key.suffix(64)) || $0.contains("eyJ") })
  }

  @Test("The file has hashes of keys, and no key")
  func hashes() throws {
    let key = try ring.add("anna", "viewer", "starter:a")
    let text = String(decoding: ring.list.bytes, as: UTF8.self)
    #expect(!text.contains(key.text.suffix(64)) && text.contains(Digest.hex(Array(key.text.suffix(64).utf8))))
    #expect(try KeyList(parsing: ring.list.bytes, of: "f") == ring.list)
  }

  // MARK: The person in the history

  @Test("The history names the owner of the key, whatever spelling the request has")
  func person() async throws {
    try engine.register(Samples.storage)
    let id = try engine.start("store-sample")
    let key = try ring.add("anna", "operator")
    try await run { api in
      let other = try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], key: key.text, user: "ben")
      #expect(other.status == 403 && other.code == ServerErrorCode.otherPerson)
      #expect(try await api.get("/v1/sagas/\(id)", key: key.text).json["paused"] == nil)
      let own = try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], key: key.text, user: " Аnna ")
      #expect(own.status == 200)
      let pause = try #require(try await engine.history(of: id, after: 0, limit: 100).last).data
      #expect(pause["by"] == "anna")
      #expect(pause["from"] == .string("rest 127.0.0.1 key \(key.id)"))
    }
  }

  @Test("A key that speaks for others names the person and the key")
  func speaker() async throws {
    try engine.register(Samples.storage)
    let id = try engine.start("store-sample")
    let key = try ring.add("gateway", "operator", speaksForOthers: true)
    try await run { api in
      #expect(try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], key: key.text, user: "ben").status == 200)
      let pause = try #require(try await engine.history(of: id, after: 0, limit: 100).last).data
      #expect(pause["by"] == "ben" && pause["from"] == .string("rest 127.0.0.1 key \(key.id) (gateway)"))
      #expect(try await api.post("/v1/sagas/\(id)/resume", ["reason": "x"], key: key.text).status == 200)
      #expect(try await engine.history(of: id, after: 0, limit: 100).last?.data["by"] == "gateway")
    }
  }

  @Test("A requester can't approve with another key of theirs, nor under another spelling")
  func secondPerson() async throws {
    engine.requireApproval(of: .cancel)
    try engine.register(Samples.storage)
    let id = try engine.start("store-sample")
    let asking = try ring.add("anna", "operator", "approver").text
    let again = try [ring.add("anna", "approver"), ring.add("Anna", "approver"), ring.add("аnna", "approver")]
    let ben = try ring.add("ben", "approver").text
    try await run { api in
      let asked = try await api.post("/v1/sagas/\(id)/cancel", ["reason": "x"], key: asking)
      #expect(asked.status == 202)
      let place = try #require(asked.headers["Location"])
      for key in [asking] + again.map(\.text) {
        let answer = try await api.post("\(place)/approve", ["reason": "y"], key: key)
        #expect(answer.status == 403 && answer.code == "operation.samePerson")
      }
      let forged = try await api.post("\(place)/approve", ["reason": "y"], key: asking, user: "ben")
      #expect(forged.code == ServerErrorCode.otherPerson)
      #expect(try await api.post("\(place)/approve", ["reason": "y"], key: ben).json["approved"]?["by"] == "ben")
    }
  }

  @Test("A requester can't approve with the same key after it got another name; a key that speaks for others can")
  func renamed() async throws {
    engine.requireApproval(of: .cancel)
    try engine.register(Samples.storage)
    let ids = try (0..<2).map { _ in try engine.start("store-sample") }
    let key = try ring.add("anna", "operator", "approver").text
    let gateway = try ring.add("lims", "operator", "approver", speaksForOthers: true).text
    try await run { api in
      func asked(_ id: UniqueID, _ key: String, as user: String? = nil) async throws -> String {
        let answer = try await api.post("/v1/sagas/\(id)/cancel", ["reason": "x"], key: key, user: user)
        return try #require(answer.headers["Location"])
      }
      let own = try await asked(ids[0], key)
      let ofOther = try await asked(ids[1], gateway, as: "anna")
      let list = String(decoding: ring.list.bytes, as: UTF8.self)
      try ring.write(Array(list.replacing("\"anna\"", with: "\"ben\"").utf8))
      #expect(try await api.get("/v1/me", key: key).json["person"] == "ben")
      let again = try await api.post("\(own)/approve", ["reason": "y"], key: key)
      #expect(again.status == 403 && again.code == "operation.samePerson")
      #expect(again.json["detail"]?.stringValue?.contains("“ben” is the same caller") == true)
      // The people of a gateway share its key.
      #expect(try await api.post("\(own)/approve", ["reason": "y"], key: gateway, user: "carla").status == 200)
      #expect(try await api.post("\(ofOther)/approve", ["reason": "y"], key: gateway, user: "carla").status == 200)
    }
  }

  @Test(
    "A key's name is a visible name that is not that of callers without a key",
    arguments: [
      "", " ", " anna", "anna ", "an\u{200B}na", "anonymous", "Anonymous", "anonymous.",
      String(repeating: "a", count: 201),
    ])
  func names(_ name: String) {
    #expect(AccessKey.fault(inName: name) != nil)
    #expect(AccessKey.fault(inName: "Anna Müller") == nil)
  }

  // MARK: Sessions

  /// What a browser sends from the console's page.
  private static func browser(_ cookie: String, origin: String = "http://127.0.0.1:8080") -> HTTPHeaders {
    ["Cookie": "a=b; \(Access.cookie)=\(cookie)", "Origin": origin]
  }

  private func signIn(_ api: TestAPI, _ key: String, origin: String = "http://127.0.0.1:8080") async throws -> String {
    let answer = try await api.post("/v1/session", ["key": .string(key)], headers: ["Origin": origin])
    let header = try #require(answer.headers["Set-Cookie"])
    let value = try #require(header.split(separator: ";").first?.split(separator: "=").last)
    #expect(header.hasPrefix("saga_session=") && value.utf8.count == 64)
    return String(value)
  }

  @Test("A browser signs in with a key, acts with its cookie, and signs out")
  func session() async throws {
    try engine.register(Samples.storage)
    let id = try engine.start("store-sample")
    let key = try ring.add("anna", "operator")
    try await run { api in
      let signedIn = try await api.post("/v1/session", ["key": .string(key.text)], headers: ["Origin": "http://h"])
      #expect(signedIn.json["person"] == "anna" && signedIn.json["roles"] == ["operator"])
      let header = try #require(signedIn.headers["Set-Cookie"])
      #expect(header.hasSuffix("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"))
      #expect(!String(decoding: signedIn.bytes, as: UTF8.self).contains(key.text.suffix(64)))
      let cookie = try await signIn(api, key.text)
      // A proxy in front may add its own password.
      var browser = Self.browser(cookie)
      browser["Authorization"] = "Basic YTpi"
      let me = try await api.send("GET", "/v1/me", headers: browser).json
      #expect(me["signIn"] == "session" && me["key"] == .string(key.id))
      #expect(
        try await api.post("/v1/sagas/\(id)/pause", ["reason": "x"], headers: Self.browser(cookie)).status == 200)
      #expect(try await engine.history(of: id, after: 0, limit: 100).last?.data["by"] == "anna")
      // A cookie without the browser's word that the console sends the request.
      let forged = try await api.post(
        "/v1/sagas/\(id)/resume", ["reason": "x"], headers: ["Cookie": "\(Access.cookie)=\(cookie)"])
      #expect(forged.status == 403 && forged.code == HTTPErrorCode.crossSite)
      let out = try await api.send(
        "POST", "/v1/session/end", headers: ["Cookie": "saga_session=\(cookie)", "Content-Type": "application/json"])
      #expect(out.headers["Set-Cookie"]?.contains("Max-Age=0") == true)
      #expect(try await api.send("GET", "/v1/me", headers: Self.browser(cookie)).code == ServerErrorCode.sessionEnded)
    }
  }

  @Test("A session ends with its key, and after 12 hours; a page over TLS gets a secure cookie")
  func endsOfSessions() async throws {
    let key = try ring.add("anna", "viewer")
    let other = try ring.add("ben", "viewer", lasts: .seconds(3_600))
    try await run { api in
      let secure = try await api.post(
        "/v1/session", ["key": .string(key.text)], headers: ["Origin": "https://saga.lab.example"])
      #expect(secure.headers["Set-Cookie"]?.hasSuffix("; Secure") == true)
      let (first, second, third) = (
        try await signIn(api, key.text), try await signIn(api, other.text), try await signIn(api, key.text)
      )
      engine.clock.advance(by: .seconds(3_600))
      func code(_ cookie: String) async throws -> String? {
        try await api.send("GET", "/v1/stats", headers: Self.browser(cookie)).code
      }
      #expect(try await code(first) == nil)
      #expect(try await code(second) == ServerErrorCode.sessionEnded)
      engine.clock.advance(by: Sessions.length - .seconds(3_601))
      #expect(try await code(first) == nil)
      engine.clock.advance(by: .seconds(1))
      #expect(try await code(first) == ServerErrorCode.sessionEnded)
      let fourth = try await signIn(api, key.text)
      try ring.revoke(key.id)
      #expect(try await code(fourth) == ServerErrorCode.sessionEnded)
      #expect(try await code(third) == ServerErrorCode.sessionEnded)
      #expect(try await code("0") == ServerErrorCode.sessionEnded)
      let refused = try await api.post("/v1/session", ["key": .string(key.text)])
      #expect(refused.code == ServerErrorCode.keyRevoked && refused.headers["Set-Cookie"] == nil)
    }
  }

  @Test("The number of sessions has a limit")
  func mostSessions() {
    let sessions = Sessions()
    let caller = Caller(person: "anna", roles: [], labRoles: [], maySpeakForOthers: false, keyID: "k", expiresAt: nil)
    let first = sessions.begin(caller, engine.environment)
    engine.clock.advance(by: .seconds(1))
    var last = ""
    for _ in 0..<Sessions.most { last = sessions.begin(caller, engine.environment) }
    #expect(sessions.caller(first, now: engine.environment.now()) == nil)
    #expect(sessions.caller(last, now: engine.environment.now()) == caller)
  }

  @Test("An answer that goes on ends with the session that asked for it")
  func endOfAStream() async throws {
    let key = try ring.add("anna", "viewer").text
    let access = Access(try ring.authenticator())
    let caller = try await access.authenticator?.caller(bearer: key, now: engine.environment.wallNow())
    let anna = try #require(caller)
    let cookie = access.sessions.begin(anna, engine.environment)
    let request = try HTTPServerRequest("GET", "/v1/events", headers: Self.browser(cookie))
    #expect(access.stillMay(.view, anna, in: request, engine.environment))
    #expect(!access.stillMay(.operate, anna, in: request, engine.environment))
    access.sessions.end(cookie)
    #expect(!access.stillMay(.view, anna, in: request, engine.environment))
  }

  // MARK: What is not told

  @Test("No log line, metric or answer has a key or a cookie")
  func secrets() async throws {
    let key = try ring.add("anna", "viewer")
    let lines = Told<String>()
    let log = Log { _, message, values in lines.add(["\(message) \(values)"]) }
    try await run(log: log) { api in
      var told = ""
      let wrong = "tsk_\(key.id)_" + String(repeating: "a", count: 64)
      let cookie = try await signIn(api, key.text)
      for text in [key.text, wrong] {
        for target in ["/v1/me", "/v1/stats", "/v1/audit", "/metrics", "/readyz", "/v1/nothing"] {
          told += String(decoding: try await api.get(target, key: text).bytes, as: UTF8.self)
        }
        told += String(
          decoding: try await api.post("/v1/projections/rebuild", [:], key: text).bytes, as: UTF8.self)
        told += String(decoding: try await api.post("/v1/session", ["key": .string(text)]).bytes, as: UTF8.self)
      }
      told += String(
        decoding: try await api.send("GET", "/v1/me", headers: Self.browser(cookie)).bytes, as: UTF8.self)
      #expect(!lines.all.isEmpty)
      for secret in [String(key.text.suffix(64)), String(repeating: "a", count: 64), cookie] {
        #expect(!told.contains(secret))
        #expect(!lines.all.contains { $0.contains(secret) })
      }
      #expect(told.contains(#"tracseq_access_refused_total{code="access.keyUnknown"} "#))
    }
  }

  @Test("The readiness of an engine tells a stranger no details")
  func readiness() async throws {
    let key = try ring.add("anna", "viewer").text
    try await run { api in
      try ring.write([])
      let (mine, strange) = (try await api.get("/readyz", key: key), try await api.get("/readyz"))
      #expect(mine.status == 200 && strange.status == 200)
      #expect(strange.json["status"] == "degraded")
      #expect(String(decoding: mine.bytes, as: UTF8.self).contains("keys.json"))
      #expect(!String(decoding: strange.bytes, as: UTF8.self).contains("keys.json"))
    }
  }

  // MARK: The live stream

  @Test("A live stream ends when its key is revoked")
  func liveStream() async throws {
    let ring = try KeyRing(.system)
    let key = try ring.add("anna", "viewer")
    try await LiveSite.run(authenticator: try ring.authenticator()) { site in
      let stranger = try site.stream()
      #expect(await stranger.head().first?.contains(" 401 ") == true)
      stranger.hangUp()
      let stream = try site.stream(key: key.text)
      _ = await stream.head()
      #expect(await stream.next()?.event == "hello")
      try await site.saga()
      #expect(await stream.sagas(1).count == 1)
      try ring.revoke(key.id)
      try await site.saga()
      #expect(await stream.sagas(1).isEmpty)
    }
  }
}
