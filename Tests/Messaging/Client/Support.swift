import Messaging
import Runtime
import TestSupport
import Testing
import Values

/// The messages that handlers received, and a way to wait for them.
actor Seen<Element: Sendable> {
  private let elements = Told<Element>()
  var all: [Element] { elements.all }

  func add(_ element: Element) { elements.add(element) }

  /// Returns the elements as soon as they are enough. When the task is cancelled, for example by the suite's time limit,
  /// it reports the elements so far and returns them.
  func wait(
    until enough: @escaping @Sendable ([Element]) -> Bool, sourceLocation: SourceLocation = #_sourceLocation
  ) async -> [Element] {
    let all = await elements.wait(until: enough)
    if !enough(all) { Issue.record("Cancelled after \(all.count) elements: \(all)", sourceLocation: sourceLocation) }
    return all
  }

  func wait(for count: Int, sourceLocation: SourceLocation = #_sourceLocation) async -> [Element] {
    await wait(until: { $0.count >= count }, sourceLocation: sourceLocation)
  }
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
