import JSON
import Persistence
import Runtime
import Values

/// The laboratory's read models: the lists, and the effects of each idempotency key.
struct LabProjection: Projection {
  /// Change the name when a document's shape changes; then the projection begins again.
  let name = "laboratory-2"
  let collections = Set(Collection.allCases.map(\.rawValue))
  let store: any EventStore

  enum Collection: String, CaseIterable {
    case samples = "lab.samples"
    /// The same by barcode, for searches by pattern.
    case barcodes = "lab.barcodes"
    case allocations = "lab.allocations"
    /// The positions that are held.
    case positions = "lab.positions"
    case runs = "lab.runs"
    case messages = "lab.messages"
    /// The decisions of quality control.
    case decisions = "lab.decisions"
    /// The lots of reagents, by their last day.
    case lots = "lab.lots"
    /// The plates of library preparation.
    case prepPlates = "lab.prepPlates"
    case libraries = "lab.libraries"
    /// Idempotency keys that took effect.
    case effects = "lab.effects"
    /// Claims of values that aren't in normalization form C, as older versions made them, by the value's normal form.
    case spellings = "lab.spellings"
  }

  func apply(_ events: [StoredEvent], to changes: inout ProjectionChanges) async throws {
    for event in events {
      try await count(event, in: &changes)
      try note(spellingsOf: event, in: &changes)
    }
    var seen: Set<UniqueID> = []
    for event in events where seen.insert(event.stream).inserted {
      switch event.type.split(separator: ".").first {
      case "sample": try await show(LoadedAggregate<Sample>(event.stream, in: store), in: &changes)
      case "allocation": try await show(LoadedAggregate<Allocation>(event.stream, in: store), in: &changes)
      case "run": try await show(LoadedAggregate<Run>(event.stream, in: store), in: &changes)
      case "message": try await show(LoadedAggregate<Message>(event.stream, in: store), in: &changes)
      case "decision": try await show(LoadedAggregate<QualityDecision>(event.stream, in: store), in: &changes)
      case "lot": try await show(LoadedAggregate<ReagentLot>(event.stream, in: store), in: &changes)
      case "prepPlate": try await show(LoadedAggregate<PrepPlate>(event.stream, in: store), in: &changes)
      case "library": try await show(LoadedAggregate<Library>(event.stream, in: store), in: &changes)
      default: break
      }
    }
    // Within these events a position may have been released in one stream and claimed in another, in either order. So
    // the holder of a position is read from its claim, after all other events are applied.
    for position in Set(try events.flatMap(Self.positions(of:))) { try await show(position, in: &changes) }
  }

  private func count(_ event: StoredEvent, in changes: inout ProjectionChanges) async throws {
    let meta = try JSON(parsing: event.meta)
    guard let key = meta["causationId"]?.stringValue else { return }
    let known = try await changes.document(collection: Collection.effects.rawValue, id: key)
    let data = try known.map { try JSON(parsing: $0.data) }
    var appends = data?["appends"]?.arrayValue ?? []
    var types = data?["events"]?.arrayValue ?? []
    let append = JSON.string(event.appendID.description)
    if !appends.contains(append) { appends.append(append) }
    types.append(.string(event.type))
    let saga = meta["correlationId"]?.stringValue
    let document: JSON = .members(
      ("key", .string(key)), ("sagaId", .text(saga)), ("effects", .int(appends.count)), ("events", .array(types)),
      ("appends", .array(appends)))
    changes.put(
      Document(
        collection: Collection.effects.rawValue, id: key, sort: key,
        fields: ["sagaId": saga ?? "", "effects": String(appends.count)], data: document.bytes()))
  }

  static func nameOfSpelling(_ claim: LabClaim) -> String {
    "\(claim.scope.rawValue)/\(VisibleText.normal(claim.value))"
  }

  private func note(spellingsOf event: StoredEvent, in changes: inout ProjectionChanges) throws {
    let (claims, releases) = try Self.claims(of: event)
    for claim in claims where Array(VisibleText.normal(claim.value).utf8) != Array(claim.value.utf8) {
      let name = Self.nameOfSpelling(claim)
      changes.put(
        Document(
          collection: Collection.spellings.rawValue, id: name, sort: name, fields: [:],
          data: JSON.members(("spelling", .string(claim.value))).bytes()))
    }
    for claim in releases where Array(VisibleText.normal(claim.value).utf8) != Array(claim.value.utf8) {
      changes.delete(collection: Collection.spellings.rawValue, id: Self.nameOfSpelling(claim))
    }
  }

  private static func claims(of event: StoredEvent) throws -> (claims: [LabClaim], releases: [LabClaim]) {
    func both(_ event: some LabEvent) -> ([LabClaim], [LabClaim]) { (event.claims, event.releases) }
    let data = try JSON(parsing: event.data)
    return switch event.type.split(separator: ".").first {
    case "sample": both(try SampleEvent(type: event.type, data: data))
    case "allocation": both(try AllocationEvent(type: event.type, data: data))
    default: ([], [])
    }
  }

  private func show(_ loaded: LoadedAggregate<Sample>, in changes: inout ProjectionChanges) throws {
    guard let declaration = loaded.state.declaration else { return }
    let fields = [
      "status": loaded.state.status.rawValue, "type": declaration.type.rawValue,
      "patientId": VisibleText.normal(declaration.patientID ?? ""), "sagaId": loaded.sagaID ?? "",
    ]
    let data = loaded.json.bytes()
    let id = declaration.id.description
    changes.put(
      Document(
        collection: Collection.samples.rawValue, id: id, sort: loaded.createdAt.description, fields: fields, data: data)
    )
    changes.put(
      Document(
        collection: Collection.barcodes.rawValue, id: id, sort: VisibleText.normal(declaration.barcode.text),
        fields: fields,
        data: data))
  }

  private func show(_ loaded: LoadedAggregate<Allocation>, in changes: inout ProjectionChanges) throws {
    guard let request = loaded.state.request else { return }
    changes.put(
      Document(
        collection: Collection.allocations.rawValue, id: request.id.description, sort: loaded.createdAt.description,
        fields: [
          "status": loaded.state.status.rawValue, "sampleId": VisibleText.normal(request.sampleID),
          "sagaId": loaded.sagaID ?? "",
          "temperature": request.zone.rawValue, "stream": loaded.stream.description,
        ],
        data: loaded.json.bytes()))
  }

  private func show(_ loaded: LoadedAggregate<Run>, in changes: inout ProjectionChanges) throws {
    guard let request = loaded.state.request else { return }
    changes.put(
      Document(
        collection: Collection.runs.rawValue, id: request.id.description, sort: request.scheduledAt.description,
        fields: [
          "status": loaded.state.status.rawValue, "instrument": request.instrument,
          "sampleId": VisibleText.normal(request.sampleID ?? ""),
          "sagaId": loaded.sagaID ?? "",
        ],
        data: loaded.json.bytes()))
  }

  private func show(_ loaded: LoadedAggregate<Message>, in changes: inout ProjectionChanges) throws {
    guard let content = loaded.state.content else { return }
    changes.put(
      Document(
        collection: Collection.messages.rawValue, id: content.id.description, sort: loaded.createdAt.description,
        fields: [
          "recipient": content.recipient, "sampleId": VisibleText.normal(content.sampleID ?? ""),
          "sagaId": loaded.sagaID ?? "",
          "status": loaded.state.status.rawValue,
        ],
        data: loaded.json.bytes()))
  }

  private func show(_ loaded: LoadedAggregate<QualityDecision>, in changes: inout ProjectionChanges) throws {
    guard let evaluation = loaded.state.evaluation else { return }
    let id = QualityDecision.id(of: evaluation.barcode, in: evaluation.reservationID)
    changes.put(
      Document(
        collection: Collection.decisions.rawValue, id: id.description, sort: loaded.createdAt.description,
        fields: [
          "barcode": evaluation.barcode, "plate": evaluation.plate, "status": loaded.state.status.rawValue,
          "outcome": loaded.state.outcome?.rawValue ?? "", "sagaId": loaded.sagaID ?? "",
        ],
        data: loaded.json.bytes()))
  }

  private func show(_ loaded: LoadedAggregate<ReagentLot>, in changes: inout ProjectionChanges) throws {
    guard let content = loaded.state.content else { return }
    changes.put(
      Document(
        collection: Collection.lots.rawValue, id: ReagentLot.id(of: content.lot).description,
        sort: content.expiresOn.text,
        fields: ["stage": content.stage.rawValue, "status": loaded.state.status.rawValue], data: loaded.json.bytes()))
  }

  private func show(_ loaded: LoadedAggregate<PrepPlate>, in changes: inout ProjectionChanges) throws {
    guard let content = loaded.state.content else { return }
    changes.put(
      Document(
        collection: Collection.prepPlates.rawValue, id: content.id.description, sort: loaded.createdAt.description,
        fields: [
          "stage": content.stage.rawValue, "status": loaded.state.status.rawValue, "sagaId": loaded.sagaID ?? "",
        ],
        data: loaded.json.bytes()))
  }

  private func show(_ loaded: LoadedAggregate<Library>, in changes: inout ProjectionChanges) throws {
    guard let request = loaded.state.request else { return }
    changes.put(
      Document(
        collection: Collection.libraries.rawValue, id: request.id.description, sort: loaded.createdAt.description,
        fields: [
          "barcode": request.barcode, "sample": request.sample,
          "status": loaded.state.json["status"]?.stringValue ?? "",
          "plateId": loaded.state.place?.plateID.description ?? "", "sagaId": loaded.sagaID ?? "",
        ],
        data: loaded.json.bytes()))
  }

  private static func positions(of event: StoredEvent) throws -> [PositionName] {
    guard event.type.hasPrefix("allocation.") else { return [] }
    switch try AllocationEvent(type: event.type, data: JSON(parsing: event.data)) {
    case .allocated(_, let position), .stored(let position), .removed(let position), .released(let position, _):
      return [position]
    case .moved(let from, let to, _): return [from, to]
    case .undoneBefore, .undoNoted: return []
    }
  }

  private func show(_ position: PositionName, in changes: inout ProjectionChanges) async throws {
    let name = position.description
    let claim = try await store.claim(scope: LabClaim.Scope.position.rawValue, value: name)
    guard let claim else { return changes.delete(collection: Collection.positions.rawValue, id: name) }
    let loaded = try await LoadedAggregate<Allocation>(claim.stream, in: store)
    // The position was released after its claim was read. The event of that release comes later and updates it again.
    guard let request = loaded.state.request, loaded.state.holds, loaded.state.position == position else {
      return changes.delete(collection: Collection.positions.rawValue, id: name)
    }
    changes.put(
      Document(
        collection: Collection.positions.rawValue, id: name, sort: name,
        fields: [
          "temperature": request.zone.rawValue, "sampleId": VisibleText.normal(request.sampleID),
          "sagaId": loaded.sagaID ?? "",
          "status": loaded.state.status.rawValue,
        ],
        data: JSON.members(
          ("position", .string(name)), ("temperature", .string(request.zone.rawValue)),
          ("status", .string(loaded.state.status.rawValue)), ("allocationId", .text(request.id)),
          ("sampleId", .string(request.sampleID)), ("barcode", .text(request.barcode)), ("sagaId", .text(loaded.sagaID))
        ).bytes()))
  }
}

/// An aggregate's state with its saga, version and times.
private struct LoadedAggregate<A: Aggregate> {
  let stream: UniqueID
  var state = A.absent
  var version = 0
  var sagaID: String?
  var createdAt = Timestamp(milliseconds: 0)
  var changedAt = Timestamp(milliseconds: 0)

  init(_ stream: UniqueID, in store: any EventStore) async throws {
    self.stream = stream
    while true {
      let events = try await store.read(stream, after: version, limit: 500)
      for event in events {
        if version == 0 {
          sagaID = try JSON(parsing: event.meta)["correlationId"]?.stringValue
          createdAt = event.recordedAt
        }
        state = A.evolve(state, try A.Event(type: event.type, data: try JSON(parsing: event.data)))
        version = event.version
        changedAt = event.recordedAt
      }
      if events.count < 500 { return }
    }
  }

  var json: JSON {
    guard case .object(var members) = state.json else { return state.json }
    if let sagaID { members["sagaId"] = .string(sagaID) }
    members["version"] = .int(version)
    members["createdAt"] = .string(createdAt.description)
    members["changedAt"] = .string(changedAt.description)
    return .object(members)
  }
}
