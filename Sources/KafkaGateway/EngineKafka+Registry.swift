public import Messaging
import WorkflowEngine

extension EngineKafka.Framing {
  /// A schema registry's: the events' schema is registered under the topic's subject before the first event goes out, and
  /// what comes in with an id is looked up.
  /// - Parameter topic: where the events go.
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
