import HTTP
import Runtime
import TestSupport
import Testing

/// What libmicrohttpd lets through, and this server must not. Where no code is given, libmicrohttpd refuses by itself,
/// in its own words.
struct ServerTrapTests {
  static let refused: [(name: String, request: String, status: Int, code: String?)] = [
    (
      "Content-Length with Transfer-Encoding",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
      "http.ambiguousLength"
    ),
    (
      "two Content-Lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400,
      "http.ambiguousLength"
    ),
    (
      "a list of Content-Lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", 400,
      nil
    ),
    (
      "unknown Transfer-Encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501,
      "http.unsupportedTransferEncoding"
    ),
    (
      "two Transfer-Encodings",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 501,
      "http.unsupportedTransferEncoding"
    ),
    ("NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\nX-B: d\r\n\r\n", 400, "http.badRequest"),
    ("NUL in the last value", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0c\r\n\r\n", 400, "http.badRequest"),
    ("two NULs in the last value", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\0\0c\r\n\r\n", 400, "http.badRequest"),
    ("NUL in the target", "GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.badRequest"),
    ("NUL in the method", "GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.badRequest"),
    ("NUL in the version", "GET / HTTP/1.1\0x\r\nHost: a\r\n\r\n", 400, nil),
    ("encoded NUL in the path", "GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.badRequest"),
    ("half an escape", "GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.badRequest"),
    ("an escape that isn't UTF-8", "GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.badRequest"),
    ("a query that isn't UTF-8", "GET /?a=%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.badRequest"),
    ("a folded header", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\nX-B: d\r\n\r\n", 400, "http.badRequest"),
    (
      "a folded name of Transfer-Encoding",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer: chunked\r\n -Encoding\r\nX-B: d\r\n\r\n", 400, "http.badRequest"
    ),
    ("a folded last header", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n", 400, "http.badRequest"),
    ("a bare LF", "GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n", 400, "http.badRequest"),
    ("a blank before the colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "http.badRequest"),
    ("no Host", "GET / HTTP/1.1\r\nX-A: b\r\n\r\n", 400, "http.badRequest"),
    ("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "http.badRequest"),
    ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.badRequest"),
    ("a control character", "GET / HTTP/1.1\r\nHost: a\r\nX-A: b\u{1}c\r\n\r\n", 400, "http.badRequest"),
    ("an absolute path that isn't one", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "http.badRequest"),
    (
      "a body that says it is too long", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n", 413,
      "http.bodyTooLarge"
    ),
    (
      "a body that turns out too long",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"
        + String(repeating: "x", count: 1_001) + "\r\n", 413, "http.bodyTooLarge"
    ),
    (
      "long headers", "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + String(repeating: "x", count: 2_000) + "\r\n\r\n", 431,
      "http.headersTooLarge"
    ),
  ]

  @Test("Refused, and the connection closed", arguments: refused.indices)
  func refuses(_ index: Int) async throws {
    let trap = Self.refused[index]
    let configuration = HTTPServerConfiguration(maxBodyBytes: 1_000, maxHeaderBytes: 1_500)
    try await withServer(configuration) { _ in
      .text("served")
    } body: { port in
      let connection = try RawConnection(port: port)
      // What would be smuggled behind it must not be served.
      connection.send(trap.request)
      let answer = await connection.readAll()
      #expect(answer.hasPrefix("HTTP/1.1 \(trap.status) "), "\(trap.name): \(answer)")
      #expect(problemCode(in: answer) == trap.code, "\(trap.name): \(answer)")
      #expect(!answer.contains("served"), "\(trap.name)")
    }
  }

  @Test func nothingBehindARefusedRequestIsServed() async throws {
    try await withServer { _ in
      .text("served")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
          + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(await !connection.readAll().contains("served"))
    }
  }

  @Test(
    "A request that trickles is ended by its deadline",
    arguments: [
      "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\nX-", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
    ])
  func trickles(_ part: String) async throws {
    let clock = FakeClock()
    let configuration = HTTPServerConfiguration(requestTimeout: .seconds(8))
    let environment = Environment.fake(clock: clock)
    try await withServer(configuration, environment: environment) { _ in
      .text("served")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send(part)
      // The server has the connection once a later one was answered.
      try await withClient { client in
        _ = try await client.send(HTTPClientRequest(url: "http://127.0.0.1:\(port)/"))
      }
      for _ in 0..<2 {
        await clock.waitForSleepers { !$0.isEmpty }
        clock.advance(by: .seconds(8))
      }
      let answer = await connection.readAll()
      #expect(answer.hasPrefix("HTTP/1.1 408 "))
      #expect(problemCode(in: answer) == "http.requestTimeout")
    }
  }

  @Test func stoppingWithSuspendedConnectionsAnswersThem() async throws {
    let began = Signal()
    let cancelled = Signal()
    let server = HTTPServer(environment: .system) { _ in
      began.set()
      await waitUntilCancelled()
      cancelled.set()
      return .text("too late")
    }
    let connection = try RawConnection(port: try server.start())
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await began.wait()
    await server.shutdown(drain: .zero)
    await cancelled.wait()
    #expect(await !connection.readAll().contains("too late"))
  }

  @Test func manyHeadersPassTheReadersCheck() async throws {
    try await withServer {
      .text("\($0.headers.count)")
    } body: { port in
      let connection = try RawConnection(port: port)
      let fields = (0..<200).map { "X-\($0): \(String(repeating: "v", count: 100))\r\n" }.joined()
      connection.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(fields)X-Empty:\r\n\r\n")
      #expect(await connection.readAll().hasSuffix("\r\n\r\n203"))
    }
  }
}
