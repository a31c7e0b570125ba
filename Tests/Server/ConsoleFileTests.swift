import Assets
import Foundation
import HTTP
import Runtime
import TestSupport
import Testing
import Values

@testable import Server

@Suite("The console's files", .timeLimit(.minutes(15)), .inTurn)
struct ConsoleFileTests {
  @Test(
    "Every file is served with its type, a tag and a policy; a client that has the file gets a 304",
    arguments: Depth.allCases)
  func served(at depth: Depth) async throws {
    try await withRouter(depth) { get in
      for (name, type) in [
        ("/", "text/html; charset=utf-8"), ("/console/app.js", "text/javascript; charset=utf-8"),
        ("/console/app.css", "text/css; charset=utf-8"), ("/console/icon.svg", "image/svg+xml"),
      ] {
        let answer = try await get(name, [:])
        #expect(answer.status == 200)
        #expect(answer.headers["Content-Type"] == type)
        let policy = try #require(answer.headers["Content-Security-Policy"])
        #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe"))
        let tag = try #require(answer.headers["ETag"])
        let again = try await get(name, ["If-None-Match": "\"other\", \(tag)"])
        #expect(again.status == 304)
        #expect(again.body.bytes == [])
        #expect(again.headers["ETag"] == tag)
        #expect(try await get(name, ["If-None-Match": "\"other\""]).status == 200)
      }
      for name in ["/console/", "/console/none.js", "/console/..%2Fapp.js", "/console/app.js/x"] {
        #expect(try await get(name, [:]).status == 404, "\(name)")
      }
    }
  }

  @Test("The page runs only its own files, and every file that it names exists")
  func references() throws {
    let page = try #require(Assets.text("console/\(ConsoleFiles.page)"))
    #expect(!page.contains("<script>") && !page.contains("<style") && !page.contains("style=") && !page.contains(" on"))
    for match in page.matches(of: /\/console\/([a-z.\-]+)/) {
      #expect(ConsoleFiles.all[String(match.1)] != nil, "\(match.1)")
    }
    #expect(ConsoleFiles.all.count > 10)
    for name in ConsoleFiles.all.keys.sorted() where name.hasSuffix(".js") {
      let text = try #require(Assets.text("console/\(name)"))
      for match in text.matches(of: /from "\.\/([a-z.\-]+)"/) {
        #expect(ConsoleFiles.all[String(match.1)] != nil, "\(match.1)")
      }
      // Nothing is fetched from elsewhere, and nothing turns text into HTML or into code.
      for banned in [
        "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://",
      ] {
        #expect(!text.contains(banned), "\(name) uses \(banned)")
      }
    }
  }

  @Test("JSON is read and written by json.js alone: the browser's own functions round numbers")
  func exactJSON() {
    let originals = ConsoleFiles.all.keys.sorted().map { (name: $0, text: Assets.text("console/\($0)") ?? "") }
    #expect(originals.contains { $0.name == "json.js" })
    for (name, text) in originals where name.hasSuffix(".js") && name != "json.js" {
      var banned = [
        "JSON.parse", "JSON.stringify", "JSON.rawJSON", ".json()", "Number.parse", "parseFloat", "parseInt", "BigInt",
        "valueAsNumber", #"type: "number""#, #"type: "email""#,
      ]
      // A rate is the browser's own, and small.
      if name == "batch.js" { banned.removeAll { $0 == #"type: "number""# } }
      for banned in banned { #expect(!text.contains(banned), "\(name) uses \(banned)") }
      #expect(text.firstMatch(of: /[^A-Za-z]Number\(/) == nil, "\(name) uses Number(")
    }
    // Answers come in by `send`, messages by the live stream; the metrics are text.
    let fetching = originals.filter { $0.text.contains("fetch(") || $0.text.contains("EventSource(") }.map(\.name)
    #expect(fetching == ["api.js", "stream.js"])
  }

  @Test("The console offers a verb to the roles that have the engine's permission, and to no others")
  func roles() throws {
    let script = try #require(Assets.text("console/api.js"))
    let table = try #require(script.firstMatch(of: /const rolesWith = \{(.*?)\};/)?.1)
    var permissions: [Permission] = []
    for match in table.matches(of: /([a-z]+): \[(.*?)\]/) {
      let permission = try #require(Permission(rawValue: String(match.1)))
      permissions.append(permission)
      let roles = match.2.split(separator: ", ").compactMap { Role(rawValue: $0.trimmingCharacters(in: ["\""])) }
      #expect(Set(roles) == permission.roles, "\(permission)")
    }
    #expect(permissions == [.start, .signal, .operate, .approve, .decline, .administer])
  }

  private typealias Get = (String, HTTPHeaders) async throws -> HTTPServerResponse

  private func withRouter(_ depth: Depth, _ body: (Get) async throws -> Void) async throws {
    let engine = FakeEngine()
    // The console comes while the engine starts, too.
    engine.isReady = false
    let api = API(
      engine: engine, live: LiveHub(store: LiveSite.newStore(), environment: engine.environment),
      environment: engine.environment, log: .silent)
    let router = api.router()
    switch depth {
    case .router: try await body { await router.handle(try HTTPServerRequest("GET", $0, headers: $1)) }
    case .live:
      let server = HTTPServer(environment: .system) { await router.handle($0) }
      let port = try server.start()
      let client = HTTPClient()
      let result: Result<Void, any Error>
      do {
        try await body { target, headers in
          let answer = try await client.send(
            HTTPClientRequest(url: "http://127.0.0.1:\(port)\(target)", headers: headers))
          return HTTPServerResponse(status: answer.status, headers: answer.headers, body: .bytes(answer.body))
        }
        result = .success(())
      } catch {
        result = .failure(error)
      }
      await client.shutdown()
      await server.shutdown(drain: .seconds(5))
      try result.get()
    }
  }
}
