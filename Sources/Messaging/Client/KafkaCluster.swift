/// The address of a Kafka cluster and the settings of its clients.
public struct KafkaCluster: Sendable, Hashable {
  /// `host:port`; several are separated by commas.
  public let brokers: String
  /// librdkafka's properties: TLS, SASL, timeouts. They override this module's settings, except the settings on which
  /// delivery depends (`KafkaHandle` refuses those).
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
