import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import TestSupport

/// A token server and a participant that accepts only the newest of its tokens, on one port.
final class TokenParticipant: Sendable {
  let tokenRequests = Told<HTTPServerRequest>()
  let calls = Told<HTTPServerRequest>()
  private struct State {
    var issued = 0
    var isValid = true
    var tokenAnswer: (@Sendable (Int) async -> HTTPServerResponse)?
    var answer: @Sendable (HTTPServerRequest) async -> HTTPServerResponse = { _ in .text("{}") }
  }
  private let state = Mutex(State())
  private let server = Mutex<HTTPServer?>(nil)

  /// - Returns: the port.
  func start() throws -> Int {
    let server = HTTPServer(environment: .system) { [self] request in
      if request.path == "/token" { return await token(request) }
      calls.add(request)
      let expected = state.withLock { $0.isValid ? "Bearer token-\($0.issued)" : "Bearer none" }
      guard request.path == "/open" || request.headers["Authorization"] == expected else {
        return HTTPServerResponse(status: 401)
      }
      return await state.withLock { $0.answer }(request)
    }
    self.server.withLock { $0 = server }
    return try server.start()
  }

  func stop() async { await server.withLock { $0 }?.shutdown(drain: .zero) }

  /// Makes the tokens that were given out invalid. The next one is valid.
  func revoke() { state.withLock { $0.issued += 1 } }

  /// Makes every token invalid.
  func refuseAll() { state.withLock { $0.isValid = false } }

  func answersTokens(_ answer: (@Sendable (Int) async -> HTTPServerResponse)?) {
    state.withLock { $0.tokenAnswer = answer }
  }
  func answers(_ answer: @escaping @Sendable (HTTPServerRequest) async -> HTTPServerResponse) {
    state.withLock { $0.answer = answer }
  }

  private func token(_ request: HTTPServerRequest) async -> HTTPServerResponse {
    tokenRequests.add(request)
    let (number, answer) = state.withLock { state in
      state.issued += 1
      return (state.issued, state.tokenAnswer)
    }
    if let answer { return await answer(number) }
    let body: JSON = ["access_token": .string("token-\(number)"), "token_type": "bearer", "expires_in": 600]
    return HTTPServerResponse(headers: ["Content-Type": "application/json"], body: .bytes(body.bytes()))
  }
}
