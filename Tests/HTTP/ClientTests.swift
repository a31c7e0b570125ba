import Foundation
import HTTP
import Synchronization
import TestSupport
import Testing
import Values

@Suite("The HTTP client", .timeLimit(.minutes(15)), .inTurn)
struct ClientTests {
  private static func url(_ port: Int, _ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

  @Test func twoHundredAtOnceEachGetTheirOwn() async throws {
    try await withServer { request in
      .bytes(request.body, type: "text/plain")
    } body: { port in
      try await withClient(HTTPClientConfiguration(maxInFlight: 32, maxInFlightPerHost: 16)) { client in
        let wrong = try await withThrowingTaskGroup(of: Bool.self) { group in
          for number in 0..<200 {
            group.addTask {
              let request = HTTPClientRequest(method: "POST", url: Self.url(port), body: Array("\(number)".utf8))
              return try await client.send(request).text != "\(number)"
            }
          }
          return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wrong == 0)
      }
    }
  }

  @Test func largeBodiesPassBothWays() async throws {
    let body = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try await withServer { request in
      .bytes(request.body, type: "application/octet-stream")
    } body: { port in
      try await withClient { client in
        let response = try await client.send(HTTPClientRequest(method: "PUT", url: Self.url(port), body: body))
        #expect(response.body == body)
      }
    }
  }

  @Test(
    "An invalid request is refused before anything is sent",
    arguments: [
      HTTPClientRequest(method: "GET\r\nX", url: "http://127.0.0.1:1/"),
      HTTPClientRequest(url: "http://127.0.0.1:1/\r\nX: y"),
      HTTPClientRequest(url: "http://127.0.0.1:1/", headers: ["X-A": "b\r\nX-B: c"]),
      HTTPClientRequest(url: "http://127.0.0.1:1/", headers: ["X-A": "b\0"]),
      HTTPClientRequest(url: "http://127.0.0.1:1/", headers: ["X-A: b\nX": "c"]),
      HTTPClientRequest(url: "http://127.0.0.1:1/", headers: ["Content-Length": "1"]),
      HTTPClientRequest(url: "http://127.0.0.1:1/", headers: ["expect": "100-continue"]),
      HTTPClientRequest(url: "ftp://127.0.0.1:1/"),
      HTTPClientRequest(url: "file:///etc/passwd"),
      HTTPClientRequest(url: "http://"),
      HTTPClientRequest(url: ""),
    ])
  func invalid(_ request: HTTPClientRequest) async throws {
    try await withClient { client in
      let error = await failure(of: client, request)
      #expect(error?.code == HTTPErrorCode.invalidRequest)
      #expect(error?.sent == false)
    }
  }

  @Test func aRefusedConnectionSentNothing() async throws {
    let port = try await withServer { _ in
      .text("")
    } body: {
      $0
    }
    try await withClient { client in
      let error = await failure(of: client, HTTPClientRequest(method: "POST", url: Self.url(port)))
      #expect(error?.code == HTTPErrorCode.connectionRefused)
      #expect(error?.sent == false)
    }
  }

  @Test func anUnknownNameSentNothing() async throws {
    try await withClient { client in
      let error = await failure(of: client, HTTPClientRequest(url: "http://nowhere.invalid/"))
      #expect(error?.code == HTTPErrorCode.nameNotResolved)
      #expect(error?.sent == false)
    }
  }

  @Test func aServerWithoutTLSSentNothing() async throws {
    try await withServer { _ in
      .text("")
    } body: { port in
      try await withClient { client in
        let error = await failure(of: client, HTTPClientRequest(url: "https://127.0.0.1:\(port)/"))
        #expect(error?.code == HTTPErrorCode.tls)
        #expect(error?.sent == false)
      }
    }
  }

  @Test func aServerThatNeverAnswersTimesOutAsSent() async throws {
    let release = Signal()
    try await withServer { _ in
      await release.wait()
      return .text("")
    } body: { port in
      try await withClient { client in
        let request = HTTPClientRequest(method: "POST", url: Self.url(port), timeout: .milliseconds(50))
        let error = await failure(of: client, request)
        #expect(error?.code == HTTPErrorCode.timeout)
        #expect(error?.sent == true)
      }
      release.set()
    }
  }

  @Test func cancellingTheTaskEndsTheCall() async throws {
    let began = Signal()
    let release = Signal()
    try await withServer { _ in
      began.set()
      await release.wait()
      return .text("")
    } body: { port in
      try await withClient { client in
        let call = Task { await failure(of: client, HTTPClientRequest(method: "POST", url: Self.url(port))) }
        await began.wait()
        call.cancel()
        let error = await call.value
        #expect(error?.code == HTTPErrorCode.cancelled)
        #expect(error?.sent == true)
      }
      release.set()
    }
  }

  @Test func shutdownEndsCallsInFlightAndRefusesLaterOnes() async throws {
    let began = Signal()
    let release = Signal()
    try await withServer { _ in
      began.set()
      await release.wait()
      return .text("")
    } body: { port in
      let client = HTTPClient()
      let call = Task { await failure(of: client, HTTPClientRequest(url: Self.url(port))) }
      await began.wait()
      await client.shutdown()
      #expect(await call.value?.code == HTTPErrorCode.shutdown)
      #expect(await failure(of: client, HTTPClientRequest(url: Self.url(port)))?.sent == false)
      release.set()
    }
  }

  @Test func anAnswerOverTheLimitIsRefused() async throws {
    try await withServer { _ in
      .text("12345")
    } body: { port in
      try await withClient { client in
        let error = await failure(of: client, HTTPClientRequest(url: Self.url(port), maxResponseBytes: 4))
        #expect(error?.code == HTTPErrorCode.responseTooLarge)
        #expect(error?.sent == true)
        let exact = try await client.send(HTTPClientRequest(url: Self.url(port), maxResponseBytes: 5))
        #expect(exact.text == "12345")
      }
    }
  }

  @Test func redirectsAreAnswers() async throws {
    try await withServer { _ in
      HTTPServerResponse(status: 302, headers: ["Location": "/other"])
    } body: { port in
      try await withClient { client in
        let response = try await client.send(HTTPClientRequest(url: Self.url(port)))
        #expect(response.status == 302)
      }
    }
  }
}
