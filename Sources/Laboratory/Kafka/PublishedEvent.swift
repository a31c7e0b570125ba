import JSON
import Messaging
import Persistence
import Runtime

/// What the world hears of a stored event of the laboratory: a CloudEvent on its service's topic.
///
/// Every stored event is published, furniture and noted undos among them: whoever reads all four topics finds every
/// position of every shard. An event that came before its subject was kept with it goes under its stream's own id, unless
/// its data says whose it is.
struct PublishedEvent: Sendable, Equatable {
  let topic: String
  /// The subject, so that what happened to one thing stays in order.
  let key: String
  let event: CloudEvent

  init(_ stored: StoredEvent, topics: LabKafka.Topics) throws {
    guard let service = Self.service(of: stored.type) else { throw UnreadableEvent(type: stored.type, missing: nil) }
    let meta = try JSON(parsing: stored.meta)
    key = try Self.subject(of: stored, meta)
    topic = topics[.events(service)]
    var extensions = [
      ("correlationid", "correlationId"), ("causationid", "causationId"), ("userid", "userId"),
      ("tenantid", "tenantId"),
    ].compactMap { name, member in
      meta[member]?.stringValue.map { CloudEvent.Extension(name, $0) }
    }
    extensions.append(CloudEvent.Extension("shard", "\(stored.shard)"))
    extensions.append(CloudEvent.Extension("position", "\(stored.position)"))
    event = CloudEvent(
      id: "\(stored.stream)/\(stored.version)", source: "/laboratory/\(service.rawValue)", type: stored.type,
      subject: key, time: stored.recordedAt, extensions: extensions, data: stored.data)
  }

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
