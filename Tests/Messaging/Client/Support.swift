import Messaging
import Runtime
import TestSupport
import Testing
import Values

/// The messages that handlers received, and a way to wait for them.
actor Seen<Element: Sendable> {
  private struct Waiter {
    let enough: @Sendable ([Element]) -> Bool
    let continuation: CheckedContinuation<Void, Never>
  }
  private(set) var all: [Element] = []
  private var waiters: [Int: Waiter] = [:]
  private var nextWaiter = 0

  func add(_ element: Element) {
    all.append(element)
    for (id, waiter) in waiters where waiter.enough(all) {
      waiters[id] = nil
      waiter.continuation.resume()
    }
  }

  /// Returns as soon as the elements are enough. When the task is cancelled, for example by the suite's time limit, it
  /// reports the elements so far and returns them.
  func wait(
    until enough: @escaping @Sendable ([Element]) -> Bool, sourceLocation: SourceLocation = #_sourceLocation
  ) async -> [Element] {
    nextWaiter += 1
    let id = nextWaiter
    await withTaskCancellationHandler {
      guard !enough(all), !Task.isCancelled else { return }
      await withCheckedContinuation { waiters[id] = Waiter(enough: enough, continuation: $0) }
    } onCancel: {
      Task { await self.cancel(id) }
    }
    if !enough(all) { Issue.record("Cancelled after \(all.count) elements: \(all)", sourceLocation: sourceLocation) }
    return all
  }

  func wait(for count: Int, sourceLocation: SourceLocation = #_sourceLocation) async -> [Element] {
    await wait(until: { $0.count >= count }, sourceLocation: sourceLocation)
  }

  private func cancel(_ id: Int) { waiters.removeValue(forKey: id)?.continuation.resume() }
}

extension KafkaMessage {
  var text: String { String(decoding: value ?? [], as: UTF8.self) }
}

/// Creates a topic for one test.
func newTopic(_ name: String, partitions: Int, on cluster: KafkaCluster, broker: TestBroker) async throws -> String {
  guard !broker.isMock else { return name }
  let unique = "\(name)-\(Environment.system.newID())"
  _ = try await KafkaTopics(cluster).ensure([KafkaTopic(unique, partitions: partitions)])
  return unique
}
