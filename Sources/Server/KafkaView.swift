import Messaging
import Streaming

/// What the API shows of Kafka, where there is one.
public protocol KafkaView: Sendable {
  var echo: any EchoControl { get }
  /// How the engine's own consumers stand: of commands, of answers.
  var consumers: [ConsumerStatus] { get }
}
