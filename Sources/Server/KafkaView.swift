import KafkaGateway
import Messaging
import Streaming

/// The state of Kafka for the API.
public protocol KafkaView: Sendable {
  var echo: any EchoControl { get }
  /// The state of the engine's own consumers of commands and answers.
  var consumers: [ConsumerStatus] { get }
}

extension EngineKafka: KafkaView {
  public var echo: any EchoControl { events }
}
