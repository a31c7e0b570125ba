import Messaging
import Runtime
import Synchronization

/// The inputs of the echo's task: delivery reports, the operator's rewinds, and the request to stop.
final class EchoInbox: Sendable {
  typealias Asked = (rewind: EchoRewind, answer: Once<Result<Int64, any Error>>)

  private struct State {
    var reports: [KafkaProducer.Report] = []
    var asked: [Asked] = []
    var isStopping = false
    var hasEnded = false
  }
  private let state = Mutex(State())
  private let waking: AsyncStream<Void>.Continuation
  let wakes: AsyncStream<Void>

  init() { (wakes, waking) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1)) }

  func wake() { waking.yield() }

  func add(_ reports: [KafkaProducer.Report]) {
    state.withLock { $0.reports += reports }
    wake()
  }

  func takeReports() -> [KafkaProducer.Report] {
    state.withLock { state in
      defer { state.reports = [] }
      return state.reports
    }
  }

  func ask(_ rewind: EchoRewind) async throws -> Int64 {
    let answer = Once<Result<Int64, any Error>>()
    let hasEnded = state.withLock { state in
      if !state.hasEnded { state.asked.append((rewind, answer)) }
      return state.hasEnded
    }
    if hasEnded { throw EchoRefusal("The echo has stopped.") }
    wake()
    return try await answer.value().get()
  }

  func takeAsked() -> [Asked] {
    state.withLock { state in
      defer { state.asked = [] }
      return state.asked
    }
  }

  func stop() {
    state.withLock { $0.isStopping = true }
    wake()
  }

  var isStopping: Bool { state.withLock { $0.isStopping } }

  func end() {
    let asked = state.withLock { state in
      state.hasEnded = true
      defer { state.asked = [] }
      return state.asked
    }
    for one in asked { one.answer.give(.failure(EchoRefusal("The echo has stopped."))) }
  }
}
