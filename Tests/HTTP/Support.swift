import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Values

/// An event that happens once. Tests wait for it.
final class Signal: Sendable {
  private struct State {
    var isSet = false
    var nextID = 0
    var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
  }
  private let state = Mutex(State())

  var isSet: Bool { state.withLock { $0.isSet } }

  func set() {
    let waiting = state.withLock { state in
      state.isSet = true
      defer { state.waiting = [:] }
      return state.waiting.values
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Returns when the event has happened, or when the task is cancelled, for example by the suite's time limit.
  func wait() async {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let mustWait = state.withLock { state in
          if !state.isSet, !Task.isCancelled { state.waiting[id] = continuation }
          return state.waiting[id] != nil
        }
        if !mustWait { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
    }
  }
}

/// Waits until the task is cancelled.
func waitUntilCancelled() async { await Signal().wait() }

/// Runs a server on a free port for as long as `body` takes.
func withServer<Result>(
  _ configuration: HTTPServerConfiguration = .init(), environment: Environment = .system, drain: Duration = .seconds(5),
  handler: @escaping HTTPServer.Handler, body: (Int) async throws -> Result
) async throws -> Result {
  let server = HTTPServer(configuration, environment: environment, handler: handler)
  let port = try server.start()
  do {
    let result = try await body(port)
    await server.shutdown(drain: drain)
    return result
  } catch {
    await server.shutdown(drain: .zero)
    throw error
  }
}

/// Runs a client for as long as `body` takes.
func withClient<Result>(
  _ configuration: HTTPClientConfiguration = .init(), body: (HTTPClient) async throws -> Result
) async throws -> Result {
  let client = HTTPClient(configuration)
  do {
    let result = try await body(client)
    await client.shutdown()
    return result
  } catch {
    await client.shutdown()
    throw error
  }
}

/// Runs `body` until one run takes less than a second, at most 20 times, and returns the result of that run. For tests of
/// kept connections: a client does not use a connection that was idle for a second or longer.
func quickly<Result>(_ body: () async throws -> Result) async throws -> Result {
  for _ in 0..<20 {
    let began = ContinuousClock.now
    let result = try await body()
    if ContinuousClock.now - began < .milliseconds(950) { return result }
  }
  throw TooSlow()
}

/// The machine was so busy that no run took less than a second.
struct TooSlow: Error {}

/// The error that `send` ends with, or nil.
func failure(of client: HTTPClient, _ request: HTTPClientRequest) async -> HTTPClientError? {
  do {
    _ = try await client.send(request)
    return nil
  } catch {
    return error
  }
}

extension HTTPClientResponse {
  var json: JSON? { try? JSON(parsing: body) }
  var text: String { String(decoding: body, as: UTF8.self) }
}

/// The JSON body of an answer as it came over a socket.
func problemCode(in answer: String) -> String? {
  guard let end = answer.firstRange(of: "\r\n\r\n") else { return nil }
  return (try? JSON(parsing: String(answer[end.upperBound...])))?["code"]?.stringValue
}
