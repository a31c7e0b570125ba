import Foundation
import HTTP
import Synchronization
import TestSupport
import Testing
import Values

/// The caller counts its requests, so the client never sends a request a second time by itself.
@Suite("A request is sent once", .timeLimit(.minutes(15)), .inTurn)
struct SentOnceTests {
  typealias Answer = ScriptedServer.Answer

  private static func request(
    _ method: String, _ port: Int, _ path: String, key: Bool = false, body: [UInt8]? = nil
  ) -> HTTPClientRequest {
    HTTPClientRequest(
      method: method, url: "http://127.0.0.1:\(port)\(path)", headers: key ? ["Idempotency-Key": "k"] : [:],
      body: body ?? (["POST", "PUT", "PATCH"].contains(method) ? [1] : []))
  }

  /// A server that answers `/lost` only when it is asked the second time, and each other path at once.
  private static func fickle() throws -> ScriptedServer {
    let asked = Mutex(0)
    return try ScriptedServer { request in
      guard request.line.contains("/lost") else { return .ok }
      let count = asked.withLock { count in
        count += 1
        return count
      }
      return count > 1 ? .ok : .nothing
    }
  }

  @Test(
    "A call that is lost on a kept connection arrives once, and its outcome is unknown",
    arguments: ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"], [true, false])
  func keptConnection(method: String, key: Bool) async throws {
    let requests = try await quickly {
      let server = try Self.fickle()
      defer { server.stop() }
      return try await withClient { client in
        _ = try await client.send(Self.request("GET", server.port, "/warm"))
        let error = await failure(of: client, Self.request(method, server.port, "/lost", key: key))
        #expect(error?.code == HTTPErrorCode.connectionLost)
        #expect(error?.sent == true)
        let requests = server.requests
        // The caller may do what the client may not.
        _ = try await client.send(Self.request(method, server.port, "/lost", key: key))
        #expect(server.requests.count == 3)
        return requests
      }
    }
    // Both over one connection: it was kept, and it was not replaced.
    #expect(
      requests == [
        .init(line: "GET /warm HTTP/1.1", connection: 1), .init(line: "\(method) /lost HTTP/1.1", connection: 1),
      ])
  }

  @Test("A large body is sent once, too")
  func largeBody() async throws {
    let server = try Self.fickle()
    defer { server.stop() }
    try await withClient { client in
      _ = try await client.send(Self.request("GET", server.port, "/warm"))
      let body = [UInt8](repeating: 7, count: 3_000_000)
      #expect(await failure(of: client, Self.request("PUT", server.port, "/lost", body: body))?.sent == true)
      #expect(server.requests.count == 2)
    }
  }

  @Test("A 417 is an answer, not an invitation")
  func expectationFailed() async throws {
    let server = try ScriptedServer { _ in .text("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n") }
    defer { server.stop() }
    try await withClient { client in
      let body = [UInt8](repeating: 7, count: 3_000_000)
      let response = try await client.send(Self.request("PUT", server.port, "/", body: body))
      #expect(response.status == 417)
      #expect(server.requests.count == 1)
    }
  }

  @Test(
    "An answer that asks for another call causes no call",
    arguments: ["401 Unauthorized", "407 Proxy Authentication", "503 Busy", "308 Moved"])
  func answers(status: String) async throws {
    let server = try ScriptedServer { request in
      .text(
        "HTTP/1.1 \(status)\r\nWWW-Authenticate: Basic realm=\"x\"\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
          + "Location: /other\r\nRetry-After: 0\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n")
    }
    defer { server.stop() }
    try await withClient { client in
      let url = "http://u:p@127.0.0.1:\(server.port)/"
      let response = try await client.send(HTTPClientRequest(method: "PUT", url: url, body: [1]))
      #expect(response.status == Int(status.prefix(3)))
      #expect(server.requests.count == 1)
    }
  }

  @Test("A connection that the server closed before a call is not used for it")
  func closedBefore() async throws {
    let server = try ScriptedServer { _ in .text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", closes: true) }
    defer { server.stop() }
    try await withClient { client in
      for number in 1...20 {
        // The end of the connection arrives a little later, and the client gets no event for it. A call that comes first is
        // lost, and the next ones get connections of their own.
        let error = await failure(of: client, Self.request("PUT", server.port, "/\(number)"))
        if let error { #expect(error.code == HTTPErrorCode.connectionLost && error.sent) }
      }
      #expect(Set(server.requests.map(\.line)).count == server.requests.count)
    }
  }

  @Test("After a loss on a kept connection, calls to that server get connections of their own")
  func distrust() async throws {
    let (server, other) = try await quickly {
      let server = try Self.fickle()
      defer { server.stop() }
      let other = try ScriptedServer { _ in .ok }
      defer { other.stop() }
      try await withClient { client in
        for path in ["/a", "/b"] { _ = try await client.send(Self.request("PUT", server.port, path)) }
        #expect(await failure(of: client, Self.request("PUT", server.port, "/lost")) != nil)
        for path in ["/c", "/d", "/e"] { _ = try await client.send(Self.request("PUT", server.port, path)) }
        for path in ["/a", "/b"] { _ = try await client.send(Self.request("PUT", other.port, path)) }
      }
      return (server.requests.map(\.connection), other.requests.map(\.connection))
    }
    #expect(server.count == 6 && server.prefix(2) == [1, 1])
    let later = server.suffix(3)
    #expect(Set(later).count == 3 && !later.contains(1))
    #expect(other == [1, 1])
  }
}

@Suite("An answer that is broken, cut, or not HTTP", .timeLimit(.minutes(15)), .inTurn)
struct BrokenAnswerTests {
  private func end(
    _ answer: String, takesPartialBody: Bool, most: Int = 100
  ) async throws -> Result<HTTPClientResponse, HTTPClientError> {
    let server = try ScriptedServer { _ in .text(answer, closes: true) }
    defer { server.stop() }
    return try await withClient { client in
      do throws(HTTPClientError) {
        return .success(
          try await client.send(
            HTTPClientRequest(
              method: "PUT", url: "http://127.0.0.1:\(server.port)/", timeout: .seconds(20), maxResponseBytes: most,
              takesPartialBody: takesPartialBody)))
      } catch {
        return .failure(error)
      }
    }
  }

  @Test(
    "An answer that is not HTTP has a code of its own, and the request was sent",
    arguments: [
      "SSH-2.0-OpenSSH_9.2\r\n", "220 mail.example ESMTP\r\n", "<html>hello</html>", "\u{15}\u{3}\u{1}\0\u{2}",
      "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "ok\n", "{\"ok\":true}", "\r\n\r\nready\r\n",
    ])
  func noHTTP(answer: String) async throws {
    for takesPartialBody in [true, false] {
      guard case .failure(let error) = try await end(answer, takesPartialBody: takesPartialBody) else {
        Issue.record("\(answer) was taken for an answer")
        continue
      }
      #expect(error.code == HTTPErrorCode.answerNotHTTP, "\(answer.debugDescription): \(error)")
      #expect(error.sent)
    }
  }

  @Test(
    "A connection that breaks before a status is lost",
    arguments: [
      "", "HT", "HTTP/1.1", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    ])
  func beforeStatus(answer: String) async throws {
    guard case .failure(let error) = try await end(answer, takesPartialBody: true) else {
      Issue.record("\(answer) was taken for an answer")
      return
    }
    #expect(error.sent)
    #expect(
      [HTTPErrorCode.connectionLost, HTTPErrorCode.answerNotHTTP].contains(error.code), "\(answer): \(error)")
  }

  @Test(
    "An incomplete body is an error, except for a caller that wants only the status",
    arguments: [
      ("HTTP/1.1 201 Created\r\nContent-Length: 50\r\n\r\n{\"id\":", HTTPErrorCode.connectionLost),
      ("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n{\"id\":\r\n", HTTPErrorCode.connectionLost),
      ("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", nil),
      (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"id\":",
        HTTPErrorCode.connectionLost
      ),
      (
        "HTTP/1.1 201 Created\r\nContent-Length: 101\r\n\r\n" + String(repeating: "x", count: 101),
        HTTPErrorCode.responseTooLarge
      ),
      ("HTTP/1.1 201 Created\r\nContent-Length: -1\r\n\r\n{\"id\":", nil),
    ] as [(String, String?)])
  func cut(answer: String, code: String?) async throws {
    guard case .success(let response) = try await end(answer, takesPartialBody: true) else {
      Issue.record("the status was there: \(answer)")
      return
    }
    #expect(response.status == 201 && response.reason == "Created")
    #expect(response.bodyError?.sent == true)
    if let code { #expect(response.bodyError?.code == code) }
    guard case .failure(let error) = try await end(answer, takesPartialBody: false) else {
      Issue.record("half an answer was taken for a whole one: \(answer)")
      return
    }
    #expect(error.code == response.bodyError?.code)
  }

  @Test("Trailers after a chunked body change no header")
  func trailers() async throws {
    let answer =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
      + "Content-Type: application/json\r\nRetry-After: 9\r\n\r\n"
    let response = try await end(answer, takesPartialBody: false).get()
    #expect(response.text == "ok" && response.headers.all("Content-Type") == ["text/plain"])
    #expect(response.headers["Retry-After"] == nil)
  }
}
