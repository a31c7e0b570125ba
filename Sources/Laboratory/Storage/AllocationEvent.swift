import JSON
import Values

/// An event of an allocation.
enum AllocationEvent: CreatingEvent {
  case allocated(Allocation.Request, position: PositionName)
  case undoneBefore
  case stored(position: PositionName)
  case moved(from: PositionName, to: PositionName, zone: Zone)
  case removed(position: PositionName)
  case released(position: PositionName, sampleID: String)
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .allocated: "allocation.allocated"
    case .undoneBefore: "allocation.undoneBefore"
    case .stored: "allocation.stored"
    case .moved: "allocation.moved"
    case .removed: "allocation.removed"
    case .released: "allocation.released"
    case .undoNoted: "allocation.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .allocated(let request, let position):
      var json = request.json
      json["volumeNl"] = .int(request.volume.nanolitres)
      json["position"] = .string(position.description)
      return .object(json)
    case .undoneBefore: return [:]
    case .stored(let position), .removed(let position): return ["position": .string(position.description)]
    case .moved(let from, let to, let zone):
      return [
        "from": .string(from.description), "to": .string(to.description), "temperature": .string(zone.rawValue),
      ]
    case .released(let position, let sampleID):
      return ["position": .string(position.description), "sampleId": .string(sampleID)]
    case .undoNoted(let command): return ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "allocation.allocated":
      self = .allocated(
        Allocation.Request(
          id: try members.id("id"), sampleID: try members.string("sampleId"), barcode: members.optionalText("barcode"),
          type: try members.word("type"), zone: try members.word("temperature"),
          volume: try members.volume("volumeNl")),
        position: try members.position("position"))
    case "allocation.undoneBefore": self = .undoneBefore
    case "allocation.stored": self = .stored(position: try members.position("position"))
    case "allocation.moved":
      self = .moved(
        from: try members.position("from"), to: try members.position("to"),
        zone: try members.word("temperature"))
    case "allocation.removed": self = .removed(position: try members.position("position"))
    case "allocation.released":
      self = .released(position: try members.position("position"), sampleID: try members.string("sampleId"))
    case "allocation.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] {
    switch self {
    case .allocated(let request, let position):
      [LabClaim(.position, position.description), LabClaim(.heldSample, request.sampleID)]
    case .moved(_, let to, _): [LabClaim(.position, to.description)]
    case .undoneBefore, .stored, .removed, .released, .undoNoted: []
    }
  }

  var releases: [LabClaim] {
    switch self {
    case .moved(let from, _, _): [LabClaim(.position, from.description)]
    case .released(let position, let sampleID):
      [LabClaim(.position, position.description), LabClaim(.heldSample, sampleID)]
    case .allocated, .undoneBefore, .stored, .removed, .undoNoted: []
    }
  }
}
