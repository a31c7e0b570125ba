import HTTP
import TestSupport
import Testing
import Values

/// A web page must not be able to use a server on this machine, under whatever name it reaches it.
@Suite("Hosts and origins", .timeLimit(.minutes(15)), .inTurn)
struct HostTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let method: String
    let target: String
    let fields: [String]
    let status: Int
    var testDescription: String { "\(method) \(target) \(fields) → \(status)" }

    init(_ method: String, _ fields: [String], _ status: Int, target: String = "/") {
      self.method = method
      self.target = target
      self.fields = fields
      self.status = status
    }
  }

  static let hosts: [Case] =
    [
      "localhost", "LOCALHOST", "localhost.", "localhost:1", "localhost:", "127.0.0.1", "127.1.2.3:80", "[::1]",
      "[::1]:80",
      "[0:0:0:0:0:0:0:1]", "saga.lab.example", "Saga.Lab.Example.:8080", "xn--mller-kva.example",
    ].map { Case("GET", ["Host: \($0)"], 200) }
    + [
      "evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1.nip.io",
      "evillocalhost", "10.0.0.1", "128.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0", "[::]", "[::2]",
      "[::ffff:127.0.0.1]", "sub.saga.lab.example", "",
    ].map { Case("GET", ["Host: \($0)"], 421) }
    + [
      "localhost:http", "localhost:99999", "localhost:-1", "localhost:80:80", "me@localhost", "localhost/",
      "local host",
      "localhost,evil.example", "[::1", "[::1]x", "::1", "[fe80::1%25lo]", "[::1%lo]", "müller.example", "localhost..",
      "local\"host", "%6cocalhost",
    ].map { Case("GET", ["Host: \($0)"], 400) }
    + [
      Case("GET", ["Host: localhost", "Host: localhost"], 400),
      Case("GET", ["Host: localhost", "host: evil.example"], 400),
      Case("GET", [], 400), Case("GET", ["Host: evil.example"], 421, target: "http://localhost/"),
      Case("GET", ["Host: localhost"], 421, target: "http://evil.example/"),
      Case("GET", ["Host: 127.0.0.1"], 200, target: "http://localhost/"),
    ]

  static let origins: [Case] = [
    Case("POST", ["Host: localhost:8080"], 200),
    Case("POST", ["Host: localhost:8080", "Origin: http://localhost:8080"], 200),
    Case("POST", ["Host: localhost", "Origin: http://localhost"], 200),
    Case("POST", ["Host: saga.lab.example", "Origin: https://saga.lab.example"], 200),
    Case("POST", ["Host: localhost:8080", "Origin: http://localhost:8081"], 403),
    Case("POST", ["Host: localhost:8080", "Origin: http://localhost"], 403),
    Case("POST", ["Host: localhost:8080", "Origin: http://127.0.0.1:8080"], 403),
    Case("POST", ["Host: localhost:8080", "Origin: http://evil.example"], 403),
    Case("POST", ["Host: localhost:8080", "Origin: http://localhost:8080.evil.example"], 403),
    Case("POST", ["Host: localhost:8080", "Origin: null"], 403),
    Case("POST", ["Host: localhost:8080", "Origin:"], 403),
    Case("POST", ["Host: localhost:8080", "Origin: file://"], 403),
    Case("POST", ["Host: localhost:8080", "Origin: chrome-extension://abc"], 403),
    Case("POST", ["Host: localhost", "Origin: http://localhost", "Origin: http://evil.example"], 403),
    Case("PUT", ["Host: localhost", "Origin: http://evil.example"], 403),
    Case("DELETE", ["Host: localhost", "Origin: http://evil.example"], 403),
    Case("PATCH", ["Host: localhost", "Origin: http://evil.example"], 403),
    Case("POST", ["Host: localhost", "Sec-Fetch-Site: same-origin"], 200),
    Case("POST", ["Host: localhost", "Sec-Fetch-Site: none"], 200),
    Case("POST", ["Host: localhost", "Sec-Fetch-Site: same-site"], 403),
    Case("POST", ["Host: localhost", "Sec-Fetch-Site: cross-site"], 403),
    Case("POST", ["Host: localhost", "Sec-Fetch-Site: nonsense"], 403),
    Case("POST", ["Host: localhost", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"], 403),
    // A proxy with another name in front: the browser has compared the origins.
    Case("POST", ["Host: localhost", "Sec-Fetch-Site: same-origin", "Origin: https://saga.lab.example"], 200),
    Case("GET", ["Host: localhost", "Sec-Fetch-Site: cross-site", "Origin: http://evil.example"], 403),
    Case("GET", ["Host: localhost", "Origin: http://evil.example"], 403),
    Case("GET", ["Host: localhost", "Origin: http://localhost"], 200),
    Case("GET", ["Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"], 403),
    Case("GET", ["Host: localhost", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors"], 403),
    // A link on another page.
    Case("GET", ["Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"], 200),
    Case("POST", ["Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"], 403),
    Case("HEAD", ["Host: localhost", "Sec-Fetch-Site: cross-site"], 200),
    Case("OPTIONS", ["Host: localhost", "Origin: http://evil.example", "Access-Control-Request-Method: POST"], 403),
  ]

  private func check(_ row: Case) async throws {
    let configuration = HTTPServerConfiguration(
      hosts: HostPolicy(bound: "127.0.0.1", allowed: ["saga.lab.example", "xn--mller-kva.example"]))
    try await withServer(configuration) { _ in
      .text("served")
    } body: { port in
      let connection = try RawConnection(port: port)
      let fields = row.fields.map { "\($0)\r\n" }.joined()
      connection.send("\(row.method) \(row.target) HTTP/1.1\r\n\(fields)Connection: close\r\n\r\n")
      let answer = await connection.readAll()
      #expect(answer.hasPrefix("HTTP/1.1 \(row.status) "), "\(answer)")
      let codes = [400: HTTPErrorCode.badRequest, 403: HTTPErrorCode.crossSite, 421: HTTPErrorCode.hostNotAllowed]
      if let code = codes[row.status] { #expect(problemCode(in: answer) == code) }
      if row.status != 200 { #expect(!answer.contains("served")) }
      // No page of another origin may read an answer, show it, or take it for a script.
      #expect(!answer.lowercased().contains("access-control-"))
      for field in [
        "Cross-Origin-Resource-Policy: same-origin", "X-Content-Type-Options: nosniff", "X-Frame-Options: DENY",
        "Cache-Control: no-store", "frame-ancestors 'none'",
      ] { #expect(answer.contains(field), "\(field)") }
    }
  }

  @Test("A server answers to its own names only", arguments: hosts)
  func names(_ row: Case) async throws { try await check(row) }

  @Test("A page of another origin can change nothing", arguments: origins)
  func pages(_ row: Case) async throws { try await check(row) }

  @Test("HTTP/1.0 needs no Host")
  func oldClients() async throws {
    try await withServer { _ in
      .text("served")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.0\r\n\r\n")
      #expect(await connection.readAll().hasSuffix("served"))
      let rebound = try RawConnection(port: port)
      rebound.send("GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n")
      #expect(await rebound.readAll().hasPrefix("HTTP/1.1 421 "))
    }
  }

  @Test("A server on every address answers to the one that was connected to")
  func everywhere() async throws {
    try await withServer(HTTPServerConfiguration(host: "0.0.0.0")) { _ in
      .text("served")
    } body: { port in
      for (host, status) in [("127.0.0.1", 200), ("10.9.8.7", 421), ("evil.example", 421)] {
        let connection = try RawConnection(port: port)
        connection.send("GET / HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n\r\n")
        #expect(await connection.readAll().hasPrefix("HTTP/1.1 \(status) "), "\(host)")
      }
    }
  }

  @Test(
    "A configuration knows whether other machines can connect",
    arguments: [
      ("127.0.0.1", true), ("localhost", true), ("::1", true), ("127.3.3.3", true), ("0.0.0.0", false), ("::", false),
      ("192.0.2.1", false), ("no-such-host.invalid", false),
    ])
  func loopback(_ host: String, _ isLoopback: Bool) {
    #expect(HTTPServerConfiguration(host: host).isLoopback == isLoopback)
  }
}
