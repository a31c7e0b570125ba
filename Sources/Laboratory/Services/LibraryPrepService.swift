import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The library preparation service: its commands, under `/library-prep`. `LibraryPrepService+Queries.swift` has its queries.
///
/// Lots and tag plates are named by their number and barcode. Plates and libraries have ids.
struct LibraryPrepService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  let queries: LabQueries
  /// How long a robot takes for one stage.
  let robotTime: Duration
  /// How long the analyzer takes, once a library's quality control is booked.
  let measurementTime: Duration

  var commands: [ServiceCommand] { lotCommands + tagPlateCommands + plateCommands + libraryCommands }

  static let reservationID = "reservationId"
  static let plateID = "plateId"
  static let libraryID = "libraryId"

  var now: Timestamp { commandHandler.environment.now() }

  /// Returns a barcode or a lot's number in normalization form C.
  static func name(_ text: String?, _ name: String) throws(LabRefusal) -> String {
    guard let barcode = Barcode(text ?? "") else {
      throw .invalid([LabRefusal.Place(pointer: "/\(name)", message: Barcode.rule)])
    }
    return barcode.text
  }

  private static func name(_ received: ReceivedCommand, _ name: String) throws(LabRefusal) -> String {
    try self.name(received.parameters[name], name)
  }

  // MARK: Lots

  private var lotCommands: [ServiceCommand] {
    let reservation = "/lots/{lot}/reservations/{reservationId}"
    return [
      ServiceCommand(.libraryPrep, "receiveLot", "PUT /lots/{lot}") { try await receiveLot($0) },
      ServiceCommand(.libraryPrep, "discardLot", "POST /lots/{lot}/discard", "PUT /lots/{lot}/discard") { received in
        let lot = try Self.name(received, "lot")
        return try await commandHandler.perform(
          .discard, received.call, on: ReagentLot.id(of: lot), as: ReagentLot.self, status: 200
        ).answer
      },
      ServiceCommand(.libraryPrep, "reserveLot", "PUT \(reservation)", "POST /lots/{lot}/reservations") {
        try await reserveLot($0)
      },
      ServiceCommand(.libraryPrep, "releaseLot", "DELETE \(reservation)") { received in
        let lot = try Self.name(received, "lot")
        let id = try received.id(Self.reservationID)
        return try await commandHandler.undo(
          received.call, on: ReagentLot.id(of: lot), as: ReagentLot.self, creates: false
        ) { (state) throws(LabRefusal) in
          try ReagentLot.decide(.release(id: id), state)
        } answer: {
          Answer(status: 200, body: $0.json(of: id))
        }
      },
      ServiceCommand(.libraryPrep, "consumeLot", "POST \(reservation)/consumption", "PUT \(reservation)/consumption") {
        received in
        let id = try received.id(Self.reservationID)
        return try await perform(received, id, .consume(id: id, at: now), status: 200)
      },
    ]
  }

  private func receiveLot(_ received: ReceivedCommand) async throws -> Answer {
    let lot = try Self.name(received, "lot")
    var fields = try Fields(received.body)
    let stage = fields.stage()
    let expiresOn = fields.lastDay("expiresOn")
    let reactions = fields.reactions()
    let content = ReagentLot.Content(
      lot: lot, stage: try fields.checked(stage), expiresOn: try fields.checked(expiresOn),
      reactions: try fields.checked(reactions))
    return try await commandHandler.perform(
      .receive(content), received.call, on: ReagentLot.id(of: lot), as: ReagentLot.self, status: 201
    ).answer
  }

  private func reserveLot(_ received: ReceivedCommand) async throws -> Answer {
    let id = try received.id(Self.reservationID)
    var fields = try Fields(received.body)
    let wantedStage = fields.stage()
    let wanted = fields.reactions()
    let stage = try fields.checked(wantedStage)
    let reactions = try fields.checked(wanted)
    return try await perform(received, id, .reserve(id: id, stage: stage, reactions: reactions, at: now), status: 201)
  }

  /// Carries out a command on a lot and answers with its reservation.
  private func perform(
    _ received: ReceivedCommand, _ id: UniqueID, _ command: ReagentLot.Command, status: Int
  ) async throws -> Answer {
    let lot = try Self.name(received, "lot")
    return try await commandHandler.perform(received.call, on: ReagentLot.id(of: lot), as: ReagentLot.self) {
      (state) throws(LabRefusal) in
      try ReagentLot.decide(command, state)
    } answer: {
      Answer(status: status, body: $0.json(of: id))
    }.answer
  }

  // MARK: Tag plates

  private var tagPlateCommands: [ServiceCommand] {
    let plate = "/tag-plates/{tagPlate}"
    let reservation = "\(plate)/reservations/{reservationId}"
    return [
      ServiceCommand(.libraryPrep, "receiveTagPlate", "PUT \(plate)") { try await receiveTagPlate($0) },
      ServiceCommand(.libraryPrep, "discardTagPlate", "POST \(plate)/discard", "PUT \(plate)/discard") { received in
        let name = try Self.name(received, "tagPlate")
        return try await commandHandler.perform(
          .discard, received.call, on: TagPlate.id(of: name), as: TagPlate.self, status: 200
        ).answer
      },
      ServiceCommand(.libraryPrep, "reserveTagPlate", "PUT \(reservation)", "POST \(plate)/reservations") { received in
        let id = try received.id(Self.reservationID)
        return try await perform(received, id, .reserve(id: id, at: now), status: 201)
      },
      ServiceCommand(.libraryPrep, "releaseTagPlate", "DELETE \(reservation)") { received in
        let name = try Self.name(received, "tagPlate")
        let id = try received.id(Self.reservationID)
        return try await commandHandler.undo(
          received.call, on: TagPlate.id(of: name), as: TagPlate.self, creates: false
        ) { (state) throws(LabRefusal) in
          try TagPlate.decide(.release(id: id), state)
        } answer: {
          Answer(status: 200, body: $0.json(of: id))
        }
      },
      ServiceCommand(
        .libraryPrep, "consumeTagPlate", "POST \(reservation)/consumption", "PUT \(reservation)/consumption"
      ) {
        try await consumeTagPlate($0)
      },
    ]
  }

  private func receiveTagPlate(_ received: ReceivedCommand) async throws -> Answer {
    let name = try Self.name(received, "tagPlate")
    var fields = try Fields(received.body)
    let kit = fields.named("set", TagPair.Kit.allCases.map(\.rawValue)) { TagPair.Kit(rawValue: $0) }
    let expiresOn = fields.lastDay("expiresOn")
    let content = TagPlate.Content(
      barcode: name, kit: try fields.checked(kit), expiresOn: try fields.checked(expiresOn))
    return try await commandHandler.perform(
      .receive(content), received.call, on: TagPlate.id(of: name), as: TagPlate.self, status: 201
    ).answer
  }

  /// Spends the tags. The robot starts the PCR of the plate on whose bed the tag plate is.
  private func consumeTagPlate(_ received: ReceivedCommand) async throws -> Answer {
    let name = try Self.name(received, "tagPlate")
    let id = try received.id(Self.reservationID)
    var fields = try Fields(received.body)
    let wanted = fields.id(Self.plateID)
    let plateID = try fields.checked(wanted)
    // The plate may be discarded since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let plate = try await commandHandler.load(PrepPlate.self, plateID).state
    _ = try plate.present()
    guard plate.status == .checked, plate.bed?.tagPlate == name else {
      throw PrepPlate.bedWrong("Plate \(plateID) is not on a robot's bed with tag plate \(name).")
    }
    return try await perform(
      received, id, .consume(TagPlate.Use(reservationID: id, plateID: plateID, at: now)), status: 200)
  }

  /// Carries out a command on a tag plate and answers with its reservation.
  private func perform(
    _ received: ReceivedCommand, _ id: UniqueID, _ command: TagPlate.Command, status: Int
  ) async throws -> Answer {
    let name = try Self.name(received, "tagPlate")
    return try await commandHandler.perform(received.call, on: TagPlate.id(of: name), as: TagPlate.self) {
      (state) throws(LabRefusal) in
      try TagPlate.decide(command, state)
    } answer: {
      Answer(status: status, body: $0.json(of: id))
    }.answer
  }

  // MARK: Plates

  private var plateCommands: [ServiceCommand] {
    let plate = "/plates/{plateId}"
    return [
      ServiceCommand(.libraryPrep, "makePlate", "PUT \(plate)", "POST /plates") { try await makePlate($0) },
      ServiceCommand(.libraryPrep, "discardPlate", "DELETE \(plate)") { received in
        let id = try received.id(Self.plateID)
        return try await commandHandler.undo(.discard, received.call, on: id, as: PrepPlate.self, creates: true)
      },
      ServiceCommand(.libraryPrep, "checkBed", "POST \(plate)/bed", "PUT \(plate)/bed") { try await checkBed($0) },
      ServiceCommand(.libraryPrep, "reportRobot", "POST \(plate)/reports") { try await reportRobot($0) },
    ]
  }

  private func makePlate(_ received: ReceivedCommand) async throws -> Answer {
    let id = try received.id(Self.plateID)
    var fields = try Fields(received.body)
    let wantedStage = fields.stage()
    let stage = try fields.checked(wantedStage)
    var content = PrepPlate.Content(id: id, stage: stage, parent: nil, wells: [])
    guard let previous = stage.previous else {
      content.wells = try fields.wells()
      return try await make(content, received)
    }
    let wanted = fields.id("parent")
    let parentID = try fields.checked(wanted)
    // The parent may be discarded since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let parent = try await commandHandler.load(PrepPlate.self, parentID).state
    let source = try parent.present()
    guard source.stage == previous, try await progress(of: parent) == .done else {
      throw PrepPlate.wrongState(
        "Plate \(parentID) can't be the parent: its stage must be \(previous.rawValue), and its robot must be done.")
    }
    content.parent = parentID
    content.wells = source.wells
    return try await make(content, received)
  }

  private func make(_ content: PrepPlate.Content, _ received: ReceivedCommand) async throws -> Answer {
    try await commandHandler.perform(
      .make(content), received.call, on: content.id, as: PrepPlate.self, status: 201
    ).answer
  }

  private func checkBed(_ received: ReceivedCommand) async throws -> Answer {
    let id = try received.id(Self.plateID)
    var fields = try Fields(received.body)
    let robot = fields.identifier("robot", longest: 100)
    let tagPlate = fields.has("tagPlate") ? fields.barcode("tagPlate")?.text : nil
    try fields.check()
    // The tags may be spent since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    if let tagPlate {
      let tags = try await commandHandler.load(TagPlate.self, TagPlate.id(of: tagPlate)).state
      guard tags.status == .reserved else {
        throw PrepPlate.bedWrong(
          "Tag plate \(tagPlate) on the bed of \(robot) is not reserved: it is \(tags.status.rawValue).")
      }
    }
    let bed = PrepPlate.Bed(robot: robot, tagPlate: tagPlate, at: now)
    return try await commandHandler.perform(
      .checkBed(bed), received.call, on: id, as: PrepPlate.self, status: 200
    ).answer
  }

  /// Records the end of the robot's work (`isDone`), or the `error` with which it failed.
  private func reportRobot(_ received: ReceivedCommand) async throws -> Answer {
    let id = try received.id(Self.plateID)
    var fields = try Fields(received.body)
    let command: PrepPlate.Command
    if let error = fields.optionalText("error", longest: 500) {
      try fields.check()
      command = .fail(error: error)
    } else {
      let isDone = fields.read("isDone", "must be true", isRequired: true) { $0.boolValue == true ? true : nil }
      _ = try fields.checked(isDone)
      command = .finish
    }
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let plate = try await commandHandler.load(PrepPlate.self, id).state
    switch try await progress(of: plate) {
    case .running, nil: break
    case .waiting: throw PrepPlate.wrongState("The robot of plate \(id) waits until its tags are spent.")
    case .done: throw PrepPlate.wrongState("The robot of plate \(id) is already done.")
    }
    return try await commandHandler.perform(
      command, received.call, on: id, as: PrepPlate.self, status: 201
    ).answer
  }

  /// Returns how far the robot of a plate is; nil while the plate is not on a robot, and after a failure.
  func progress(of plate: PrepPlate) async throws -> PrepPlate.Progress? {
    var tags: TagPlate?
    if let name = plate.bed?.tagPlate {
      tags = try await commandHandler.load(TagPlate.self, TagPlate.id(of: name)).state
    }
    return plate.progress(at: now, time: robotTime, tags: tags)
  }

  // MARK: Libraries

  private var libraryCommands: [ServiceCommand] {
    let library = "/libraries/{libraryId}"
    return [
      ServiceCommand(.libraryPrep, "startLibrary", "PUT \(library)", "POST /libraries") { received in
        var fields = try Fields(received.body)
        let barcode = fields.barcode()
        let sample = fields.barcode("sample")
        let request = Library.Request(
          id: try received.id(Self.libraryID), barcode: try fields.checked(barcode).text,
          sample: try fields.checked(sample).text)
        return try await perform(received, .start(request), status: 201)
      },
      ServiceCommand(.libraryPrep, "cancelLibrary", "DELETE \(library)") { received in
        let id = try received.id(Self.libraryID)
        return try await commandHandler.undo(.cancel, received.call, on: id, as: Library.self, creates: true)
      },
      ServiceCommand(.libraryPrep, "makeLibrary", "POST \(library)/well", "PUT \(library)/well") {
        try await makeLibrary($0)
      },
      ServiceCommand(.libraryPrep, "bookLibraryQC", "POST \(library)/qc", "PUT \(library)/qc") { received in
        var fields = try Fields(received.body)
        let limits = try LibraryLimits(&fields)
        return try await perform(received, .bookQC(Library.Booking(limits: limits, bookedAt: now)), status: 202)
      },
      ServiceCommand(.libraryPrep, "recordLibraryQC", "POST \(library)/qc/result", "PUT \(library)/qc/result") {
        received in
        var fields = try Fields(received.body)
        let reading = try LibraryReading(&fields)
        let id = try received.id(Self.libraryID)
        return try await commandHandler.perform(received.call, on: id, as: Library.self) {
          (state) throws(LabRefusal) in
          try Library.decide(.record(reading), shown(state))
        } answer: {
          Answer(status: 200, body: $0.json)
        }.answer
      },
    ]
  }

  /// Records the well of a library and its tags. The tags are those of the same well of the tag plate.
  private func makeLibrary(_ received: ReceivedCommand) async throws -> Answer {
    let id = try received.id(Self.libraryID)
    var fields = try Fields(received.body)
    let wantedPlate = fields.id(Self.plateID)
    let wantedTags = fields.barcode("tagPlate")
    let plateID = try fields.checked(wantedPlate)
    let tagPlate = try fields.checked(wantedTags).text
    // The plate may be discarded since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let request = try await commandHandler.load(Library.self, id).state.present()
    let plate = try await commandHandler.load(PrepPlate.self, plateID).state
    let content = try plate.present()
    guard content.stage == .cleanup, try await progress(of: plate) == .done else {
      throw PrepPlate.wrongState("Plate \(plateID) has no libraries: its clean-up is not done.")
    }
    guard let well = content.wells.first(where: { $0.library == request.barcode && $0.sample == request.sample }) else {
      throw LabRefusal.unknown("well of library", request.barcode)
    }
    let tags = try await commandHandler.load(TagPlate.self, TagPlate.id(of: tagPlate)).state
    guard let use = tags.use, use.plateID == content.parent, let pair = tags.pair(of: well.name) else {
      throw Library.wrongState("The tags of plate \(tagPlate) were not spent on the libraries of plate \(plateID).")
    }
    let place = Library.Place(plateID: plateID, well: well.name, tagPlate: tagPlate, tags: pair)
    return try await perform(received, .make(place), status: 201)
  }

  private func perform(
    _ received: ReceivedCommand, _ command: Library.Command, status: Int
  ) async throws -> Answer {
    try await commandHandler.perform(
      command, received.call, on: received.id(Self.libraryID), as: Library.self, status: status
    ).answer
  }

  /// Returns the library that was prepared under a barcode, as the analyzer shows it; nil when there is none.
  func prepared(_ barcode: String) async throws -> Library? {
    let scope = LabClaim.Scope.library.rawValue
    guard let claim = try await commandHandler.store.claim(scope: scope, value: barcode) else { return nil }
    var library = Library.absent
    for event in try await commandHandler.history(claim.stream) {
      // The claim of a library from elsewhere is in the stream of its stock.
      guard event.type.hasPrefix("library.") else { return nil }
      library = Library.evolve(library, try LibraryEvent(type: event.type, data: try JSON(parsing: event.data)))
    }
    return shown(library)
  }

  func shown(_ library: Library) -> Library { library.measured(at: now, time: measurementTime) }
}

extension Fields {
  fileprivate mutating func reactions() -> Int? {
    let most = ReagentLot.most
    return read("reactions", "must be an integer from 1 to \(most)", isRequired: true) { value in
      value.intValue.flatMap { (1...most).contains($0) ? $0 : nil }
    }
  }

  /// Reads `wells`: an object with `sample` and `library` for each well, in the order of the wells.
  fileprivate mutating func wells() throws(LabRefusal) -> [PrepPlate.Well] {
    let most = PositionName.wellsPerBox
    let elements = read("wells", "must be a list of 1 to \(most) objects", isRequired: true) { value in
      value.arrayValue.flatMap { (1...most).contains($0.count) ? $0 : nil }
    }
    var wells: [PrepPlate.Well] = []
    var known: Set<String> = []
    for (index, element) in (elements ?? []).enumerated() {
      let place = JSONPointer.root.appending(.name("wells")).appending(.index(index))
      let texts = ["sample", "library"].compactMap { name -> String? in
        if let barcode = element[name]?.stringValue.flatMap({ Barcode($0) }) { return barcode.text }
        noteWrong(place.appending(.name(name)), Barcode.rule, nearName: nil)
        return nil
      }
      guard texts.count == 2 else { continue }
      if !known.insert(texts[1]).inserted {
        noteWrong(place.appending(.name("library")), "comes twice", nearName: nil)
      }
      wells.append(
        PrepPlate.Well(name: PositionName(box: "", well: index).wellName, sample: texts[0], library: texts[1]))
    }
    try check()
    return wells
  }
}
