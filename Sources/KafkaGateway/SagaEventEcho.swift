import Messaging
public import Persistence
public import Streaming
import Values
import WorkflowEngine

/// The form in which a saga's event is published.
public enum SagaEventEcho {
  public static let source = "/sagas"
  public static let typePrefix = "dev.tracseq.saga."
  public static let schemaPrefix = "urn:tracseq:saga-event:"

  /// - Parameters:
  ///   - stored: an event of the engine's store.
  ///   - topic: the topic that it is published to.
  public static func event(_ stored: StoredEvent, topic: String) -> EchoedEvent {
    let saga = stored.stream.description
    var event = CloudEvent(
      id: "\(saga)/\(stored.version)", source: source, type: typePrefix + stored.type, subject: saga,
      time: stored.recordedAt, dataSchema: "\(schemaPrefix)\(stored.type):\(schema(of: stored))",
      extensions: [
        .init("partitionkey", saga), .init("shard", "\(stored.shard)"), .init("position", "\(stored.position)"),
        .init("streamversion", "\(stored.version)"),
      ],
      data: stored.data)
    // Events that do not belong to a saga are published too: positions have no gaps.
    if stored.type == Echo.rewoundType {
      (event.source, event.type, event.subject, event.dataSchema) = ("/echo", "dev.tracseq.echo.rewound", nil, nil)
    } else if OperationEvent.isOne(stored.type) {
      (event.source, event.type, event.dataSchema) = ("/operations", "dev.tracseq.\(stored.type)", nil)
    } else if EngineAct.isOne(stored.type) {
      (event.source, event.type, event.subject) = ("/engine", "dev.tracseq.engine.\(stored.type)", nil)
      event.dataSchema = nil
    } else {
      return EchoedEvent(topic: topic, key: saga, event: event)
    }
    return EchoedEvent(topic: topic, key: saga, event: event, isFramed: false)
  }

  private static let prefix = Array(#"{"schema":"#.utf8)

  /// Returns the schema version of the event. Every event's meta begins with it, so nothing is parsed for it.
  private static func schema(of stored: StoredEvent) -> Int {
    guard stored.meta.starts(with: prefix) else { return 1 }
    let digits = stored.meta.dropFirst(prefix.count).prefix { (0x30...0x39).contains($0) }
    return Int(String(decoding: digits, as: UTF8.self)) ?? 1
  }
}
