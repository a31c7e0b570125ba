import Foundation
import HTTP
import Runtime
import TestSupport
import Testing
import Values

@Suite("Limits", .timeLimit(.minutes(15)), .inTurn)
struct LimitTests {
  private static let half = 600_000

  private func beginUpload(_ port: Int) throws -> RawConnection {
    let connection = try RawConnection(port: port)
    connection.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000000\r\n\r\n" + String(repeating: "x", count: Self.half)
    )
    return connection
  }

  @Test("Unfinished bodies take bounded memory; small requests are served, and the memory becomes free again")
  func bodies() async throws {
    let configuration = HTTPServerConfiguration(maxBodyBytesInFlight: 2 << 20)
    try await withServer(configuration) {
      .text("\($0.body.count)")
    } body: { port in
      var uploads: [RawConnection] = []
      var refusal = ""
      while refusal.isEmpty, uploads.count < 20 {
        let upload = try beginUpload(port)
        // Answered behind it: by then the server has read the upload, or is about to.
        try await withClient { client in
          let small = HTTPClientRequest(
            method: "POST", url: "http://127.0.0.1:\(port)/", body: [UInt8](repeating: 1, count: 10_000))
          let answer = try await client.send(small)
          #expect(answer.text == "10000")
        }
        uploads.append(upload)
        refusal = uploads.compactMap { $0.readNow() }.joined()
      }
      #expect(refusal.hasPrefix("HTTP/1.1 503 "), "\(refusal)")
      #expect(refusal.contains("\r\nRetry-After: 1\r\n"))
      #expect(problemCode(in: refusal) == HTTPErrorCode.tooManyBodies)
      #expect((4...5).contains(uploads.count), "\(uploads.count)")
      uploads = []
      // The server has seen them go once a large request is taken.
      try await withClient { client in
        let large = HTTPClientRequest(
          method: "POST", url: "http://127.0.0.1:\(port)/", body: [UInt8](repeating: 1, count: 1_900_000))
        var status = 503
        while status == 503 { status = try await client.send(large).status }
        #expect(status == 200)
      }
    }
  }

  @Test("One address has a bounded number of connections")
  func addresses() async throws {
    try await withServer(HTTPServerConfiguration(maxConnectionsPerAddress: 2)) { _ in
      .text("served")
    } body: { port in
      var kept: [RawConnection] = []
      for _ in 0..<2 {
        let connection = try RawConnection(port: port)
        connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = await connection.read(to: "served")
        kept.append(connection)
      }
      let third = try RawConnection(port: port)
      let answer = await third.readAll()
      #expect(answer.hasPrefix("HTTP/1.1 429 "))
      #expect(answer.contains("\r\nRetry-After: 1\r\n"))
      #expect(problemCode(in: answer) == HTTPErrorCode.tooManyConnections)
      // One that ends makes room for another.
      kept.removeLast()
      var again = ""
      while !again.contains("served") {
        let connection = try RawConnection(port: port)
        connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        again = await connection.readAll()
      }
      kept = []
    }
  }

  @Test("Requests behind one another on a connection are answered in order, a broken one last")
  func pipelined() async throws {
    try await withServer {
      .text("<\($0.path) \($0.body.count)>")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send(
        "GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
          + "POST /3 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
          + "GET /4 HTTP/1.1\nHost: localhost\r\n\r\nGET /5 HTTP/1.1\r\nHost: localhost\r\n\r\n")
      let answer = await connection.readAll()
      let order = ["</1 0>", "</2 3>", "</3 2>", "http.badRequest"].map { answer.firstRange(of: $0)?.lowerBound }
      #expect(!order.contains(nil), "\(answer)")
      #expect(order.compactMap { $0 } == order.compactMap { $0 }.sorted())
      #expect(!answer.contains("</4") && !answer.contains("</5"))
    }
  }

  @Test("A client that has ended its side is still answered")
  func halfClosed() async throws {
    try await withServer {
      .text("<\($0.body.count)>")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello")
      connection.sendEnd()
      #expect(await connection.readAll().hasSuffix("<5>"))
    }
  }

  @Test("A large answer arrives whole, also at a client that reads slowly")
  func largeAnswer() async throws {
    try await withServer { _ in
      .bytes([UInt8](repeating: 0x41, count: 5_000_000), type: "text/plain")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      _ = await connection.read(to: "\r\n\r\n")
      #expect(await connection.readAll().utf8.count > 4_800_000)
    }
  }

  @Test("A client that reads nothing of its answer is disconnected")
  func stalled() async throws {
    let clock = FakeClock()
    let ended = Signal()
    let (stream, source) = AsyncStream.makeStream(of: [UInt8].self, bufferingPolicy: .bufferingNewest(4))
    source.onTermination = { _ in ended.set() }
    try await withServer(
      HTTPServerConfiguration(idleTimeout: .seconds(10), requestTimeout: .seconds(8)), environment: .fake(clock: clock)
    ) { _ in
      HTTPServerResponse(body: .stream(stream))
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      // Time passes only once the answer has begun: before, the request would be too slow.
      source.yield(Array("first".utf8))
      _ = await connection.read(to: "first")
      try await eventually("the connection is closed", within: .seconds(90), every: .milliseconds(5)) {
        source.yield([UInt8](repeating: 0, count: 100_000))
        clock.advance(by: .seconds(1))
        return ended.isSet
      }
      _ = connection
    }
  }
}
