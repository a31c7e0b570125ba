import JSON
import Messaging
import Persistence
import Streaming
import Values

extension EchoedEvent {
  /// What the world hears of a stored event of the laboratory: a CloudEvent on its service's topic.
  ///
  /// Everything that the laboratory stores is published, furniture and noted undos among it, under the id of the thing
  /// that it happened to. An event that came before its subject was kept with it goes under its stream's own id, unless
  /// its data says whose it is.
  /// - Returns: nil for what the echo stored of itself.
  /// - Throws: when the event is none of the laboratory's.
  init?(_ stored: StoredEvent, on topics: LabKafka.Topics) throws {
    if stored.type == Echo.rewoundType { return nil }
    guard let service = Self.service(of: stored.type) else { throw UnreadableEvent(type: stored.type, missing: nil) }
    let meta = try JSON(parsing: stored.meta)
    let subject = try Self.subject(of: stored, meta)
    var extensions: [CloudEvent.Extension] = []
    for (name, member) in Self.extensions {
      if let value = meta[member]?.stringValue { extensions.append(CloudEvent.Extension(name, value)) }
    }
    extensions.append(CloudEvent.Extension("shard", "\(stored.shard)"))
    extensions.append(CloudEvent.Extension("position", "\(stored.position)"))
    let event = CloudEvent(
      id: "\(stored.stream)/\(stored.version)", source: "/laboratory/\(service.rawValue)", type: stored.type,
      subject: subject, time: stored.recordedAt, extensions: extensions, data: stored.data)
    self.init(topic: topics[.events(service)], key: subject, event: event)
  }

  /// CloudEvents' names for members of the meta data.
  private static let extensions = [
    ("correlationid", "correlationId"), ("causationid", "causationId"), ("userid", "userId"), ("tenantid", "tenantId"),
  ]

  /// Boxes and freezers are the storage's, sequencers the sequencing's.
  private static func service(of type: String) -> LabService? {
    switch type {
    case "furniture.instrumentSetUp": return .sequencing
    case "furniture.locationSetUp", "furniture.undoNoted": return .storage
    default: break
    }
    switch type.prefix(while: { $0 != "." }) {
    case Substring(Sample.name): return .samples
    case Substring(Allocation.name): return .storage
    case Substring(Run.name): return .sequencing
    case Substring(Message.name): return .notification
    default: return nil
    }
  }

  private static func subject(of stored: StoredEvent, _ meta: JSON) throws -> String {
    switch stored.type {
    // What is set up has a name, and is no aggregate of its own.
    case "furniture.locationSetUp", "furniture.instrumentSetUp":
      return try StoredMembers(type: stored.type, data: JSON(parsing: stored.data)).text("name")
    case "sample.created", "allocation.allocated", "run.scheduled", "message.sent":
      return try StoredMembers(type: stored.type, data: JSON(parsing: stored.data)).text("id")
    default: return meta["subject"]?.stringValue ?? stored.stream.description
    }
  }
}
