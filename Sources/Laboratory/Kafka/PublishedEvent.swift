import JSON
import Messaging
import Persistence
import Streaming
import Values

extension EchoedEvent {
  /// Returns the published form of a stored event of the laboratory: a CloudEvent for its service's topic.
  ///
  /// All events of the laboratory are published, also those of equipment and of noted undos, with the id of their
  /// aggregate. Old events were stored without their subject; they get the id in their data, or else their stream's id.
  /// - Returns: nil for the events that the echo itself stored.
  /// - Throws: when the event is not one of the laboratory's.
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

  /// The CloudEvents names of members of the meta data.
  private static let extensions = [
    ("correlationid", "correlationId"), ("causationid", "causationId"), ("userid", "userId"), ("tenantid", "tenantId"),
  ]

  /// Events of boxes and freezers belong to storage, events of sequencers to sequencing.
  private static func service(of type: String) -> LabService? {
    switch type {
    case "furniture.instrumentSetUp": return .sequencing
    case "furniture.locationSetUp", "furniture.undoNoted": return .storage
    default: break
    }
    switch type.prefix(while: { $0 != "." }) {
    case Substring(Sample.name): return .samples
    case Substring(Allocation.name): return .storage
    case Substring(Run.name), Substring(ReagentKit.name): return .sequencing
    case Substring(FlowCell.name): return .sequencing
    case Substring(Message.name): return .notification
    case Substring(AccessionRequest.name): return .accession
    case Substring(WellPlate.name), Substring(Measurement.name), Substring(QualityDecision.name): return .qc
    case Substring(DemultiplexJob.name), Substring(FileCopy.name), Substring(Delivery.name): return .pipeline
    case Substring(ReagentLot.name), Substring(TagPlate.name), Substring(PrepPlate.name), Substring(Library.name):
      return .libraryPrep
    case Substring(LibraryStock.name), Substring(Pool.name): return .pooling
    default: return nil
    }
  }

  private static func subject(of stored: StoredEvent, _ meta: JSON) throws -> String {
    switch stored.type {
    // Equipment has a name instead of an id.
    case "furniture.locationSetUp", "furniture.instrumentSetUp":
      return try StoredMembers(JSON(parsing: stored.data), of: stored.type).string("name")
    case "sample.created", "allocation.allocated", "run.scheduled", "message.sent", "accession.requested",
      "kit.taken":
      return try StoredMembers(JSON(parsing: stored.data), of: stored.type).string("id")
    default: return meta["subject"]?.stringValue ?? stored.stream.description
    }
  }
}
