import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Testing
import Values
import Workflows

@testable import HTTPSteps
@testable import SagaCore
@testable import WorkflowEngine

@Suite("Services with secrets, tokens and limits", .timeLimit(.minutes(15)), .inTurn)
struct ServiceAccessTests {
  private static let secret = "planted/secret+value"

  private static func call(path: String = "/work", headers: [RenderedField] = [], timeout: Duration = .seconds(30))
    -> StepCall
  {
    StepCall(
      saga: SagaSpecification.id, workflow: "w", step: "a", phase: .forward, round: 1, attempt: 1,
      action: .http(
        RenderedHTTP(
          service: "lims", method: "POST", path: path, headers: headers, query: [], body: [:], success: [200...299])),
      idempotencyKey: "key-1", compensates: nil, timeout: timeout)
  }

  /// Runs a participant and an executor for as long as `body` takes.
  private func with(
    clock: any WallClock = Environment.system.clock, maxInFlight: Int = 64,
    _ access: Access, body: (TokenParticipant, HTTPStepExecutor) async throws -> Void
  ) async throws {
    let participant = TokenParticipant()
    let port = try participant.start()
    let client = HTTPClient()
    let executor = HTTPStepExecutor(
      client: client,
      services: [Service(name: "lims", baseURL: "http://127.0.0.1:\(port)", maxInFlight: maxInFlight)],
      access: ["lims": access.at(port)], clock: clock)
    do { try await body(participant, executor) } catch { Issue.record(error) }
    await client.shutdown()
    await participant.stop()
  }

  /// The configuration of a service on a port that is known later.
  private struct Access {
    let at: (Int) -> ServiceAccess

    static func fixed(_ access: ServiceAccess) -> Access { Access { _ in access } }

    static func tokens(
      place: ClientCredentials.Place = .basic, scope: String? = nil, audience: String? = nil
    ) -> Access {
      Access { port in
        ServiceAccess(
          clientCredentials: ClientCredentials(
            tokenURL: "http://127.0.0.1:\(port)/token", clientID: "saga engine",
            clientSecret: .variable(name: "S", value: Secret(secret)), scope: scope, audience: audience, place: place))
      }
    }
  }

  // MARK: Tokens

  @Test("Calls share one token, and calls at the same time share one request for it")
  func shared() async throws {
    try await with(.tokens(scope: "write samples", audience: "https://lims")) { participant, executor in
      let outcomes = await withTaskGroup(of: StepOutcome.self) { group in
        for _ in 0..<20 { group.addTask { await executor.perform(Self.call()) } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      let answered = outcomes.filter(\.isAnswered).count
      #expect(answered == 20, "\(outcomes)")
      #expect(await executor.perform(Self.call()).isAnswered)
      #expect(participant.tokenRequests.all.count == 1 && participant.calls.all.count == 21)
      let request = participant.tokenRequests.all[0]
      // RFC 6749 §2.3.1: both are form-encoded first.
      let pair = Data("saga+engine:planted%2Fsecret%2Bvalue".utf8).base64EncodedString()
      #expect(request.method == "POST" && request.headers["Authorization"] == "Basic \(pair)")
      #expect(request.headers["Content-Type"] == "application/x-www-form-urlencoded")
      #expect(
        String(decoding: request.body, as: UTF8.self)
          == "grant_type=client_credentials&scope=write+samples&audience=https%3A%2F%2Flims")
    }
  }

  @Test("A token server that wants the secret in the form gets it there, and only there")
  func inForm() async throws {
    try await with(.tokens(place: .post)) { participant, executor in
      #expect(await executor.perform(Self.call()).isAnswered)
      let request = participant.tokenRequests.all[0]
      #expect(request.headers["Authorization"] == nil)
      #expect(
        String(decoding: request.body, as: UTF8.self)
          == "grant_type=client_credentials&client_id=saga+engine&client_secret=planted%2Fsecret%2Bvalue")
    }
  }

  @Test("A token is used until a minute before its end")
  func expiry() async throws {
    let clock = FakeClock()
    try await with(clock: clock, .tokens()) { participant, executor in
      #expect(await executor.perform(Self.call()).isAnswered)
      clock.advance(to: clock.now() + .seconds(539))
      #expect(await executor.perform(Self.call()).isAnswered)
      #expect(participant.tokenRequests.all.count == 1)
      clock.advance(to: clock.now() + .seconds(2))
      #expect(await executor.perform(Self.call()).isAnswered)
      #expect(participant.tokenRequests.all.count == 2)
    }
  }

  @Test("After a 401 another token is asked for once, and the same call is sent once more with its key")
  func revoked() async throws {
    try await with(.tokens()) { participant, executor in
      #expect(await executor.perform(Self.call()).isAnswered)
      participant.revoke()
      #expect(await executor.perform(Self.call()).isAnswered)
      let calls = participant.calls.all
      #expect(calls.map { $0.headers["Authorization"] } == ["Bearer token-1", "Bearer token-1", "Bearer token-3"])
      #expect(calls.allSatisfy { $0.headers["Idempotency-Key"] == "key-1" })
      #expect(Set(calls.map { $0.headers["traceparent"] }).count == 1, "it is the same attempt")
    }
  }

  @Test("A service that refuses every token gets two calls, and the attempt fails with its 401")
  func alwaysRefused() async throws {
    try await with(.tokens()) { participant, executor in
      participant.refuseAll()
      let failure = try #require(await executor.perform(Self.call()).cleanFailure)
      #expect(failure.code == "http.401" && !failure.isRetryable)
      #expect(participant.calls.all.count == 2 && participant.tokenRequests.all.count == 2)
    }
  }

  @Test(
    "Without a token nothing is sent to the service, and the failure is coded and can be retried",
    arguments: [
      (503, "{}", "service.tokenUnavailable"), (200, "no JSON", "service.tokenUnavailable"),
      (200, "{}", "service.tokenUnavailable"), (302, "", "service.tokenUnavailable"),
      (200, #"{"access_token": "a b"}"#, "service.tokenUnavailable"),
      (200, #"{"access_token": "abc", "token_type": "mac"}"#, "service.tokenUnavailable"),
      (200, String(repeating: " ", count: 70_000) + "{}", "service.tokenUnavailable"),
      (401, #"{"error": "invalid_client"}"#, "service.tokenRefused"),
      (400, #"{"error": "planted/secret+value"}"#, "service.tokenRefused"),
    ])
  func noToken(status: Int, body: String, code: String) async throws {
    try await with(.tokens()) { participant, executor in
      participant.answersTokens { _ in HTTPServerResponse(status: status, body: .bytes(Array(body.utf8))) }
      let failure = try #require(await executor.perform(Self.call()).cleanFailure)
      #expect(failure.code == code && failure.isRetryable && failure.classes == ["http.notSent"])
      #expect(failure.message.contains("Nothing was sent to lims"))
      #expect(!failure.message.contains("planted"))
      #expect(participant.calls.all.isEmpty)
    }
  }

  @Test("A token server that is away is asked at most once a second, and when it is back the calls succeed")
  func away() async throws {
    let clock = FakeClock()
    try await with(clock: clock, .tokens()) { participant, executor in
      participant.answersTokens { _ in .hangUp }
      for _ in 0..<5 {
        #expect(await executor.perform(Self.call()).cleanFailure?.code == EngineErrorCode.serviceTokenUnavailable)
      }
      #expect(participant.tokenRequests.all.count == 1)
      participant.answersTokens(nil)
      clock.advance(to: clock.now() + .seconds(1))
      #expect(await executor.perform(Self.call()).isAnswered)
    }
  }

  @Test("A cancelled call stops waiting for its token, and the others still get it")
  func cancelled() async throws {
    let (gate, release) = AsyncStream.makeStream(of: Void.self)
    try await with(.tokens()) { participant, executor in
      participant.answersTokens { number in
        for await _ in gate { break }
        return .text(#"{"access_token": "token-\#(number)"}"#)
      }
      let first = Task { await executor.perform(Self.call()) }
      await participant.tokenRequests.wait(for: 1)
      let second = Task { await executor.perform(Self.call()) }
      first.cancel()
      guard case .notSent = await first.value else {
        Issue.record("the cancelled call waited")
        return
      }
      release.yield()
      #expect(await second.value.isAnswered)
      #expect(participant.tokenRequests.all.count == 1)
    }
  }

  // MARK: Headers

  @Test("A service's header replaces that of a workflow, and the engine's own stay")
  func headers() async throws {
    let access = ServiceAccess(fields: [
      .init(name: "X-Api-Key", value: .variable(name: "K", value: Secret(Self.secret))),
      .init(name: "Accept", value: .plain("application/vnd.lims+json")),
    ])
    try await with(.fixed(access)) { participant, executor in
      let mine = [RenderedField(name: "x-api-key", value: "of the workflow"), RenderedField(name: "X-Run", value: "7")]
      #expect(await executor.perform(Self.call(path: "/open", headers: mine)).isAnswered)
      let call = participant.calls.all[0]
      #expect(call.headers.all("X-Api-Key") == [Self.secret] && call.headers["X-Run"] == "7")
      #expect(call.headers.all("Accept") == ["application/vnd.lims+json"])
      #expect(call.headers["Idempotency-Key"] == "key-1")
    }
  }

  @Test("A secret's file is read again: after a second, and at once after a 401")
  func replacedFile() async throws {
    let clock = FakeClock()
    let file = try TestFolder.new("secret").appendingPathComponent("key")
    func write(_ text: String) throws { try Data(text.utf8).write(to: file) }
    try write("Bearer token-0\n")
    let access = ServiceAccess(fields: [.init(name: "Authorization", value: .file(path: file.path))])
    try await with(clock: clock, .fixed(access)) { participant, executor in
      #expect(await executor.perform(Self.call()).isAnswered)
      participant.revoke()
      try write("Bearer token-1\n")
      #expect(await executor.perform(Self.call()).isAnswered, "the 401 made the engine look at the file")
      #expect(participant.calls.all.count == 3)
      participant.revoke()
      try write("Bearer token-2")
      clock.advance(to: clock.now() + .seconds(1))
      #expect(await executor.perform(Self.call()).isAnswered)
      #expect(participant.calls.all.count == 4, "no call went out with the old content")
      // A file that is away for a while changes nothing.
      try FileManager.default.removeItem(at: file)
      clock.advance(to: clock.now() + .seconds(1))
      #expect(await executor.perform(Self.call()).isAnswered)
    }
  }

  @Test("A secret that can't be read is a coded failure that can be retried, and nothing is sent")
  func unreadable() async throws {
    let folder = try TestFolder.new("secret")
    let access = ServiceAccess(fields: [.init(name: "X-Api-Key", value: .file(path: folder.path + "/none"))])
    try await with(.fixed(access)) { participant, executor in
      let failure = try #require(await executor.perform(Self.call(path: "/open")).cleanFailure)
      #expect(failure.code == EngineErrorCode.serviceSecretUnreadable && failure.isRetryable)
      #expect(participant.calls.all.isEmpty)
    }
    for source in [SecretSource.file(path: folder.path), .file(path: "/dev/zero"), .plain(" "), .plain("a\nb")] {
      #expect(throws: SecretSource.Failure.self) { try source.current() }
    }
  }

  @Test("A service that repeats its secrets doesn't bring them into the history")
  func repeated() async throws {
    try await with(.tokens()) { participant, executor in
      participant.answers { request in
        let token = request.headers["Authorization"] ?? ""
        return HTTPServerResponse(
          status: 422, headers: ["Content-Type": "application/json", "Location": token],
          body: .bytes(Array(#"{"code": "NO", "detail": "you sent \#(token) and \#(Self.secret)"}"#.utf8)))
      }
      let failure = try #require(await executor.perform(Self.call()).cleanFailure)
      #expect(failure.code == "NO" && failure.message == "you sent Bearer *** and ***")
      #expect(!"\(failure)".contains("token-1") && !"\(failure)".contains(Self.secret))
    }
    #expect(!"\(Secret(Self.secret))".contains("planted"))
    var dumped = ""
    dump(Access.tokens().at(1), to: &dumped)
    #expect(!dumped.contains("planted"))
  }

  @Test("A mask hides each secret everywhere, the longest first, and leaves short texts alone")
  func mask() {
    let mask = SecretMask([Secret("abcdef"), Secret("abcdefgh"), Secret("Basic c2VjcmV0"), Secret("abc")])
    #expect(mask.applied(to: "abcdefgh abcdef abcdeabcdef abc") == "*** *** abcde*** abc")
    #expect(mask.applied(to: "c2VjcmV0|Basic c2VjcmV0") == "***|***")
    #expect(mask.applied(to: [] as [UInt8]) == [])
  }

  // MARK: Limits

  @Test("A service's timeout ends a call before the step's")
  func timeout() async throws {
    try await with(.fixed(ServiceAccess(timeout: .milliseconds(200)))) { participant, executor in
      participant.answers { _ in
        await Told<Void>().wait(for: 1)
        return .text("{}")
      }
      guard case .unknown(let failure) = await executor.perform(Self.call(path: "/open", timeout: .seconds(3_600)))
      else {
        Issue.record("the call did not end without an answer")
        return
      }
      #expect(failure.code == EngineErrorCode.attemptTimeout)
    }
  }

  @Test("No more calls are under way at a service than it allows")
  func inFlight() async throws {
    let counts = Mutex((now: 0, most: 0))
    try await with(maxInFlight: 2, .fixed(ServiceAccess())) { participant, executor in
      participant.answers { _ in
        counts.withLock {
          $0.now += 1
          $0.most = max($0.most, $0.now)
        }
        await participant.calls.wait(for: 2)
        counts.withLock { $0.now -= 1 }
        return .text("{}")
      }
      await withDiscardingTaskGroup { group in
        for _ in 0..<8 { group.addTask { _ = await executor.perform(Self.call(path: "/open")) } }
      }
      #expect(participant.calls.all.count == 8)
      #expect(counts.withLock { $0.most } == 2)
    }
  }
}

extension StepOutcome {
  fileprivate var isAnswered: Bool { if case .answered = self { true } else { false } }
  fileprivate var cleanFailure: StepFailure? { if case .failed(let failure) = self { failure } else { nil } }
}
