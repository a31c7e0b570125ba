import Assets
import HTTP
import JSON
import Runtime
import TestSupport
import Testing
import Values

@testable import Server

@Suite("Pages of error codes and schemas", .timeLimit(.minutes(15)), .inTurn)
struct PageTests {
  @Test("Every code's page is served as HTML, with a policy and a tag")
  func pages() async throws {
    try await withPages { api in
      #expect(ErrorPages.codes.count > 200)
      for code in ErrorPages.codes {
        let answer = try await api.get("/errors/\(code)")
        #expect(answer.status == 200, "\(code)")
        #expect(answer.headers["Content-Type"] == "text/html; charset=utf-8")
        #expect(answer.headers["Content-Security-Policy"]?.contains("default-src 'none'") == true)
        #expect(answer.headers["ETag"] != nil)
        let page = String(decoding: answer.bytes, as: UTF8.self)
        #expect(page.contains("<h1>\(code)</h1>") && page.contains("<h2>What to do</h2>"), "\(code)")
        #expect(page.contains("<h2>HTTP status</h2>") == (ErrorStatus.text(of: code) != nil), "\(code)")
      }
    }
  }

  @Test("A client that asks for Markdown gets Markdown; a browser gets HTML")
  func accept() async throws {
    try await withPages { api in
      let markdown = try await api.get("/errors/saga.notFound", headers: ["Accept": "text/markdown"])
      #expect(String(decoding: markdown.bytes, as: UTF8.self) == Assets.text("docs/errors/saga.notFound.md"))
      #expect(markdown.headers["Content-Type"] == "text/markdown; charset=utf-8")
      #expect(markdown.headers["Vary"] == "Accept")
      let browser = try await api.get("/errors/saga.notFound", headers: ["Accept": "text/html,text/markdown;q=0.9"])
      #expect(browser.headers["Content-Type"] == "text/html; charset=utf-8")
    }
  }

  @Test("The type of a problem is the URL of its page")
  func typeOfAProblem() async throws {
    try await withPages { api in
      let problem = try await api.get("/v1/nothing").json
      let page = try await api.get(try #require(problem["type"]?.stringValue))
      #expect(page.status == 200)
    }
  }

  @Test("The list names every code; an unknown code is not found")
  func list() async throws {
    try await withPages { api in
      let list = String(decoding: try await api.get("/errors").bytes, as: UTF8.self)
      for code in ErrorPages.codes { #expect(list.contains("/errors/\(code)\"")) }
      for path in ["/errors/no.such", "/errors/..%2F..%2FREADME", "/schema/openapi", "/schema/..%2Ferrors.json"] {
        #expect(try await api.get(path).status == 404, "\(path)")
      }
    }
  }

  @Test("Schemas are served as schemas", arguments: ["workflow.schema.json", "events/stepFailed.v1.json"])
  func schemas(name: String) async throws {
    try await withPages { api in
      let answer = try await api.get("/schema/\(name)")
      #expect(answer.headers["Content-Type"] == "application/schema+json")
      #expect(Assets.bytes("docs/schema/\(name)") == answer.bytes)
    }
  }

  private struct Pages {
    let router: Router

    func get(_ target: String, headers: HTTPHeaders = [:]) async throws -> Page {
      let answer = await router.handle(try HTTPServerRequest("GET", target, headers: headers))
      return Page(status: answer.status, headers: answer.headers, bytes: answer.body.bytes ?? [])
    }
  }

  private struct Page {
    let status: Int
    let headers: HTTPHeaders
    let bytes: [UInt8]
    var json: JSON { (try? JSON(parsing: bytes)) ?? .null }
  }

  /// The pages are there while the engine starts, too.
  private func withPages(_ body: (Pages) async throws -> Void) async throws {
    let engine = FakeEngine()
    engine.isReady = false
    let api = API(
      engine: engine, live: LiveHub(store: LiveSite.newStore(), environment: engine.environment),
      environment: engine.environment, log: .silent)
    try await body(Pages(router: api.router()))
  }

  @Test("HTML in the text of a page is escaped")
  func escaping() {
    let html = MarkdownPage.html(
      "# a<b\n\ntext & `<script>` [label](x.md) [out](../y.md)\n\n- one\n  more\n- two\n\n```\n<pre>\n```\n")
    #expect(
      html == """
        <h1>a&lt;b</h1>
        <p>text &amp; <code>&lt;script&gt;</code> <a href="/errors/x">label</a> out</p>
        <ul>
        <li>one more</li>
        <li>two</li>
        </ul>
        <pre>&lt;pre&gt;</pre>

        """)
  }
}
