import JSON
import Values

/// An event of a sample.
enum SampleEvent: CreatingEvent {
  case created(Sample.Declaration)
  case undoneBefore
  case validated(at: Timestamp)
  case validationReverted
  case aliquoted(id: UniqueID, barcode: Barcode, volume: Volume)
  case aliquotVoided(id: UniqueID)
  /// - position: the position that the label names.
  case labelPrinted(position: String, at: Timestamp)
  case labelVoided
  case voided(reason: String?)
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .created: "sample.created"
    case .undoneBefore: "sample.undoneBefore"
    case .validated: "sample.validated"
    case .validationReverted: "sample.validationReverted"
    case .aliquoted: "sample.aliquoted"
    case .aliquotVoided: "sample.aliquotVoided"
    case .labelPrinted: "sample.labelPrinted"
    case .labelVoided: "sample.labelVoided"
    case .voided: "sample.voided"
    case .undoNoted: "sample.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .created(let declaration):
      var json = declaration.json
      json["volumeNl"] = .int(declaration.volume.nanolitres)
      return .object(json)
    case .undoneBefore, .validationReverted, .labelVoided: return [:]
    case .labelPrinted(let position, let time):
      return ["position": .string(position), "at": .string(time.description)]
    case .validated(let time): return ["at": .string(time.description)]
    case .aliquoted(let id, let barcode, let volume):
      return [
        "id": .string(id.description), "barcode": .string(barcode.text), "volumeNl": .int(volume.nanolitres),
      ]
    case .aliquotVoided(let id): return ["id": .string(id.description)]
    case .voided(let reason): return .members(("reason", .text(reason)))
    case .undoNoted(let command): return ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    func barcode() throws(UnreadableEvent) -> Barcode { Barcode(stored: try members.string("barcode")) }
    switch type {
    case "sample.created":
      self = .created(
        Sample.Declaration(
          id: try members.id("id"), barcode: try barcode(), type: try members.word("type"),
          volume: try members.volume("volumeNl"),
          zone: members.optionalText("temperature").flatMap { Zone(rawValue: $0) },
          patientID: members.optionalText("patientId"), collectedAt: members.optionalTime("collectedAt"),
          priority: members.optionalText("priority"), requestedBy: members.optionalText("requestedBy")))
    case "sample.undoneBefore": self = .undoneBefore
    case "sample.validated":
      guard let time = members.optionalTime("at") else { throw UnreadableEvent(type: type, missing: "at") }
      self = .validated(at: time)
    case "sample.validationReverted": self = .validationReverted
    case "sample.aliquoted":
      self = .aliquoted(id: try members.id("id"), barcode: try barcode(), volume: try members.volume("volumeNl"))
    case "sample.aliquotVoided": self = .aliquotVoided(id: try members.id("id"))
    case "sample.labelPrinted":
      guard let time = members.optionalTime("at") else { throw UnreadableEvent(type: type, missing: "at") }
      self = .labelPrinted(position: try members.string("position"), at: time)
    case "sample.labelVoided": self = .labelVoided
    case "sample.voided": self = .voided(reason: members.optionalText("reason"))
    case "sample.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  /// A barcode's claim is never released, because a label that was printed once must not be printed for another tube.
  var claims: [LabClaim] {
    switch self {
    case .created(let declaration): [LabClaim(.barcode, declaration.barcode.text)]
    case .aliquoted(_, let barcode, _): [LabClaim(.barcode, barcode.text)]
    case .undoneBefore, .validated, .validationReverted, .aliquotVoided, .labelPrinted, .labelVoided, .voided,
      .undoNoted:
      []
    }
  }

  var releases: [LabClaim] { [] }
}
