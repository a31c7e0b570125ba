import JSON
import Values

/// A tube with a sample, from its registration to its end.
///
/// ```
/// absent ── create ──▶ registered ── validate ──▶ validated
///   │                   ▲  │  ▲                      │  │
///   │ undone before     │  │  └─ revert validation ──┘  │
///   ▼                   │  └──────────── void ──────────┴──▶ voided
/// undoneBefore ✗ create
/// ```
/// A tube has at most one label. After a label was voided, another one can be printed. An aliquot takes a part of the tube's volume and has its own barcode. Its events are in the tube's history.
struct Sample: Aggregate {
  enum Status: String, Sendable, CaseIterable { case absent, undoneBefore, registered, validated, voided }

  /// The declaration of a tube when it is registered.
  struct Declaration: Sendable, Equatable {
    var id: UniqueID
    var barcode: Barcode
    var type: SampleType
    var volume: Volume
    /// The zone in which the tube must be kept; nil when the sender does not say.
    var zone: Zone?
    var patientID: String?
    var collectedAt: Timestamp?
    var priority: String?
    var requestedBy: String?
  }

  struct Aliquot: Sendable, Equatable {
    let id: UniqueID
    let barcode: Barcode
    let volume: Volume
    var voided = false
  }

  /// The label on the tube.
  struct Label: Sendable, Equatable {
    let position: String
    let printedAt: Timestamp
  }

  var status = Status.absent
  var declaration: Declaration?
  /// The volume that is left in the tube.
  var volume = Volume(nanolitres: 0)
  var aliquots: [Aliquot] = []
  var label: Label?
  var voidReason: String?

  static let absent = Sample()
  static let name = "sample"
}

extension Sample {
  enum Command: Sendable {
    case create(Declaration)
    /// - at: the time of the command. A tube can't have been collected after it.
    case validate(at: Timestamp)
    case revertValidation
    case aliquot(id: UniqueID, barcode: Barcode, volume: Volume)
    case voidAliquot(id: UniqueID)
    /// - position: the position that the label names.
    case printLabel(position: String, at: Timestamp)
    case voidLabel
    case void(reason: String?)
  }

  static func decide(_ command: Command, _ sample: Sample) throws(LabRefusal) -> [SampleEvent] {
    switch command {
    case .create(let declaration):
      return try decideCreate(declaration, sample)
    case .validate(let time):
      let declaration = try sample.present()
      guard sample.status == .registered else {
        throw LabRefusal(LabErrorCode.sampleState, status: 409, "Sample \(declaration.barcode) is already validated.")
      }
      let places = faults(of: declaration, at: time)
      guard places.isEmpty else {
        throw LabRefusal(
          LabErrorCode.notAcceptable, status: 422,
          "Sample \(declaration.barcode) can't be accepted: \(places.map(\.message).joined(separator: "; ")).",
          places: places)
      }
      return [.validated(at: time)]
    case .revertValidation:
      let declaration = try sample.present()
      guard sample.status == .validated else { throw .gone("Sample \(declaration.barcode) isn't validated.") }
      return [.validationReverted]
    case .aliquot(let id, let barcode, let volume):
      return try decideAliquot(id, barcode, volume, sample)
    case .voidAliquot(let id):
      _ = try sample.present()
      guard let aliquot = sample.aliquots.first(where: { $0.id == id }) else {
        throw .unknown("aliquot", id.description)
      }
      guard !aliquot.voided else { throw .gone("Aliquot \(aliquot.barcode) is already void.") }
      return [.aliquotVoided(id: id)]
    case .printLabel(let position, let time):
      let declaration = try sample.present()
      guard sample.label == nil else {
        throw LabRefusal(
          LabErrorCode.sampleState, status: 409,
          "Sample \(declaration.barcode) has a label. Void it before another one is printed.")
      }
      return [.labelPrinted(position: position, at: time)]
    case .voidLabel:
      let declaration = try sample.present()
      guard sample.label != nil else { throw .gone("Sample \(declaration.barcode) has no label.") }
      return [.labelVoided]
    case .void(let reason):
      _ = try sample.present()
      return [.voided(reason: reason)]
    }
  }

  private static func decideCreate(
    _ declaration: Declaration, _ sample: Sample
  ) throws(LabRefusal) -> [SampleEvent] {
    switch sample.status {
    case .absent: return [.created(declaration)]
    case .undoneBefore: throw .undoneBefore("Sample \(declaration.id) was undone before it was created.")
    case .registered, .validated: throw .exists(name)
    case .voided: throw .gone("Sample \(declaration.id) was voided; a new tube needs a new id.")
    }
  }

  private static func decideAliquot(
    _ id: UniqueID, _ barcode: Barcode, _ volume: Volume, _ sample: Sample
  ) throws(LabRefusal) -> [SampleEvent] {
    let declaration = try sample.present()
    guard sample.status == .validated else {
      throw LabRefusal(
        LabErrorCode.sampleState, status: 409,
        "Sample \(declaration.barcode) is \(sample.status.rawValue); only a validated one is aliquoted.")
    }
    guard !sample.aliquots.contains(where: { $0.id == id }) else { throw .exists("aliquot") }
    guard volume <= sample.volume else {
      throw LabRefusal(
        LabErrorCode.volumeShort, status: 409,
        "Sample \(declaration.barcode) has \(sample.volume) left, less than \(volume).")
    }
    return [.aliquoted(id: id, barcode: barcode, volume: volume)]
  }

  /// Returns the reasons why a registered tube can't be accepted.
  static func faults(of declaration: Declaration, at time: Timestamp) -> [LabRefusal.Place] {
    var places: [LabRefusal.Place] = []
    if let zone = declaration.zone, !declaration.type.zones.contains(zone) {
      let allowed = declaration.type.zones.sorted(by: >).map(\.rawValue).joined(separator: ", ")
      places.append(
        LabRefusal.Place(
          pointer: "/temperature",
          message: "\(declaration.type.rawValue) doesn't keep at \(zone.rawValue), only at \(allowed)"))
    }
    if let collectedAt = declaration.collectedAt, collectedAt > time {
      places.append(
        LabRefusal.Place(pointer: "/collectedAt", message: "it was collected in the future (\(collectedAt))"))
    }
    return places
  }

  /// Returns the declaration of a sample that exists and isn't void.
  func present() throws(LabRefusal) -> Declaration {
    guard let declaration else {
      if status == .undoneBefore { throw .gone("The sample was undone before it was created.") }
      throw .missing("sample")
    }
    guard status != .voided else { throw .gone("Sample \(declaration.barcode) is void.") }
    return declaration
  }

  static func evolve(_ sample: Sample, _ event: SampleEvent) -> Sample {
    var sample = sample
    switch event {
    case .created(let declaration):
      sample.status = .registered
      sample.declaration = declaration
      sample.volume = declaration.volume
    case .undoneBefore:
      sample.status = .undoneBefore
    case .validated:
      sample.status = .validated
    case .validationReverted:
      sample.status = .registered
    case .aliquoted(let id, let barcode, let volume):
      sample.aliquots.append(Aliquot(id: id, barcode: barcode, volume: volume))
      sample.volume = Volume(nanolitres: sample.volume.nanolitres - volume.nanolitres)
    case .aliquotVoided(let id):
      // The aliquot's volume does not return to the tube.
      if let index = sample.aliquots.firstIndex(where: { $0.id == id }) { sample.aliquots[index].voided = true }
    case .labelPrinted(let position, let time):
      sample.label = Label(position: position, printedAt: time)
    case .labelVoided:
      sample.label = nil
    case .voided(let reason):
      sample.status = .voided
      sample.voidReason = reason
    case .undoNoted:
      break
    }
    return sample
  }
}

extension Sample {
  /// The volume of the aliquots that are void. It was drawn, and it does not return to the tube.
  private var lost: Volume {
    Volume(nanolitres: aliquots.reduce(0) { $0 + ($1.voided ? $1.volume.nanolitres : 0) })
  }

  /// The form in which a sample is shown.
  var json: JSON {
    guard let declaration else { return .object(["status": .string(status.rawValue)]) }
    var json = declaration.json
    json["status"] = .string(status.rawValue)
    json["volumeLeftMl"] = volume.json
    if !aliquots.isEmpty {
      json["aliquots"] = .array(
        aliquots.map {
          [
            "id": .string($0.id.description), "barcode": .string($0.barcode.text), "volumeMl": $0.volume.json,
            "status": $0.voided ? "voided" : "drawn",
          ]
        })
    }
    if lost.nanolitres > 0 { json["volumeLostMl"] = lost.json }
    if let label {
      json["label"] = ["position": .string(label.position), "printedAt": .string(label.printedAt.description)]
    }
    if let voidReason { json["voidReason"] = .string(voidReason) }
    return .object(json)
  }
}

extension Sample.Declaration {
  var json: JSONObject {
    JSON.members(
      ("id", .text(id)), ("barcode", .text(barcode)), ("type", .string(type.rawValue)), ("volumeMl", volume.json),
      ("temperature", .text(zone?.rawValue)), ("patientId", .text(patientID)), ("collectedAt", .text(collectedAt)),
      ("priority", .text(priority)), ("requestedBy", .text(requestedBy))
    ).objectValue ?? [:]
  }
}
