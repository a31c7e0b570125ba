import Messaging
import Runtime
import Synchronization
import TestSupport
import Values

/// What handlers were given, and a way to wait for it.
actor Seen<Element: Sendable> {
  private(set) var all: [Element] = []
  private var waiting: [(enough: @Sendable ([Element]) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []

  func add(_ element: Element) {
    all.append(element)
    let woken = waiting.filter { $0.enough(all) }
    waiting.removeAll { $0.enough(all) }
    for one in woken { one.continuation.resume() }
  }

  /// Returns as soon as what was seen is enough.
  func wait(until enough: @escaping @Sendable ([Element]) -> Bool) async -> [Element] {
    if !enough(all) { await withCheckedContinuation { waiting.append((enough, $0)) } }
    return all
  }

  func wait(for count: Int) async -> [Element] { await wait { $0.count >= count } }
}

extension KafkaMessage {
  var text: String { String(decoding: value ?? [], as: UTF8.self) }
}

/// A topic of its own on the broker.
func newTopic(_ name: String, partitions: Int, on cluster: KafkaCluster, broker: TestBroker) async throws -> String {
  guard !broker.isMock else { return name }
  let unique = "\(name)-\(Environment.system.newID())"
  _ = try await KafkaTopics(cluster).ensure([KafkaTopic(unique, partitions: partitions)])
  return unique
}
