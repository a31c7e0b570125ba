/// A Kafka cluster, and how to talk to it.
public struct KafkaCluster: Sendable, Hashable {
  /// `host:port`, several with commas.
  public let brokers: String
  /// librdkafka's properties, as they are: TLS, SASL, timeouts. They win over our own choices, except
  /// over those that what is promised of messages stands on.
  public let properties: [Property]

  /// A property of librdkafka by its name.
  public struct Property: Sendable, Hashable, CustomStringConvertible {
    public let name: String
    public let value: String
    /// Without the value, which may be a password.
    public var description: String { "\(name)=…" }

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public init(brokers: String, properties: [Property] = []) {
    self.brokers = brokers
    self.properties = properties
  }
}
