import Laboratory
import Messaging
import Values

extension KafkaOptions {
  /// The options of `saga lab`.
  static let laboratory = [
    brokers("take commands from Kafka too, and publish events there: its brokers, with commas between them"),
    properties,
    OptionSpec(
      "kafka-topic", value: "ROLE=NAME", repeats: true,
      help: "another name for one of its topics: "
        + LabKafka.Topics.Role.allCases.map { "\($0) (\(LabKafka.Topics()[$0]))" }.joined(separator: ", ")),
    group(usual: "laboratory"),
  ]
}

extension Invocation {
  /// Returns the laboratory's settings for Kafka; nil when no option names Kafka.
  func labKafka() throws -> LabKafka.Configuration? {
    guard let cluster = try kafkaCluster() else { return nil }
    var topics = LabKafka.Topics()
    for text in arguments.values("kafka-topic") {
      guard let equals = text.firstIndex(of: "=") else {
        throw usage("--kafka-topic wants ROLE=NAME, not \"\(text)\"")
      }
      let word = String(text[..<equals])
      guard let role = LabKafka.Topics.Role(word) else {
        let known = LabKafka.Topics.Role.allCases.map(\.description)
        let near = NearNames.nearest(to: word, among: known, completes: true).map { "did you mean \($0)?" }
        throw usage("--kafka-topic knows no \"\(word)\"; \(near ?? "there is \(known.joined(separator: ", "))")")
      }
      topics[role] = String(text[text.index(after: equals)...])
    }
    do throws(KafkaError) {
      try topics.check()
    } catch {
      throw usage(error.message)
    }
    return LabKafka.Configuration(cluster: cluster, topics: topics, group: try kafkaGroup(usual: "laboratory"))
  }
}

extension LabKafka.Configuration {
  /// The settings that a process prints when it starts: never a user, never a password.
  var shown: String {
    "\(cluster.brokers), commands from \(topics[.commands(.samples)]) and \(topics.commands.count - 1) more"
  }
}
