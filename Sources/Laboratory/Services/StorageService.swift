import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The storage service: its commands, and its queries over HTTP, under `/storage`.
struct StorageService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  let queries: LabQueries
  let layout: LaboratoryLayout
  let places: FreePlaces<PositionName>

  var commands: [ServiceCommand] {
    let content = "/allocations/{allocationId}/content"
    let position = "/allocations/{allocationId}/position"
    return [
      ServiceCommand(.storage, "allocate", "PUT /allocations/{allocationId}", "POST /allocations") {
        try await allocate($0)
      },
      ServiceCommand(.storage, "release", "DELETE /allocations/{allocationId}") {
        try await undo($0, creates: true, .release)
      },
      ServiceCommand(.storage, "store", "PUT \(content)", "POST \(content)") { try await store($0) },
      ServiceCommand(.storage, "remove", "DELETE \(content)") { try await undo($0, creates: false, .remove) },
      ServiceCommand(.storage, "move", "POST \(position)", "PUT \(position)") { try await move($0) },
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/storage/allocations/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let allocation = try await commandHandler.load(Allocation.self, id).state
        guard allocation.request != nil else { throw LabRefusal.unknown("allocation", id.description) }
        return allocation.json
      }
    }
    router.on("GET", "/storage/allocations/{id}/events") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let history = try await commandHandler.history(Allocation.self, id)
        guard !history.isEmpty else { throw LabRefusal.unknown("allocation", id.description) }
        return try StoredHistory.json(history)
      }
    }
    router.on("GET", "/storage/allocations") { request, _ in
      try await gate.query {
        var wanted = LabQueries.Wanted(collection: .allocations)
        for name in ["sampleId", "sagaId", "status"] {
          wanted.fields[name] = request.query(name).map(VisibleText.normal)
        }
        return try await queries.list(wanted, request).json
      }
    }
    router.on("GET", "/storage/positions") { request, _ in
      try await gate.query {
        var wanted = LabQueries.Wanted(collection: .positions)
        for name in ["sampleId", "sagaId", "status"] {
          wanted.fields[name] = request.query(name).map(VisibleText.normal)
        }
        return try await queries.list(wanted, request).json
      }
    }
    router.on("GET", "/storage/capacity") { _, _ in try await gate.query { await capacity() } }
    router.on("GET", "/storage/free") { request, _ in try await gate.query { try await free(request) } }
  }

  // MARK: Commands

  private func allocate(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let sampleID = fields.identifier("sampleId", longest: 100)
    let barcode = fields.optionalIdentifier("barcode", longest: Barcode.longest)
    let type = fields.sampleType()
    let zone = fields.zone()
    let volume = fields.volume()
    let request = Allocation.Request(
      id: try received.id(Self.id), sampleID: sampleID, barcode: barcode, type: try fields.checked(type),
      zone: try fields.checked(zone), volume: try fields.checked(volume))
    // Answer a repeat, and refuse an impossible request, before a position is looked for.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let state = try await commandHandler.load(Allocation.self, request.id).state
    do throws(LabRefusal) {
      try Allocation.accept(request, state)
    } catch {
      if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
      throw error
    }
    let boxes = boxes(in: request.zone, for: request.volume)
    return try await holding(in: boxes) { position in
      try await commandHandler.perform(
        .allocate(request, position: position), received.call, on: request.id, as: Allocation.self, status: 201)
    } orElse: {
      LabRefusal(
        LabErrorCode.storageFull, status: 409,
        "No position at \(request.zone.rawValue) is free that takes \(request.volume).")
    }
  }

  /// Takes positions until one is claimed.
  private func holding(
    in boxes: [String], _ claim: (PositionName) async throws -> (answer: Answer, repeated: Bool),
    orElse full: () -> LabRefusal
  ) async throws -> Answer {
    while let position = await places.take(from: boxes) {
      do {
        let (answer, repeated) = try await claim(position)
        await places.settle(position, held: !repeated)
        return answer
      } catch let refusal as LabRefusal where refusal.code == LabErrorCode.positionTaken {
        await places.settle(position, held: true)
      } catch {
        // If the position is held, its claim refuses the next attempt.
        await places.settle(position, held: false)
        throw error
      }
    }
    throw full()
  }

  private func store(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let sampleID = fields.optionalText("sampleId", longest: 100)
    let barcode = fields.optionalText("barcode", longest: 50)
    try fields.check()
    return try await commandHandler.perform(
      .store(sampleID: sampleID, barcode: barcode), received.call, on: received.id(Self.id), as: Allocation.self,
      status: 200
    ).answer
  }

  private func move(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let named = fields.has("position") ? fields.optionalText("position") : nil
    let zone = fields.has("temperature") ? fields.zone() : nil
    let target = named.flatMap { PositionName($0) }
    let location = target.flatMap { layout.location(ofBox: $0.box) }
    if named != nil, location == nil {
      fields.refuse("position", "must be a position of the storage, as F80-1/B01/A01")
    }
    try fields.check()
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let id = try received.id(Self.id)
    let before = try await commandHandler.load(Allocation.self, id).state
    if let target, let location {
      if let volume = before.request?.volume, volume > location.largestTube {
        throw LabRefusal(
          LabErrorCode.allocationState, status: 409, "\(location.name) takes tubes of up to \(location.largestTube).")
      }
      return try await commandHandler.perform(
        .move(to: target, zone: location.zone), received.call, on: id, as: Allocation.self, status: 200
      ).answer
    } else {
      guard let request = before.request, before.holds else { throw before.nothingHeld(id) }
      let zone = zone ?? request.zone
      try Allocation.checkZone(zone, request.type)
      return try await holding(in: boxes(in: zone, for: request.volume)) { position in
        try await commandHandler.perform(
          .move(to: position, zone: zone), received.call, on: id, as: Allocation.self, status: 200)
      } orElse: {
        LabRefusal(LabErrorCode.storageFull, status: 409, "No position at \(zone.rawValue) is free.")
      }
    }
  }

  private func undo(
    _ received: ReceivedCommand, creates: Bool, _ command: Allocation.Command
  ) async throws -> Answer {
    try await commandHandler.undo(
      command, received.call, on: received.id(Self.id), as: Allocation.self, creates: creates)
  }

  private static let id = "allocationId"

  // MARK: Queries

  /// Returns the boxes of a zone that take a tube, boxes for smaller tubes first.
  private func boxes(in zone: Zone, for volume: Volume) -> [String] {
    layout.locations.filter { $0.zone == zone && $0.largestTube >= volume }
      .sorted { $0.largestTube < $1.largestTube }
      .flatMap(\.boxNames)
  }

  private func capacity() async -> JSON {
    var locations: [JSON] = []
    var zones: [Zone: (total: Int, free: Int)] = [:]
    for location in layout.locations {
      var free = 0
      for box in location.boxNames { free += await places.freeCount(in: box) }
      let total = location.boxes * PositionName.wellsPerBox
      zones[location.zone, default: (0, 0)].total += total
      zones[location.zone, default: (0, 0)].free += free
      locations.append([
        "location": .string(location.name), "temperature": .string(location.zone.rawValue),
        "boxes": .int(location.boxes), "positions": .int(total), "free": .int(free), "held": .int(total - free),
        "largestTubeMl": location.largestTube.json,
      ])
    }
    return [
      "zones": .array(
        Zone.allCases.compactMap { zone in
          zones[zone].map {
            [
              "temperature": .string(zone.rawValue), "positions": .int($0.total), "free": .int($0.free),
              "held": .int($0.total - $0.free),
            ]
          }
        }),
      "locations": .array(locations),
    ]
  }

  private func free(_ request: HTTPServerRequest) async throws -> JSON {
    var fields = try Fields(
      .members(
        ("type", .text(request.query("type"))), ("temperature", .text(request.query("temperature"))),
        ("volumeMl", request.query("volumeMl").flatMap { try? JSON(parsing: $0) })))
    let type = fields.sampleType()
    let zone = fields.zone()
    let volume = fields.volume()
    let limit = try LabQueries.limit(request)
    let wantedZone = try fields.checked(zone)
    try Allocation.checkZone(wantedZone, try fields.checked(type))
    var found: [PositionName] = []
    var count = 0
    for box in boxes(in: wantedZone, for: try fields.checked(volume)) {
      let places = await places.free(in: box)
      count += places.count
      found += places.prefix(limit - found.count)
    }
    return ["free": .int(count), "positions": .array(found.map { .string($0.description) })]
  }
}
