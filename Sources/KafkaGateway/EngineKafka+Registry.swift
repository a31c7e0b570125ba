public import Messaging

extension EngineKafka.Framing {
  /// Framing for a schema registry. The events' schema is registered under the topic's subject before the first event
  /// is published. The schema of an incoming message is looked up by its id.
  /// - Parameter topic: the topic of the events.
  public init(_ registry: SchemaRegistry, events topic: String) {
    self.init(
      prepare: {
        let id = try await registry.register(subject: "\(topic)-value", schema: SagaEventSchema.json)
        let framing = SchemaFraming(registry: registry, id: id)
        return { framing.frame($0) }
      },
      unframe: { try await SchemaFraming(registry: registry).unframe($0) })
  }
}
