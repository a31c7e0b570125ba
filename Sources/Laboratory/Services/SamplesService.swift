import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The samples service: its commands, and its queries over HTTP, under `/samples`.
struct SamplesService: Sendable {
  let commandHandler: CommandHandler
  let gate: CommandGate
  let queries: LabQueries

  var commands: [ServiceCommand] {
    [
      ServiceCommand(.samples, "create", "PUT /samples/{sampleId}", "POST /samples") { try await create($0) },
      ServiceCommand(.samples, "void", "DELETE /samples/{sampleId}", query: ["reason"]) {
        try await undo($0, creates: true, .void(reason: $0.parameters["reason"]))
      },
      ServiceCommand(
        .samples, "validate", "POST /samples/{sampleId}/validation", "PUT /samples/{sampleId}/validation"
      ) {
        try await perform($0, 200, .validate(at: commandHandler.environment.now()))
      },
      ServiceCommand(.samples, "revertValidation", "DELETE /samples/{sampleId}/validation") {
        try await undo($0, creates: false, .revertValidation)
      },
      ServiceCommand(
        .samples, "aliquot", "PUT /samples/{sampleId}/aliquots/{aliquotId}", "POST /samples/{sampleId}/aliquots"
      ) {
        try await aliquot($0)
      },
      ServiceCommand(.samples, "voidAliquot", "DELETE /samples/{sampleId}/aliquots/{aliquotId}") {
        try await undo($0, creates: false, .voidAliquot(id: $0.id("aliquotId")))
      },
      ServiceCommand(.samples, "printLabel", "PUT /samples/{sampleId}/label") { received in
        var fields = try Fields(received.body)
        let position = fields.identifier("position", longest: 100)
        try fields.check()
        return try await perform(received, 201, .printLabel(position: position, at: commandHandler.environment.now()))
      },
      ServiceCommand(.samples, "voidLabel", "DELETE /samples/{sampleId}/label") {
        try await undo($0, creates: false, .voidLabel)
      },
    ]
  }

  func queryRoutes(in router: inout Router) {
    router.on("GET", "/samples/samples/{id}") { _, path in
      try await gate.query { try await sample(CommandGate.id(path)) }
    }
    router.on("GET", "/samples/samples/{id}/events") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let history = try await commandHandler.history(Sample.self, id)
        guard !history.isEmpty else { throw LabRefusal.unknown("sample", id.description) }
        return try StoredHistory.json(history)
      }
    }
    router.on("GET", "/samples/acceptance") { request, _ in
      try await gate.query { try await acceptance(request) }
    }
    router.on("GET", "/samples/barcodes/{barcode}") { _, path in
      try await gate.query { try await holder(of: path.value("barcode")) }
    }
    router.on("GET", "/samples/samples") { request, _ in
      try await gate.query { try await search(request).json }
    }
  }

  private func create(_ received: ReceivedCommand) async throws -> Answer {
    let declaration = try declaration(received.body, id: received.id("sampleId"))
    return try await perform(received, 201, .create(declaration))
  }

  private func declaration(_ body: JSON?, id: UniqueID) throws(LabRefusal) -> Sample.Declaration {
    var fields = try Fields(body)
    let barcode = fields.barcode()
    let type = fields.sampleType()
    let volume = fields.volume()
    let zone = fields.has("temperature") ? fields.zone() : nil
    let patientID = fields.optionalIdentifier("patientId", longest: 100)
    let collectedAt = fields.time("collectedAt", orIn: "declaration")
    let priority = fields.optionalText("priority", longest: 50)
    let requestedBy = fields.optionalText("requestedBy")
    return Sample.Declaration(
      id: id, barcode: try fields.checked(barcode), type: try fields.checked(type),
      volume: try fields.checked(volume), zone: zone, patientID: patientID, collectedAt: collectedAt,
      priority: priority, requestedBy: requestedBy)
  }

  /// Answers whether a tube would be accepted, as its manifest declares it. Nothing changes.
  private func acceptance(_ request: HTTPServerRequest) async throws -> JSON {
    var members = JSONObject()
    for name in ["barcode", "type", "volumeMl", "temperature", "patientId", "collectedAt"] {
      guard let text = request.query(name), !text.isEmpty else { continue }
      let number = name == "volumeMl" ? try? JSON(parsing: text) : nil
      members[name] = number ?? .string(text)
    }
    let declaration = try declaration(.object(members), id: .derived(from: "acceptance"))
    let faults = Sample.faults(of: declaration, at: commandHandler.environment.now())
    guard faults.isEmpty else {
      throw LabRefusal(
        LabErrorCode.notAcceptable, status: 422,
        "Sample \(declaration.barcode) can't be accepted: \(faults.map(\.message).joined(separator: "; ")).",
        places: faults)
    }
    let wanted = LabClaim(.barcode, declaration.barcode.text)
    var taken = try await commandHandler.store.claim(scope: wanted.scope.rawValue, value: wanted.value)
    if taken == nil { taken = try await commandHandler.olderClaim(wanted) }
    if let taken { throw commandHandler.refusal(of: taken) }
    return ["barcode": .string(declaration.barcode.text), "isAcceptable": true]
  }

  private func aliquot(_ received: ReceivedCommand) async throws -> Answer {
    var fields = try Fields(received.body)
    let barcode = fields.barcode()
    let volume = fields.volume()
    let command = Sample.Command.aliquot(
      id: try received.id("aliquotId"), barcode: try fields.checked(barcode), volume: try fields.checked(volume))
    return try await perform(received, 201, command)
  }

  private func perform(
    _ received: ReceivedCommand, _ status: Int, _ command: Sample.Command
  ) async throws -> Answer {
    try await commandHandler.perform(
      command, received.call, on: received.id("sampleId"), as: Sample.self, status: status
    ).answer
  }

  private func undo(
    _ received: ReceivedCommand, creates: Bool, _ command: Sample.Command
  ) async throws -> Answer {
    try await commandHandler.undo(
      command, received.call, on: received.id("sampleId"), as: Sample.self, creates: creates)
  }

  private func sample(_ id: UniqueID) async throws -> JSON {
    let sample = try await commandHandler.load(Sample.self, id).state
    guard sample.declaration != nil else { throw LabRefusal.unknown("sample", id.description) }
    return sample.json
  }

  /// Returns the sample to which a barcode was given, also when it is void. Reads the claim, so the answer is current.
  private func holder(of barcode: String) async throws -> JSON {
    let normal = VisibleText.normal(barcode)
    let scope = LabClaim.Scope.barcode.rawValue
    var found = try await commandHandler.store.claim(scope: scope, value: normal)
    if found == nil { found = try await commandHandler.olderClaim(LabClaim(.barcode, normal)) }
    // A barcode that only an earlier rule accepted, in its original spelling.
    if found == nil { found = try await commandHandler.store.claim(scope: scope, value: barcode) }
    guard let claim = found else {
      throw LabRefusal.unknown("tube with the barcode", barcode)
    }
    var sample = Sample.absent
    for event in try await commandHandler.history(claim.stream) {
      sample = Sample.evolve(sample, try SampleEvent(type: event.type, data: try JSON(parsing: event.data)))
    }
    return sample.json
  }

  private func search(_ request: HTTPServerRequest) async throws -> LabQueries.Page {
    var wanted = LabQueries.Wanted(collection: .samples)
    if let status = request.query("status") {
      guard Sample.Status(rawValue: status) != nil else {
        throw LabQueries.wrong("status", "must be one of registered, validated, voided")
      }
      wanted.fields["status"] = status
    }
    if let type = request.query("type") {
      guard SampleType(rawValue: type) != nil else {
        throw LabQueries.wrong("type", "must be one of \(SampleType.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      wanted.fields["type"] = type
    }
    if let patient = request.query("patientId") { wanted.fields["patientId"] = VisibleText.normal(patient) }
    if let saga = request.query("sagaId") { wanted.fields["sagaId"] = saga }
    let from = try LabQueries.time("createdFrom", request)?.description
    let before = try LabQueries.time("createdBefore", request)?.description
    guard let barcode = request.query("barcode") else {
      wanted.from = from
      wanted.below = before
      return try await queries.list(wanted, request)
    }
    let glob = Glob(VisibleText.normal(barcode))
    wanted.collection = .barcodes
    wanted.from = glob.prefix
    wanted.below = glob.prefix.isEmpty ? nil : glob.prefix + "\u{10FFFF}"
    wanted.matches = { document in
      guard glob.matches(document.sort) else { return false }
      guard from != nil || before != nil else { return true }
      guard let created = (try? JSON(parsing: document.data))?["createdAt"]?.stringValue else { return false }
      return created >= from ?? "" && before.map { created < $0 } ?? true
    }
    return try await queries.list(wanted, request)
  }
}
