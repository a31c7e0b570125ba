import CKafka
import Foundation

/// librdkafka's mock cluster as a process of its own, on loopback, for tests.
///
///     kafka-broker [--brokers N] [TOPIC:PARTITIONS …]
///
/// It says `BOOTSTRAP host:port,…` and serves until its standard input ends. A line on standard input makes it
/// misbehave: `fail API CODE COUNT` answers the next COUNT requests of an API key (0 Produce, 1 Fetch, …) with an error
/// code, `latency MS` makes every broker slow, `down` and `up` close and open all brokers. `topic NAME PARTITIONS` makes
/// a topic.
@main
enum KafkaBroker {
  static func main() {
    var brokers: Int32 = 1
    var topics: [(name: String, partitions: Int32)] = []
    var words = CommandLine.arguments.dropFirst()
    while let word = words.popFirst() {
      if word == "--brokers" {
        brokers = words.popFirst().flatMap { Int32($0) } ?? 1
      } else {
        let parts = word.split(separator: ":")
        topics.append((String(parts[0]), parts.count > 1 ? Int32(parts[1]) ?? 1 : 1))
      }
    }
    var reason = [CChar](repeating: 0, count: 512)
    let configuration = rd_kafka_conf_new()
    rd_kafka_conf_set(configuration, "client.id", "kafka-broker", nil, 0)
    rd_kafka_conf_set(configuration, "log_level", "0", nil, 0)
    guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &reason, reason.count),
      let cluster = rd_kafka_mock_cluster_new(client, brokers)
    else {
      print("kafka-broker: the mock cluster can't be made")
      exit(1)
    }
    for topic in topics { rd_kafka_mock_topic_create(cluster, topic.name, topic.partitions, min(brokers, 3)) }
    print("BOOTSTRAP \(String(cString: rd_kafka_mock_cluster_bootstraps(cluster)))")
    fflush(nil)
    while let line = readLine() { obey(line.split(separator: " ").map(String.init), cluster, brokers) }
    rd_kafka_mock_cluster_destroy(cluster)
    rd_kafka_destroy(client)
  }

  private static func obey(_ words: [String], _ cluster: OpaquePointer, _ brokers: Int32) {
    switch words.first {
    case "fail":
      guard words.count == 4, let api = Int16(words[1]), let code = Int32(words[2]), let count = Int(words[3]) else {
        break
      }
      var errors = [rd_kafka_resp_err_t](repeating: rd_kafka_resp_err_t(code), count: count)
      rd_kafka_mock_push_request_errors_array(cluster, api, count, &errors)
    case "latency":
      for broker in 1...brokers { rd_kafka_mock_broker_set_rtt(cluster, broker, words.last.flatMap { Int32($0) } ?? 0) }
    case "down": for broker in 1...brokers { rd_kafka_mock_broker_set_down(cluster, broker) }
    case "up": for broker in 1...brokers { rd_kafka_mock_broker_set_up(cluster, broker) }
    case "topic":
      guard words.count == 3, let partitions = Int32(words[2]) else { break }
      rd_kafka_mock_topic_create(cluster, words[1], partitions, min(brokers, 3))
    default: break
    }
    print("OK")
    fflush(nil)
  }
}
