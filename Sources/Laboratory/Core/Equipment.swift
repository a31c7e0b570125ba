import JSON
import Values

/// The equipment of the laboratory: its boxes in their locations, and its instruments. Equipment is added, never removed,
/// because a box may hold a tube.
///
/// Events are stored under the name `furniture`.
struct Equipment: Aggregate {
  var locations: [LaboratoryLayout.Location] = []
  var instruments: [LaboratoryLayout.Instrument] = []

  static let absent = Equipment()
  static let name = "furniture"
  /// There is one laboratory in a store.
  static let id = UniqueID.derived(from: "laboratory/furniture")

  var layout: LaboratoryLayout { LaboratoryLayout(locations: locations, instruments: instruments) }

  enum Command: Sendable { case setUp(LaboratoryLayout) }

  static func decide(_ command: Command, _ equipment: Equipment) throws(LabRefusal) -> [EquipmentEvent] {
    switch command {
    case .setUp(let layout):
      let locations = layout.locations.filter { wanted in
        !equipment.locations.contains { $0.name == wanted.name && $0.boxes >= wanted.boxes }
      }
      let instruments = layout.instruments.filter { wanted in
        !equipment.instruments.contains { $0.name == wanted.name }
      }
      return locations.map { .location($0) } + instruments.map { .instrument($0) }
    }
  }

  static func evolve(_ equipment: Equipment, _ event: EquipmentEvent) -> Equipment {
    var equipment = equipment
    switch event {
    case .location(let location):
      if let index = equipment.locations.firstIndex(where: { $0.name == location.name }) {
        // The location keeps its temperature; only the number of boxes grows.
        let known = equipment.locations[index]
        equipment.locations[index] = LaboratoryLayout.Location(
          name: known.name, zone: known.zone, boxes: max(known.boxes, location.boxes), largestTube: known.largestTube)
      } else {
        equipment.locations.append(location)
      }
    case .instrument(let instrument): equipment.instruments.append(instrument)
    case .undoNoted: break
    }
    return equipment
  }

  var json: JSON {
    ["locations": .int(locations.count), "instruments": .array(instruments.map { .string($0.name) })]
  }
}

/// An event of the equipment.
enum EquipmentEvent: LabEvent {
  case location(LaboratoryLayout.Location)
  case instrument(LaboratoryLayout.Instrument)
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .location: "furniture.locationSetUp"
    case .instrument: "furniture.instrumentSetUp"
    case .undoNoted: "furniture.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .location(let location):
      [
        "name": .string(location.name), "temperature": .string(location.zone.rawValue), "boxes": .int(location.boxes),
        "largestTubeNl": .int(location.largestTube.nanolitres),
      ]
    case .instrument(let instrument):
      [
        "name": .string(instrument.name), "flowCells": .array(instrument.flowCells.map { .string($0) }),
        "lanesPerFlowCell": .int(instrument.lanesPerFlowCell),
      ]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "furniture.locationSetUp":
      guard let boxes = data["boxes"]?.intValue else { throw UnreadableEvent(type: type, missing: "boxes") }
      self = .location(
        LaboratoryLayout.Location(
          name: try members.string("name"), zone: try members.word("temperature"), boxes: boxes,
          largestTube: try members.volume("largestTubeNl")))
    case "furniture.instrumentSetUp":
      guard let lanes = data["lanesPerFlowCell"]?.intValue, let cells = data["flowCells"]?.arrayValue else {
        throw UnreadableEvent(type: type, missing: "flowCells or lanesPerFlowCell")
      }
      self = .instrument(
        LaboratoryLayout.Instrument(
          name: try members.string("name"), flowCells: cells.compactMap(\.stringValue), lanesPerFlowCell: lanes))
    case "furniture.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
