import Dispatch
import HTTP
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@Suite("Requests of different kinds have threads of their own", .timeLimit(.minutes(15)), .inTurn)
struct PlaceTests {
  @Test("A request is answered while others use every thread of their pool")
  func apart() async throws {
    let slow = WorkPool(name: "slow", threads: 2)
    let quick = WorkPool(name: "quick", threads: 1)
    let hold = DispatchSemaphore(value: 0)
    let held = Count()
    let server = HTTPServer(
      environment: .system,
      place: { request in request.path == "/slow" ? (slow, .medium) : (quick, .high) },
      handler: { request in
        if request.path == "/slow" {
          held.add()
          hold.wait()
        }
        return HTTPServerResponse(status: 204)
      })
    let port = try server.start()
    try await withClient { client in
      // More than there are threads: the third waits for one.
      let waiting = (0..<3).map { _ in
        Task { try await client.send(HTTPClientRequest(method: "GET", url: "http://127.0.0.1:\(port)/slow")) }
      }
      try await eventually("both threads are taken") { held.value == 2 }
      for _ in 0..<20 {
        let answer = try await client.send(HTTPClientRequest(method: "GET", url: "http://127.0.0.1:\(port)/healthz"))
        #expect(answer.status == 204)
      }
      for _ in 0..<3 { hold.signal() }
      for task in waiting { #expect(try await task.value.status == 204) }
    }
    await server.shutdown(drain: .seconds(5))
  }
}

private final class Count: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func add() { count.withLock { $0 += 1 } }
}
