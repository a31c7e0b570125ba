import Persistence
import Runtime
import Values

/// A part of the engine that did not answer in time.
struct NoAnswerInTime: CodedError {
  let code = StoreErrorCode.unavailable
  let message: String
}

extension API {
  /// The longest time that a monitor's request waits for a part of the engine. A monitor gives up after some seconds
  /// and gets nothing. An answer without that part is more useful.
  static let monitorPatience = Duration.seconds(2)

  /// Asks a part of the engine, and waits at most `monitorPatience`. A part that does not answer continues on its own.
  /// - Throws: what the part throws, or `NoAnswerInTime`.
  func answerInTime<Value: Sendable>(_ ask: @escaping @Sendable () async throws -> Value) async throws -> Value {
    let (results, result) = AsyncStream.makeStream(of: Result<Value, any Error>.self)
    let asking = Task {
      do { result.yield(.success(try await ask())) } catch { result.yield(.failure(error)) }
    }
    let waiting = Task { [environment] in
      do { try await environment.sleep(for: Self.monitorPatience) } catch { return }
      result.yield(.failure(NoAnswerInTime(message: "no answer within \(Self.monitorPatience)")))
    }
    defer {
      asking.cancel()
      waiting.cancel()
      result.finish()
    }
    for await one in results { return try one.get() }
    throw CancellationError()
  }
}
