import KafkaGateway
import Messaging
import Streaming
import WorkflowEngine

/// What the API shows of Kafka, where there is one.
public protocol KafkaView: Sendable {
  var echo: any EchoControl { get }
  /// How the engine's own consumers stand: of commands, of answers.
  var consumers: [ConsumerStatus] { get }
}

extension EngineKafka: KafkaView {
  public var echo: any EchoControl { events }
}
