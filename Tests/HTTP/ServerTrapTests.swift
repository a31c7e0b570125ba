import HTTP
import Runtime
import TestSupport
import Testing
import Values

/// A request that the server must refuse, or take, as it comes over the wire.
struct WireCase: Sendable, CustomTestStringConvertible {
  let name: String
  let request: [UInt8]
  let status: Int
  /// The problem's code; nil for a request that is served.
  let code: String?

  var testDescription: String { name }

  init(_ name: String, _ request: String, _ status: Int, _ code: String? = nil) {
    self.init(name, bytes: Array(request.utf8), status, code)
  }

  init(_ name: String, bytes: [UInt8], _ status: Int, _ code: String? = nil) {
    self.name = name
    request = bytes
    self.status = status
    self.code = code
  }

  static let host = "Host: localhost\r\n"
  private static func get(_ name: String, fields: String, _ status: Int = 400, _ code: String? = bad) -> Self {
    WireCase(name, "GET / HTTP/1.1\r\n\(host)\(fields)\r\n", status, code)
  }
  private static func line(_ name: String, _ line: String, _ status: Int = 400, _ code: String? = bad) -> Self {
    WireCase(name, "\(line)\r\n\(host)\r\n", status, code)
  }
  private static func post(
    _ name: String, _ fields: String, _ body: String = "", _ status: Int = 400, _ code: String? = bad
  ) -> Self {
    WireCase(name, "POST / HTTP/1.1\r\n\(host)\(fields)\r\n\(body)", status, code)
  }
  private static func chunks(
    _ name: String, _ body: String, _ status: Int = 400, _ code: String? = bad
  ) -> Self {
    post(name, "Transfer-Encoding: chunked\r\n", body, status, code)
  }
  private static let bad = HTTPErrorCode.badRequest
  private static let ambiguous = HTTPErrorCode.ambiguousLength
  private static let coding = HTTPErrorCode.unsupportedTransferEncoding
  private static let large = HTTPErrorCode.bodyTooLarge

  static let requestLines: [WireCase] = [
    line("no version", "GET /"), line("no target", "GET"), line("nothing but blanks", "   "),
    line("two spaces before the target", "GET  / HTTP/1.1"), line("two spaces before the version", "GET /  HTTP/1.1"),
    line("a space at the end", "GET / HTTP/1.1 "), line("a space at the beginning", " GET / HTTP/1.1"),
    line("a tab for a space", "GET\t/ HTTP/1.1"), line("a fourth word", "GET / HTTP/1.1 x"),
    line("a version in lower case", "GET / http/1.1"), line("a version without a dot", "GET / HTTP/11"),
    line("a version with two digits", "GET / HTTP/1.10"), line("another protocol", "GET / HTTQ/1.1"),
    line("no number for a version", "GET / HTTP/x.y"),
    line("HTTP/2.0", "GET / HTTP/2.0", 505, HTTPErrorCode.versionNotSupported),
    line("HTTP/0.9 as a version", "GET / HTTP/0.9", 505, HTTPErrorCode.versionNotSupported),
    line("HTTP/1.2", "GET / HTTP/1.2", 200, nil),
    WireCase("HTTP/0.9", "GET /\r\n", 400, bad),
    WireCase("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, HTTPErrorCode.versionNotSupported),
    WireCase("a TLS hello", bytes: [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01], 400, bad),
    line("a method that is not a token", "G(T / HTTP/1.1"), line("an empty method", " / HTTP/1.1"),
    line("an unknown method", "BREW / HTTP/1.1", 501, HTTPErrorCode.methodUnknown),
    line("a method in lower case", "get / HTTP/1.1", 501, HTTPErrorCode.methodUnknown),
    line("a tunnel", "CONNECT localhost:80 HTTP/1.1", 501, HTTPErrorCode.methodUnknown),
    line("a target without a slash", "GET a HTTP/1.1"), line("a star with GET", "GET * HTTP/1.1"),
    line("a star with OPTIONS", "OPTIONS * HTTP/1.1", 200, nil),
    line("a fragment", "GET /a#b HTTP/1.1"), line("half an escape", "GET /a%2 HTTP/1.1"),
    line("an escape that is none", "GET /%zz HTTP/1.1"), line("an encoded NUL", "GET /a%00b HTTP/1.1"),
    line("an escape that is not UTF-8", "GET /%ff HTTP/1.1"), line("a query that is not UTF-8", "GET /?a=%ff HTTP/1.1"),
    line("a raw character that is not ASCII", "GET /é HTTP/1.1"),
    line("an encoded slash", "GET /a%2fb HTTP/1.1", 200, nil),
    line("an absolute target", "GET http://localhost/a?b=c HTTP/1.1", 200, nil),
    line("an absolute target in capitals", "GET HTTP://LOCALHOST:80 HTTP/1.1", 200, nil),
    line("an absolute target of another host", "GET http://evil.example/ HTTP/1.1", 421, HTTPErrorCode.hostNotAllowed),
    line("an absolute target of another scheme", "GET ftp://localhost/ HTTP/1.1", 421, HTTPErrorCode.hostNotAllowed),
    line("an absolute target without a host", "GET http:///a HTTP/1.1"),
    line("an absolute target with a user", "GET http://me@localhost/ HTTP/1.1"),
    line("an absolute target with a port that is none", "GET http://localhost:99999/ HTTP/1.1"),
    line(
      "a long target", "GET /" + String(repeating: "x", count: 2_000) + " HTTP/1.1", 414, HTTPErrorCode.targetTooLong),
    WireCase("an empty line before the request", "\r\nGET / HTTP/1.1\r\n\(host)Connection: close\r\n\r\n", 200),
    WireCase("many empty lines before the request", String(repeating: "\r\n", count: 9), 400, bad),
  ]

  static let bytes: [WireCase] = [
    line("NUL in the target", "GET /a\0b HTTP/1.1"), line("NUL in the method", "GE\0T / HTTP/1.1"),
    line("NUL in the version", "GET / HTTP/1.1\0"),
    get("NUL in a value", fields: "X-A: b\0c\r\nX-B: d\r\n"), get("NUL in the last value", fields: "X-A: b\0c\r\n"),
    get("NUL at the end of the last line", fields: "X-A: b\0\r\n"), get("NUL in a name", fields: "X\0A: b\r\n"),
    get("a bare LF behind a field", fields: "X-A: b\nX-B: c\r\n"),
    WireCase("a bare LF behind the request line", "GET / HTTP/1.1\n\(host)\r\n", 400, bad),
    WireCase("bare LFs everywhere", "GET / HTTP/1.1\nHost: localhost\n\n", 400, bad),
    WireCase("a bare LF for the empty line", "GET / HTTP/1.1\r\n\(host)\n", 400, bad),
    get("a bare CR in a value", fields: "X-A: b\rc\r\n"), get("CR CR LF", fields: "X-A: b\r\r\n"),
    get("a control character", fields: "X-A: b\u{1}c\r\n"), get("an escape", fields: "X-A: \u{1B}[2J\r\n"),
    get("DEL", fields: "X-A: \u{7F}\r\n"), get("a vertical tab", fields: "X-A: a\u{0B}b\r\n"),
    get("a tab in a value", fields: "X-A: a\tb\r\nConnection: close\r\n", 200, nil),
    WireCase(
      "a value that is not UTF-8",
      bytes: Array("GET / HTTP/1.1\r\n\(host)X-A: ".utf8) + [0xFF] + Array("\r\n\r\n".utf8),
      400, bad),
    get("a folded field", fields: "X-A: b\r\n c\r\nX-B: d\r\n"),
    get("a field folded with a tab", fields: "X-A: b\r\n\tc\r\n"),
    WireCase("a folded first field", "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n", 400, bad),
    get("a blank before the colon", fields: "X-A : b\r\n"), get("no colon", fields: "X-A\r\n"),
    get("an empty name", fields: ": b\r\n"), get("a name with a blank", fields: "X A: b\r\n"),
    get("a name with a quote", fields: "X\"A: b\r\n"),
    get("an empty value", fields: "X-A:\r\nConnection: close\r\n", 200, nil),
    get(
      "long fields", fields: "X-A: " + String(repeating: "x", count: 2_000) + "\r\n", 431,
      HTTPErrorCode.headersTooLarge),
    get(
      "many fields", fields: String(repeating: "a:\r\n", count: 300), 431, HTTPErrorCode.headersTooLarge),
  ]

  static let framing: [WireCase] = [
    post("both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 400, ambiguous),
    post("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello", 400, ambiguous),
    post("the same length twice", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello", 400, ambiguous),
    post("a list of lengths", "Content-Length: 5, 5\r\n", "hello"), post("a negative length", "Content-Length: -1\r\n"),
    post("a length with a plus", "Content-Length: +5\r\n", "hello"),
    post("a hexadecimal length", "Content-Length: 0x5\r\n", "hello"),
    post("an empty length", "Content-Length:\r\n"),
    post("a length with a blank", "Content-Length: 1 1\r\n", "hello world"),
    post("a length with a fraction", "Content-Length: 5.0\r\n", "hello"),
    post("a length that is too long", "Content-Length: 1001\r\n", "", 413, large),
    post("a length that no number holds", "Content-Length: 99999999999999999999\r\n", "", 413, large),
    post("an unknown coding", "Transfer-Encoding: gzip\r\n", "", 501, coding),
    post("a list of codings", "Transfer-Encoding: gzip, chunked\r\n", "", 501, coding),
    post("chunked twice", "Transfer-Encoding: chunked, chunked\r\n", "", 501, coding),
    post("chunked, then identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "", 501, coding),
    post("a coding with a parameter", "Transfer-Encoding: chunked;a=b\r\n", "", 501, coding),
    post("an empty coding", "Transfer-Encoding:\r\n", "", 501, coding),
    post(
      "a coding with a blank behind it", "Transfer-Encoding: chunked \r\nConnection: close\r\n", "0\r\n\r\n", 200, nil),
    post("a coding in capitals", "Transfer-Encoding: CHUNKED\r\nConnection: close\r\n", "0\r\n\r\n", 200, nil),
    WireCase("a coding in HTTP/1.0", "POST / HTTP/1.0\r\n\(host)Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, bad),
    chunks("a bare LF behind a size", "5\nhello\r\n0\r\n\r\n"),
    chunks("a bare LF behind a chunk", "5\r\nhello\n0\r\n\r\n"),
    chunks("a bare LF at the end", "5\r\nhello\r\n0\r\n\n"), chunks("a bare CR behind a size", "5\rhello\r\n0\r\n\r\n"),
    chunks("no size", "\r\nhello\r\n0\r\n\r\n"), chunks("a size that is none", "g\r\nhello\r\n0\r\n\r\n"),
    chunks("a negative size", "-5\r\nhello\r\n0\r\n\r\n"), chunks("a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
    chunks("a blank before the size", " 5\r\nhello\r\n0\r\n\r\n"),
    chunks("a blank behind the size", "5 \r\nhello\r\n0\r\n\r\n"),
    chunks("a chunk that is longer than its size", "4\r\nhello\r\n0\r\n\r\n"),
    chunks("a size that overflows", "10000000000000005\r\nhello\r\n0\r\n\r\n", 413, large),
    chunks("a large size", "7fffffffffffffff\r\n", 413, large),
    chunks(
      "chunks that are too long together", "3e8\r\n" + String(repeating: "x", count: 1_000) + "\r\n1\r\n", 413, large),
    chunks("a long extension", "5;" + String(repeating: "x", count: 500) + "\r\n"),
    chunks("a control character in an extension", "5;\u{1}\r\nhello\r\n0\r\n\r\n"),
    chunks("a trailer that is none", "0\r\nnonsense\r\n\r\n"), chunks("a folded trailer", "0\r\nX-A: b\r\n c\r\n\r\n"),
    chunks(
      "long trailers", "0\r\n" + String(repeating: "X-A: \(String(repeating: "x", count: 100))\r\n", count: 20), 431,
      HTTPErrorCode.headersTooLarge),
    post(
      "extensions and trailers", "Transfer-Encoding: chunked\r\nConnection: close\r\n",
      "5;a=b\r\nhello\r\n0\r\nX-A: b\r\n\r\n", 200, nil),
    post(
      "a coded body", "Content-Encoding: gzip\r\nContent-Length: 5\r\n", "hello", 415,
      HTTPErrorCode.unsupportedContentEncoding),
    post(
      "an unknown expectation", "Expect: 200-ok\r\nContent-Length: 5\r\n", "hello", 417, HTTPErrorCode.expectationFailed
    ),
    post("an upgrade, which is passed over", "Upgrade: h2c\r\nConnection: Upgrade, close\r\n", "", 200, nil),
  ]
}

/// Requests that a server must refuse because two servers could read them differently, and requests that it must take.
@Suite("Requests on the wire", .timeLimit(.minutes(15)), .inTurn)
struct ServerTrapTests {
  @Test(
    "A request gets exactly one answer: the server's own refusal, or the handler's",
    arguments: WireCase.requestLines + WireCase.bytes + WireCase.framing)
  func answers(_ trap: WireCase) async throws {
    let configuration = HTTPServerConfiguration(maxBodyBytes: 1_000, maxHeaderBytes: 1_500)
    try await withServer(configuration) { _ in
      .text("served", headers: ["X-Served": "yes"])
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send(trap.request)
      if trap.code == nil { connection.sendEnd() }
      let answer = await connection.readAll()
      #expect(answer.hasPrefix("HTTP/1.1 \(trap.status) "), "\(answer)")
      #expect(problemCode(in: answer) == trap.code, "\(answer)")
      #expect(answer.ranges(of: "HTTP/1.1 ").count == 1, "\(answer)")
      guard trap.code != nil else { return }
      #expect(answer.contains("\r\nContent-Type: application/problem+json\r\n"), "\(answer)")
      // A smuggled request behind it must not be served.
      #expect(!answer.contains("served"))
    }
  }

  @Test func nothingBehindARefusedRequestIsServed() async throws {
    try await withServer { _ in
      .text("served")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
          + "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(await !connection.readAll().contains("served"))
    }
  }

  @Test(
    "A request that arrives too slowly is ended by its deadline",
    arguments: [
      "GET / HT", "GET / HTTP/1.1\r\nHost: localhost\r\nX-",
      "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhe",
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
      #expect(answer.contains("HTTP/1.1 408 "))
      #expect(answer.contains(HTTPErrorCode.requestTimeout))
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
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
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
      connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\(fields)X-Empty:\r\n\r\n")
      #expect(await connection.readAll().hasSuffix("\r\n\r\n203"))
    }
  }
}
