import JSON
import Values

/// An event of a run.
enum RunEvent: CreatingEvent {
  case scheduled(Run.Request)
  case undoneBefore
  case laneBooked(LaneName)
  case laneReleased(LaneName)
  case loaded
  case unloaded
  /// - at: nil in an event of an older version.
  case started(at: Timestamp?)
  case recorded(kind: String, text: String?)
  case completed
  /// - lanes: the lanes that become free.
  case cancelled(reason: String?, lanes: [LaneName])
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .scheduled: "run.scheduled"
    case .undoneBefore: "run.undoneBefore"
    case .laneBooked: "run.laneBooked"
    case .laneReleased: "run.laneReleased"
    case .loaded: "run.loaded"
    case .unloaded: "run.unloaded"
    case .started: "run.started"
    case .recorded: "run.eventRecorded"
    case .completed: "run.completed"
    case .cancelled: "run.cancelled"
    case .undoNoted: "run.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .scheduled(let request): .object(request.json)
    case .undoneBefore, .loaded, .unloaded, .completed: [:]
    case .started(let time): .members(("at", .text(time)))
    case .laneBooked(let lane), .laneReleased(let lane): ["lane": .string(lane.description)]
    case .recorded(let kind, let text): .members(("kind", .string(kind)), ("text", .text(text)))
    case .cancelled(let reason, let lanes):
      .members(("reason", .text(reason)), ("lanes", .array(lanes.map { .string($0.description) })))
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "run.scheduled":
      guard let scheduledAt = members.optionalTime("scheduledAt") else {
        throw UnreadableEvent(type: type, missing: "scheduledAt")
      }
      self = .scheduled(
        Run.Request(
          id: try members.id("id"), sampleID: members.optionalText("sampleId"), poolID: members.optionalText("poolId"),
          barcode: members.optionalText("barcode"),
          instrument: try members.string("instrument"), priority: members.optionalText("priority"),
          assay: members.optionalText("assay"), scheduledAt: scheduledAt))
    case "run.undoneBefore": self = .undoneBefore
    case "run.laneBooked": self = .laneBooked(try members.lane("lane"))
    case "run.laneReleased": self = .laneReleased(try members.lane("lane"))
    case "run.loaded": self = .loaded
    case "run.unloaded": self = .unloaded
    case "run.started": self = .started(at: members.optionalTime("at"))
    case "run.eventRecorded":
      self = .recorded(kind: try members.string("kind"), text: members.optionalText("text"))
    case "run.completed": self = .completed
    case "run.cancelled":
      var lanes: [LaneName] = []
      for value in data["lanes"]?.arrayValue ?? [] {
        guard let lane = value.stringValue.flatMap({ LaneName($0) }) else {
          throw UnreadableEvent(type: type, missing: "lanes")
        }
        lanes.append(lane)
      }
      self = .cancelled(reason: members.optionalText("reason"), lanes: lanes)
    case "run.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] {
    switch self {
    case .laneBooked(let lane): [LabClaim(.lane, lane.description)]
    case .scheduled, .undoneBefore, .laneReleased, .loaded, .unloaded, .started, .recorded, .completed, .cancelled,
      .undoNoted:
      []
    }
  }

  /// A completed run keeps its lanes, because their reagents are spent.
  var releases: [LabClaim] {
    switch self {
    case .laneReleased(let lane): [LabClaim(.lane, lane.description)]
    case .cancelled(_, let lanes): lanes.map { LabClaim(.lane, $0.description) }
    case .scheduled, .undoneBefore, .laneBooked, .loaded, .unloaded, .started, .recorded, .completed, .undoNoted: []
    }
  }
}
