import JSON
import Values

/// A position that is held for a sample.
///
/// ```
/// absent ── allocate ──▶ allocated ── store ──▶ stored
///   │                     │  ▲  ↺ move           │  ↺ move
///   │ undone before       │  └───── remove ──────┘
///   ▼                     └── release ──▶ released
/// undoneBefore ✗ allocate
/// ```
struct Allocation: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, allocated, stored, released }

  /// The tube for which a position is requested.
  struct Request: Sendable, Equatable {
    var id: UniqueID
    var sampleID: String
    var barcode: String?
    var type: SampleType
    var zone: Zone
    var volume: Volume
  }

  var status = Status.absent
  var request: Request?
  var position: PositionName?

  static let absent = Allocation()
  static let name = "allocation"

  /// Whether this allocation holds its position.
  var holds: Bool {
    switch status {
    case .allocated, .stored: true
    case .absent, .undoneBefore, .released: false
    }
  }
}

extension Allocation {
  enum Command: Sendable {
    /// - position: a suitable position that seems free. Its claim decides whether it is free.
    case allocate(Request, position: PositionName)
    /// - sampleID, barcode: the tube's sample and the scanned barcode. If given, they must match the allocation.
    case store(sampleID: String?, barcode: String?)
    case move(to: PositionName, zone: Zone)
    case remove
    case release
  }

  static func decide(_ command: Command, _ allocation: Allocation) throws(LabRefusal) -> [AllocationEvent] {
    switch command {
    case .allocate(let request, let position):
      try accept(request, allocation)
      return [.allocated(request, position: position)]
    case .store(let sampleID, let barcode):
      let (request, position) = try allocation.present()
      guard allocation.status == .allocated else { throw wrongState("A tube is already stored at \(position).") }
      if let sampleID, sampleID != request.sampleID {
        throw wrongState("\(position) is held for sample \(request.sampleID), not for \(sampleID).")
      }
      if let barcode, let expected = request.barcode, barcode != expected {
        throw wrongState("The tube scanned is \(barcode); \(position) is held for \(expected).")
      }
      return [.stored(position: position)]
    case .move(let target, let zone):
      let (request, position) = try allocation.present()
      try checkZone(zone, request.type)
      guard target != position else { throw wrongState("The sample already has \(position).") }
      return [.moved(from: position, to: target, zone: zone)]
    case .remove:
      let (_, position) = try allocation.present()
      guard allocation.status == .stored else { throw .gone("No tube is stored at \(position).") }
      return [.removed(position: position)]
    case .release:
      let (request, position) = try allocation.present()
      // If the position were released while the tube is in it, two tubes would get one place.
      guard allocation.status == .allocated else {
        throw wrongState("The tube is still at \(position); remove it first.")
      }
      return [.released(position: position, sampleID: request.sampleID)]
    }
  }

  /// Refuses a request that no position can meet, before a position is looked for.
  static func accept(_ request: Request, _ allocation: Allocation) throws(LabRefusal) {
    switch allocation.status {
    case .absent: break
    case .undoneBefore: throw .undoneBefore("Allocation \(request.id) was undone before it was made.")
    case .allocated, .stored: throw .exists(name)
    case .released: throw .gone("Allocation \(request.id) was released; a new one needs a new id.")
    }
    try checkZone(request.zone, request.type)
  }

  static func checkZone(_ zone: Zone, _ type: SampleType) throws(LabRefusal) {
    guard type.zones.contains(zone) else {
      let allowed = type.zones.sorted(by: >).map(\.rawValue).joined(separator: ", ")
      let message = "\(type.rawValue) doesn't keep at \(zone.rawValue), only at \(allowed)."
      throw LabRefusal(
        LabErrorCode.temperature, status: 422, message,
        places: [LabRefusal.Place(pointer: "/temperature", message: message)])
    }
  }

  private static func wrongState(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.allocationState, status: 409, message)
  }

  private func present() throws(LabRefusal) -> (Request, PositionName) {
    guard let request, let position, holds else { throw nothingHeld(request?.id) }
    return (request, position)
  }

  /// Returns the refusal for an allocation that holds no position.
  func nothingHeld(_ id: UniqueID?) -> LabRefusal {
    switch status {
    case .undoneBefore: .gone("The allocation was undone before it was made.")
    case .released: .gone("Allocation \(id?.description ?? "") is released.")
    case .absent, .allocated, .stored:
      .missing("allocation")
    }
  }

  static func evolve(_ allocation: Allocation, _ event: AllocationEvent) -> Allocation {
    var allocation = allocation
    switch event {
    case .allocated(let request, let position):
      allocation.status = .allocated
      allocation.request = request
      allocation.position = position
    case .undoneBefore: allocation.status = .undoneBefore
    case .stored: allocation.status = .stored
    case .moved(_, let position, let zone):
      allocation.position = position
      allocation.request?.zone = zone
    case .removed: allocation.status = .allocated
    case .released: allocation.status = .released
    case .undoNoted: break
    }
    return allocation
  }

  /// The form in which an allocation is shown.
  var json: JSON {
    guard let request, let position else { return ["status": .string(status.rawValue)] }
    var json = request.json
    json["status"] = .string(status.rawValue)
    json["position"] = .string(position.description)
    json["box"] = .string(position.box)
    json["well"] = .string(position.wellName)
    return .object(json)
  }
}

extension Allocation.Request {
  var json: JSONObject {
    JSON.members(
      ("id", .text(id)), ("sampleId", .text(sampleID)), ("barcode", .text(barcode)), ("type", .string(type.rawValue)),
      ("temperature", .string(zone.rawValue)), ("volumeMl", volume.json)
    ).objectValue ?? [:]
  }
}
