import HTTP
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

/// Tests connections that are kept, waiting, silent or cut, and connections at a shutdown.
@Suite("Connections", .timeLimit(.minutes(15)), .inTurn)
struct ConnectionTests {
  @Test("A client uses its connection again, as the server counts")
  func keptAlive() async throws {
    try await withServer {
      .text("\($0.numberOnConnection)")
    } body: { port in
      let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/")
      for _ in 0..<2 {
        // Each client has connections of its own.
        let answers = try await quickly {
          try await withClient { client in
            var answers: [String] = []
            for _ in 1...3 { answers.append(try await client.send(request).text) }
            return answers
          }
        }
        #expect(answers == ["1", "2", "3"])
      }
    }
  }

  @Test("When the server hangs up the client gets no byte of an answer, and knows that the request was sent")
  func hangUp() async throws {
    let served = Counter()
    try await withServer { _ in
      served.add()
      return .hangUp
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(await connection.readAll() == "")
      try await withClient { client in
        let error = await failure(
          of: client,
          HTTPClientRequest(
            method: "POST", url: "http://127.0.0.1:\(port)/", headers: ["Idempotency-Key": "k"], body: [1]))
        #expect(error?.code == HTTPErrorCode.connectionLost)
        #expect(error?.sent == true)
      }
      // A new connection's request isn't repeated.
      #expect(served.count == 2)
    }
  }

  @Test("While the server drains, a new request on an old connection is refused, and one in flight ends")
  func refusedWhileDraining() async throws {
    let clock = FakeClock()
    let began = Signal()
    let release = Signal()
    let server = HTTPServer(environment: .fake(clock: clock)) { request in
      guard request.path == "/slow" else { return .text("quick") }
      began.set()
      await release.wait()
      return .text("whole")
    }
    let port = try server.start()
    let kept = try RawConnection(port: port)
    kept.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    _ = await kept.read(to: "quick")
    let slow = try RawConnection(port: port)
    slow.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await began.wait()

    let bound = clock.now() + .seconds(600)
    let shutdown = Task { await server.shutdown(drain: .seconds(600)) }
    await clock.waitForSleepers { $0.contains(bound) }
    kept.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    let refusal = await kept.readAll()
    #expect(refusal.hasPrefix("HTTP/1.1 503 "))
    #expect(problemCode(in: refusal) == HTTPErrorCode.shuttingDown)
    release.set()
    let answer = await slow.readAll()
    #expect(answer.hasPrefix("HTTP/1.1 200 "))
    #expect(answer.contains("Connection: close"))
    #expect(answer.hasSuffix("whole"))
    await shutdown.value
  }

  @Test("A request that outlasts the draining is answered as unfinished")
  func waitingWhenTheDrainEnds() async throws {
    let clock = FakeClock()
    let began = Signal()
    let server = HTTPServer(environment: .fake(clock: clock)) { _ in
      began.set()
      await waitUntilCancelled()
      return .text("too late")
    }
    let connection = try RawConnection(port: try server.start())
    connection.send("GET /v1/sagas/1?wait=60s HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await began.wait()
    let bound = clock.now() + .seconds(600)
    let shutdown = Task { await server.shutdown(drain: .seconds(600)) }
    await clock.waitForSleepers { $0.contains(bound) }
    clock.advance(to: bound)
    let answer = await connection.readAll()
    #expect(answer.hasPrefix("HTTP/1.1 503 "))
    #expect(problemCode(in: answer) == HTTPErrorCode.shuttingDown)
    await shutdown.value
  }

  @Test("An idle connection is closed")
  func idle() async throws {
    try await withServer(HTTPServerConfiguration(idleTimeout: .seconds(1))) { _ in
      .text("served")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      _ = await connection.read(to: "served")
      // Were it kept, this would never return.
      #expect(await connection.readAll() == "")
    }
  }

  @Test("Connections over the server's limit wait until one ends")
  func waitInLine() async throws {
    let served = Mutex<[String]>([])
    try await withServer(HTTPServerConfiguration(maxConnections: 1)) { request in
      served.withLock { $0.append(request.path) }
      return .text("served")
    } body: { port in
      var first: RawConnection? = try RawConnection(port: port)
      first?.send("GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n")
      _ = await first?.read(to: "served")
      let second = try RawConnection(port: port)
      second.send("GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n")
      for _ in 0..<20 {
        first?.send("GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = await first?.read(to: "served")
      }
      first = nil
      #expect(await second.read(to: "served").hasPrefix("HTTP/1.1 200 "))
      #expect(served.withLock { $0 } == Array(repeating: "/first", count: 21) + ["/second"])
    }
  }
}

private final class Counter: Sendable {
  private let value = Mutex(0)
  var count: Int { value.withLock { $0 } }
  func add() { value.withLock { $0 += 1 } }
}
