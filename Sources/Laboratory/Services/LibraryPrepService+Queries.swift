import HTTP
import JSON
import Persistence
import Runtime
import Values

/// The queries of library preparation.
extension LibraryPrepService {
  func queryRoutes(in router: inout Router) {
    router.on("GET", "/library-prep/lots") { request, _ in
      try await gate.query {
        var wanted = LabQueries.Wanted(collection: .lots)
        wanted.fields["stage"] = request.query("stage")
        wanted.fields["status"] = "received"
        // Lots are sorted by their last day.
        wanted.from = try Self.day("validOn", request.query("validOn"))?.text
        return try await queries.list(wanted, request).json
      }
    }
    router.on("GET", "/library-prep/lots/{lot}") { _, path in
      try await gate.query {
        let lot = try Self.name(path.value("lot"), "lot")
        let state = try await commandHandler.load(ReagentLot.self, ReagentLot.id(of: lot)).state
        guard state.content != nil else { throw LabRefusal.unknown("lot", lot) }
        return state.json
      }
    }
    router.on("GET", "/library-prep/lots/{lot}/check") { request, path in
      try await gate.query {
        let lot = try Self.name(path.value("lot"), "lot")
        return try await check(lot, request)
      }
    }
    router.on("GET", "/library-prep/tag-plates/{tagPlate}") { _, path in
      try await gate.query {
        let name = try Self.name(path.value("tagPlate"), "tagPlate")
        let state = try await commandHandler.load(TagPlate.self, TagPlate.id(of: name)).state
        guard state.content != nil else { throw LabRefusal.unknown("tag plate", name) }
        return state.json
      }
    }
    router.on("GET", "/library-prep/plates") { request, _ in
      try await gate.query {
        var wanted = LabQueries.Wanted(collection: .prepPlates)
        for name in ["stage", "status", "sagaId"] { wanted.fields[name] = request.query(name) }
        return try await queries.list(wanted, request).json
      }
    }
    router.on("GET", "/library-prep/plates/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let plate = try await commandHandler.load(PrepPlate.self, id).state
        guard plate.content != nil else { throw LabRefusal.unknown("plate", id.description) }
        return plate.json(showing: try await progress(of: plate))
      }
    }
    router.on("GET", "/library-prep/libraries") { request, _ in
      try await gate.query {
        var wanted = LabQueries.Wanted(collection: .libraries)
        for name in ["barcode", "sample", "status", "plateId", "sagaId"] {
          wanted.fields[name] = request.query(name).map(VisibleText.normal)
        }
        return try await queries.list(wanted, request).json
      }
    }
    router.on("GET", "/library-prep/libraries/{id}") { _, path in
      try await gate.query {
        let id = try CommandGate.id(path)
        let library = try await commandHandler.load(Library.self, id).state
        guard library.request != nil else { throw LabRefusal.unknown("library", id.description) }
        return shown(library).json
      }
    }
  }

  /// Answers whether a lot can be used for a stage now, and every reason against it.
  private func check(_ lot: String, _ request: HTTPServerRequest) async throws -> JSON {
    let text = request.query("stage") ?? ""
    guard let stage = PrepStage(rawValue: text) else {
      throw LabQueries.wrong("stage", "must be one of \(PrepStage.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    guard let reactions = request.query("reactions").flatMap({ Int($0) }), (1...ReagentLot.most).contains(reactions)
    else { throw LabQueries.wrong("reactions", "must be a whole number from 1 to \(ReagentLot.most)") }
    let state = try await commandHandler.load(ReagentLot.self, ReagentLot.id(of: lot)).state
    let reasons = state.reasons(against: stage, reactions: reactions, at: now)
    return [
      "lot": .string(lot), "stage": .string(stage.rawValue), "usable": .bool(reasons.isEmpty),
      "reasons": .array(reasons.map { .string($0) }),
    ]
  }

  private static func day(_ name: String, _ text: String?) throws(LabRefusal) -> LastDay? {
    guard let text else { return nil }
    guard let day = LastDay(text) else { throw LabQueries.wrong(name, LastDay.rule) }
    return day
  }
}
