import Foundation
import HTTP
import Runtime
import TestSupport
import Testing
import Values

@Suite("The HTTP server", .timeLimit(.minutes(15)), .inTurn)
struct ServerTests {
  @Test func aStreamIsSentAsItComes() async throws {
    let (stream, source) = AsyncStream<[UInt8]>.makeStream()
    try await withServer { _ in
      HTTPServerResponse(body: .stream(stream))
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      source.yield(Array("first".utf8))
      #expect(await connection.read(to: "first").contains("Transfer-Encoding: chunked"))
      source.yield(Array("second".utf8))
      _ = await connection.read(to: "second")
      source.finish()
      _ = await connection.read(to: "0\r\n\r\n")
    }
  }

  @Test func aStreamEndsWhenItsClientHasGone() async throws {
    let ended = Signal()
    let (stream, source) = AsyncStream<[UInt8]>.makeStream()
    source.onTermination = { _ in ended.set() }
    try await withServer { _ in
      HTTPServerResponse(body: .stream(stream))
    } body: { port in
      do {
        let connection = try RawConnection(port: port)
        connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        source.yield(Array("first".utf8))
        _ = await connection.read(to: "first")
      }
      // The first write after the hang-up is answered with a reset; one after that finds it.
      try await eventually("the stream is cancelled", every: .milliseconds(1)) {
        source.yield([UInt8](repeating: 0, count: 1_000))
        return ended.isSet
      }
    }
  }

  @Test func shutdownCutsAStreamShort() async throws {
    let (stream, source) = AsyncStream<[UInt8]>.makeStream()
    let server = HTTPServer(environment: .system) { _ in HTTPServerResponse(body: .stream(stream)) }
    let connection = try RawConnection(port: try server.start())
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    source.yield(Array("first".utf8))
    _ = await connection.read(to: "first")
    await server.shutdown(drain: .zero)
    #expect(await !connection.readAll().contains("0\r\n\r\n"))
  }

  @Test func drainingLetsARequestEnd() async throws {
    let began = Signal()
    let release = Signal()
    let server = HTTPServer(environment: .system) { _ in
      began.set()
      await release.wait()
      return .text("whole")
    }
    let port = try server.start()
    let connection = try RawConnection(port: port)
    connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await began.wait()
    let shutdown = Task { await server.shutdown(drain: .seconds(30)) }
    release.set()
    await shutdown.value
    #expect(await connection.readAll().hasSuffix("whole"))
  }

  @Test func connectionsAreKept() async throws {
    try await withServer { _ in
      .text("served")
    } body: { port in
      let connection = try RawConnection(port: port)
      for _ in 0..<3 {
        connection.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = await connection.read(to: "served")
      }
      connection.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      #expect(await connection.readAll().hasSuffix("served"))
    }
  }

  @Test func aBodyIsAskedForWith100() async throws {
    try await withServer {
      .bytes($0.body, type: "text/plain")
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send(
        "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\n")
      #expect(await connection.read(to: "\r\n\r\n").hasPrefix("HTTP/1.1 100 "))
      connection.send("hello")
      #expect(await connection.readAll().hasSuffix("hello"))
    }
  }

  @Test func aTakenPortIsSaidByName() async throws {
    try await withServer { _ in
      .text("")
    } body: { port in
      let second = HTTPServer(HTTPServerConfiguration(port: port), environment: .system) { _ in .text("") }
      let error = #expect(throws: HTTPServerError.self) { try second.start() }
      #expect(error?.code == HTTPErrorCode.addressInUse)
    }
  }

  @Test func aStreamIsCancelledWhenOnlyTheHeadIsWanted() async throws {
    let ended = Signal()
    let (stream, source) = AsyncStream<[UInt8]>.makeStream()
    source.onTermination = { _ in ended.set() }
    try await withServer { _ in
      HTTPServerResponse(body: .stream(stream))
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      let answer = await connection.readAll()
      #expect(answer.hasPrefix("HTTP/1.1 200") && !answer.contains("chunked"))
      #expect(answer.components(separatedBy: "\r\n\r\n").last == "", "the answer to HEAD has a body: \(answer)")
      await ended.wait()
    }
  }

  @Test("The answer to HEAD for a stream has no byte that the next answer on the connection would begin with")
  func headOfAStream() async throws {
    try await withServer { request in
      guard request.path == "/stream" else { return .text("next") }
      return HTTPServerResponse(body: .stream(AsyncStream { $0.finish() }))
    } body: { port in
      let connection = try RawConnection(port: port)
      connection.send("HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
      let first = await connection.read(to: "\r\n\r\n")
      connection.send("GET /next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      let both = first + (await connection.readAll())
      let parts = both.components(separatedBy: "\r\n\r\n")
      #expect(parts.count == 3 && parts[1].hasPrefix("HTTP/1.1 200") && parts[2] == "next", "\(both)")
    }
  }
}
