import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The service that mixes libraries to pools: its commands, and its queries over HTTP, under `/pooling`.
///
/// A library is named by its barcode. Its locks and its dilutions are named by the pool that they are for.
struct PoolingService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  /// Has the libraries that the laboratory prepared.
  let libraryPrep: LibraryPrepService

  /// The most libraries of a pool.
  private static let mostLibraries = 384
  /// The most lanes of a sample sheet.
  private static let mostLanes = 8
  private static let poolID = "poolId"

  var commands: [ServiceCommand] { libraryCommands + poolCommands }

  private var libraryCommands: [ServiceCommand] {
    let library = "/libraries/{barcode}"
    let lock = "\(library)/locks/{poolId}"
    let dilution = "\(library)/dilutions/{poolId}"
    return [
      ServiceCommand(.pooling, "receiveLibrary", "PUT \(library)") { try await receiveLibrary($0) },
      ServiceCommand(.pooling, "discardLibrary", "DELETE \(library)") {
        try await undo($0, creates: true, .discard)
      },
      ServiceCommand(.pooling, "lockLibrary", "PUT \(lock)") { received in
        try await perform(received, 201, .lock(pool: try received.id(Self.poolID)))
      },
      ServiceCommand(.pooling, "unlockLibrary", "DELETE \(lock)") { received in
        try await undo(received, creates: false, .unlock(pool: try received.id(Self.poolID)))
      },
      ServiceCommand(.pooling, "diluteLibrary", "PUT \(dilution)") { try await diluteLibrary($0) },
      ServiceCommand(.pooling, "discardDilution", "DELETE \(dilution)") { received in
        let pool = try received.id(Self.poolID)
        let prepared = try await preparedForUndo(received)
        return try await commandHandler.undo(
          received.call, on: try Self.stockID(received), as: LibraryStock.self, creates: false
        ) { (stock) throws(LabRefusal) in
          try LibraryStock.decide(.discardDilution(pool: pool), stock.showing(prepared))
        } answer: {
          Answer(status: 200, body: $0.showing(prepared).json(ofDilutionFor: pool))
        }
      },
    ]
  }

  private var poolCommands: [ServiceCommand] {
    let pool = "/pools/{poolId}"
    return [
      ServiceCommand(.pooling, "openPool", "PUT \(pool)", "POST /pools") { received in
        var fields = try Fields(received.body)
        let label = fields.identifier("name", longest: 100)
        try fields.check()
        return try await perform(received, 201, .open(id: try received.id(Self.poolID), label: label))
      },
      ServiceCommand(.pooling, "dissolvePool", "DELETE \(pool)") { received in
        let id = try received.id(Self.poolID)
        return try await commandHandler.undo(.dissolve, received.call, on: id, as: Pool.self, creates: true)
      },
      ServiceCommand(.pooling, "checkIndexes", "POST \(pool)/index-check", "PUT \(pool)/index-check") {
        try await checkIndexes($0)
      },
      ServiceCommand(.pooling, "mixPool", "POST \(pool)/mix", "PUT \(pool)/mix") { try await mixPool($0) },
      ServiceCommand(.pooling, "recordQPCR", "POST \(pool)/qpcr", "PUT \(pool)/qpcr") { received in
        var fields = try Fields(received.body)
        let nM = fields.amount("nM", isRequired: true)
        return try await perform(received, 200, .measure(nM: try fields.checked(nM)))
      },
      ServiceCommand(.pooling, "writeSampleSheet", "PUT \(pool)/sample-sheet", "POST \(pool)/sample-sheet") {
        try await writeSampleSheet($0)
      },
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/pooling/libraries/{barcode}") { _, path in
      try await gate.query {
        let barcode = try Self.barcode(path.value("barcode"))
        return try await stock(barcode).json
      }
    }
    router.on("GET", "/pooling/pools/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let pool = try await commandHandler.load(Pool.self, id).state
        guard pool.id != nil else { throw LabRefusal.unknown("pool", id.description) }
        return pool.json
      }
    }
  }

  /// Returns the barcode of a library in normalization form C.
  private static func barcode(_ text: String) throws(LabRefusal) -> String {
    guard let barcode = Barcode(text) else {
      throw .invalid([LabRefusal.Place(pointer: "/barcode", message: Barcode.rule)])
    }
    return barcode.text
  }

  private static func stockID(_ received: ReceivedCommand) throws(LabRefusal) -> UniqueID {
    LibraryStock.id(of: try barcode(received.parameters["barcode"] ?? ""))
  }

  // MARK: Libraries

  private func receiveLibrary(_ received: ReceivedCommand) async throws -> Answer {
    let barcode = try Self.barcode(received.parameters["barcode"] ?? "")
    var fields = try Fields(received.body)
    let indexes = fields.indexes()
    let ngPerUl = fields.amount("ngPerUl", atMost: Amount.most)
    let longest = LibraryStock.longest
    let sizeBp = fields.read("sizeBp", "must be an integer from 1 to \(longest)", isRequired: true) { value in
      value.intValue.flatMap { (1...longest).contains($0) ? $0 : nil }
    }
    let volumeUl = fields.amount("volumeUl", atMost: Amount.most)
    let content = LibraryStock.Content(
      barcode: barcode, indexes: try fields.checked(indexes),
      reading: LibraryReading(ngPerUl: try fields.checked(ngPerUl), sizeBp: try fields.checked(sizeBp)),
      volumeUl: try fields.checked(volumeUl))
    // The claim of its barcode refuses a library that the laboratory prepared.
    return try await commandHandler.perform(
      .receive(content), received.call, on: LibraryStock.id(of: barcode), as: LibraryStock.self, status: 201
    ).answer
  }

  private func diluteLibrary(_ received: ReceivedCommand) async throws -> Answer {
    let pool = try received.id(Self.poolID)
    var fields = try Fields(received.body)
    let concentration = fields.amount("nM", atMost: Dilution.mostNM)
    let volume = fields.amount("volumeUl", atMost: Dilution.mostUl)
    let (nM, volumeUl) = (try fields.checked(concentration), try fields.checked(volume))
    let prepared = try await prepared(received)
    return try await commandHandler.perform(
      received.call, on: try Self.stockID(received), as: LibraryStock.self
    ) { (stock) throws(LabRefusal) in
      try LibraryStock.decide(.dilute(pool: pool, nM: nM, volumeUl: volumeUl), stock.showing(prepared))
    } answer: {
      Answer(status: 201, body: $0.showing(prepared).json(ofDilutionFor: pool))
    }.answer
  }

  private func perform(
    _ received: ReceivedCommand, _ status: Int, _ command: LibraryStock.Command
  ) async throws -> Answer {
    let prepared = try await prepared(received)
    return try await commandHandler.perform(
      received.call, on: try Self.stockID(received), as: LibraryStock.self
    ) { (stock) throws(LabRefusal) in
      try LibraryStock.decide(command, stock.showing(prepared))
    } answer: {
      Answer(status: status, body: $0.showing(prepared).json)
    }.answer
  }

  private func undo(
    _ received: ReceivedCommand, creates: Bool, _ command: LibraryStock.Command
  ) async throws -> Answer {
    let prepared = try await preparedForUndo(received)
    return try await commandHandler.undo(
      received.call, on: try Self.stockID(received), as: LibraryStock.self, creates: creates
    ) { (stock) throws(LabRefusal) in
      try LibraryStock.decide(command, stock.showing(prepared))
    } answer: {
      Answer(status: 200, body: $0.showing(prepared).json)
    }
  }

  /// Returns what library preparation has of the library of an undo. A library that pools can't take has nothing to undo.
  private func preparedForUndo(_ received: ReceivedCommand) async throws -> LibraryStock.Content? {
    do { return try await prepared(received) } catch is LabRefusal { return nil }
  }

  /// Returns what library preparation has of the library of a command; nil for a library from elsewhere, and for one that
  /// is unknown.
  private func prepared(_ received: ReceivedCommand) async throws -> LibraryStock.Content? {
    // A repeat gets its first answer, whatever became of the library since then.
    if try await commandHandler.firstAnswer(to: received.call) != nil { return nil }
    return try await prepared(try Self.barcode(received.parameters["barcode"] ?? ""))
  }

  private func prepared(_ barcode: String) async throws -> LibraryStock.Content? {
    try await libraryPrep.prepared(barcode)?.poolable()
  }

  // MARK: Pools

  private func perform(
    _ received: ReceivedCommand, _ status: Int, _ command: Pool.Command
  ) async throws -> Answer {
    try await commandHandler.perform(
      command, received.call, on: received.id(Self.poolID), as: Pool.self, status: status
    ).answer
  }

  private func stock(_ barcode: String) async throws -> LibraryStock {
    let stored = try await commandHandler.load(LibraryStock.self, LibraryStock.id(of: barcode)).state
    let stock = stored.content == nil ? stored.showing(try await prepared(barcode)) : stored
    guard stock.content != nil else { throw LabRefusal.unknown("library", barcode) }
    return stock
  }

  private func checkIndexes(_ received: ReceivedCommand) async throws -> Answer {
    let id = try received.id(Self.poolID)
    var fields = try Fields(received.body)
    let barcodes = fields.barcodes(atMost: Self.mostLibraries)
    let least = fields.integer("leastDistance", from: 1, isRequired: true)
    let leastDistance = try fields.checked(least)
    // The libraries may be unlocked since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    var members: [Pool.Member] = []
    for barcode in barcodes {
      let stock = try await stock(barcode)
      try stock.requireLocked(for: id)
      members.append(Pool.Member(barcode: barcode, indexes: try stock.present().indexes))
    }
    return try await perform(received, 200, .check(members, leastDistance: leastDistance))
  }

  private func mixPool(_ received: ReceivedCommand) async throws -> Answer {
    let id = try received.id(Self.poolID)
    var fields = try Fields(received.body)
    let approvedBy = fields.identifier("approvedBy", longest: 320)
    try fields.check()
    // The libraries may be discarded since the first time.
    if let first = try await commandHandler.firstAnswer(to: received.call) { return first }
    let pool = try await commandHandler.load(Pool.self, id).state
    try pool.requirePresent()
    var volume = 0
    for member in pool.members {
      guard let draw = try await stock(member.barcode).draw(for: id), !draw.isDiscarded else {
        throw LabRefusal(
          LabErrorCode.libraryNotDiluted, status: 409, "Library \(member.barcode) is not diluted for pool \(id).")
      }
      volume += draw.dilution.volumeUl.thousandths
    }
    let mix = Pool.Mix(
      approvedBy: approvedBy, volumeUl: Amount(thousandths: volume), mixedAt: commandHandler.environment.now())
    return try await perform(received, 200, .mix(mix))
  }

  private func writeSampleSheet(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let most = Self.mostLanes
    let lanes = fields.read(
      "lanes", "must be a list of 1 to \(most) lanes of one flow cell, each once, as FC-7/1", isRequired: true
    ) { value -> [LaneName]? in
      guard let lanes = value.elements({ $0.stringValue.flatMap { LaneName($0) } }), (1...most).contains(lanes.count),
        Set(lanes).count == lanes.count, Set(lanes.map(\.flowCell)).count == 1
      else { return nil }
      return lanes
    }
    return try await perform(received, 201, .writeSheet(lanes: try fields.checked(lanes)))
  }
}
