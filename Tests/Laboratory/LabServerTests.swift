import Foundation
import HTTP
import JSON
import Persistence
import Runtime
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("The laboratory's server, over HTTP and on a file", .timeLimit(.minutes(15)), .inTurn)
struct LabServerTests {
  @Test("Answered commands are still in effect after a restart on the same file")
  func restart() async throws {
    try await withFile { path in
      let place = LabBench.place("s")
      let first = try await withLab(path) { lab in
        try await lab.send("PUT", LabBench.allocation("a"), place, key: "k")
      }
      #expect(first.status == 201)
      try await withLab(path) { lab in
        // The claim answers; nothing happens a second time.
        let again = try await lab.send("PUT", LabBench.allocation("a"), place, key: "k")
        #expect(again.status == first.status && again.body == first.body)
        #expect(try await lab.send("GET", "/lab/effects?key=k").json?["effects"] == ["k": 1])
        let held = try await lab.send("GET", "/storage/positions").json?["items"]?.arrayValue
        #expect(held?.compactMap { $0["position"] } == [try #require(first.json?["position"])])
        let next = try await lab.send("PUT", LabBench.allocation("b"), LabBench.place("t"), key: "l")
        #expect(next.status == 201)
        #expect(next.json?["position"] != first.json?["position"])
      }
    }
  }

  @Test("The server serves until its task is cancelled, and then frees its port")
  func run() async throws {
    try await withFile { path in
      let store = try await SQLiteStore.open(path: path, environment: .system)
      let server = LabServer(store: store, environment: .system, layout: .standard(boxesPerZone: 1))
      let (ports, tell) = AsyncStream.makeStream(of: Int.self)
      let running = Task { try await server.run { tell.yield($0) } }
      let port = try #require(await ports.first { _ in true })
      let client = LabClient(port: port)
      #expect(try await client.send("GET", "/lab/health").json == ["status": "up"])
      running.cancel()
      try await running.value
      let error = await #expect(throws: HTTPClientError.self) { try await client.send("GET", "/lab/health") }
      #expect(error?.code == HTTPErrorCode.connectionRefused || error?.code == HTTPErrorCode.connectionLost)
      await client.client.shutdown()
      await store.close()
    }
  }

  @Test(
    "A lost answer is a lost connection to the caller, at once, and the command took effect", arguments: [false, true])
  func lostAnswer(onKeptConnection: Bool) async throws {
    try await withFile { path in
      try await withLab(path, faults: "samples.create:drop-answer,once") { lab in
        // With one call before it, the client has a connection to use again.
        if onKeptConnection { _ = try await lab.send("GET", "/lab/health") }
        let tube = LabBench.tube("TS-1")
        let error = await #expect(throws: HTTPClientError.self) {
          try await lab.send("PUT", LabBench.sample("s"), tube, key: "k")
        }
        #expect(error?.code == HTTPErrorCode.connectionLost)
        #expect(error?.sent == true)
        // One hit, as the client sends a call once; and the caller's own repeat gets its answer.
        #expect(try await lab.send("GET", "/lab/faults").json?["faults"]?[0]?["struck"] == 1)
        #expect(try await lab.send("PUT", LabBench.sample("s"), tube, key: "k").status == 201)
        #expect(try await lab.send("GET", "/lab/effects?key=k").json?["effects"] == ["k": 1])
      }
    }
  }

  private func withFile(_ body: (String) async throws -> Void) async throws {
    try await body(TestFolder.new("lab").appendingPathComponent("lab.db").path)
  }

  private func withLab<Result>(
    _ path: String, faults: String..., body: (LabClient) async throws -> Result
  ) async throws -> Result {
    let store = try await SQLiteStore.open(path: path, environment: .system)
    let server = LabServer(
      store: store, environment: .system, faults: try FaultPlan(parsing: faults), layout: .standard(boxesPerZone: 1))
    let client = LabClient(port: try await server.start())
    func end() async {
      await client.client.shutdown()
      await server.shutdown()
      await store.close()
    }
    do {
      let result = try await body(client)
      await end()
      return result
    } catch {
      await end()
      throw error
    }
  }
}

/// Calls a laboratory that listens.
private struct LabClient {
  let port: Int
  let client = HTTPClient()

  func send(
    _ method: String, _ path: String, _ body: JSON? = nil, key: String? = nil
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    var headers = HTTPHeaders()
    if body != nil { headers["Content-Type"] = "application/json" }
    headers["Idempotency-Key"] = key
    return try await client.send(
      HTTPClientRequest(
        method: method, url: "http://127.0.0.1:\(port)\(path)", headers: headers, body: body?.bytes() ?? []))
  }
}

extension HTTPClientResponse {
  fileprivate var json: JSON? { try? JSON(parsing: body) }
}
