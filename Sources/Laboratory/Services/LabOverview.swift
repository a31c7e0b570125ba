import HTTP
import JSON
import Persistence

/// The routes for the laboratory as a whole, under `/lab`: the summary that a checker compares with the sagas, the effects
/// of each idempotency key, and the faults.
struct LabOverview: Sendable {
  let gate: CommandGate
  let queries: LabQueries

  func routes(in router: inout Router) {
    router.on("GET", "/lab/summary") { _, _ in try await gate.query { try await summary() } }
    router.on("GET", "/lab/effects") { request, _ in try await gate.query { try await effects(request) } }
    router.on("GET", "/lab/health") { _, _ in .json(["status": "up"]) }
    router.on("GET", "/lab/faults") { _, _ in .json(gate.faults.json) }
    router.on("PUT", "/lab/faults") { request, _ in
      try await gate.query {
        gate.faults.replace(with: FaultPlan(try faults(request)))
        return gate.faults.json
      }
    }
    router.on("POST", "/lab/faults") { request, _ in
      try await gate.query {
        gate.faults.add(try faults(request))
        return gate.faults.json
      }
    }
    router.on("DELETE", "/lab/faults") { _, _ in
      gate.faults.replace(with: FaultPlan())
      return .json(gate.faults.json)
    }
  }

  /// Reads `{"faults": ["storage.allocate:fail"]}`.
  private func faults(_ request: HTTPServerRequest) throws -> [Fault] {
    guard let texts = try CommandGate.body(of: request)?["faults"]?.arrayValue else {
      throw LabRefusal.invalid([LabRefusal.Place(pointer: "/faults", message: "must be an array of faults")])
    }
    return try texts.enumerated().map { index, text in
      guard let text = text.stringValue else {
        throw LabRefusal.invalid([LabRefusal.Place(pointer: "/faults/\(index)", message: "must be a string")])
      }
      return try Fault(text)
    }
  }

  private func summary() async throws -> JSON {
    let samples = try await queries.all(.samples)
    let positions = try await queries.all(.positions)
    let held = Dictionary(grouping: positions) { $0["sampleId"]?.stringValue ?? "" }
    return [
      "samples": .array(
        samples.map { sample in
          .members(
            ("id", sample["id"]), ("barcode", sample["barcode"]), ("status", sample["status"]),
            ("sagaId", sample["sagaId"]), ("position", held[sample["id"]?.stringValue ?? ""]?.first?["position"]))
        }),
      "samplesByStatus": Self.counts(samples, "status"),
      "positions": .array(positions),
      "positionsByStatus": Self.counts(positions, "status"),
      "positionsByTemperature": Self.counts(positions, "temperature"),
      "runsByStatus": Self.counts(try await queries.all(.runs), "status"),
      "messagesByStatus": Self.counts(try await queries.all(.messages), "status"),
    ]
  }

  private static func counts(_ items: [JSON], _ name: String) -> JSON {
    let counts = Dictionary(grouping: items) { $0[name]?.stringValue ?? "" }.mapValues(\.count)
    return .object(JSONObject(counts.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) }))
  }

  /// Returns how often each idempotency key took effect. `?key=` selects one key, also when it never took effect;
  /// `?sagaId=` selects a saga's keys; `?moreThan=1` selects keys that took effect more than once.
  private func effects(_ request: HTTPServerRequest) async throws -> JSON {
    if let key = request.query("key") {
      let effect = try await queries.document(.effects, key)
      return ["effects": .object([key: effect?["effects"] ?? 0]), "events": effect?["events"] ?? []]
    }
    var least = 0
    if let text = request.query("moreThan") {
      guard let number = Int(text), number >= 0 else {
        throw LabQueries.wrong("moreThan", "must be a whole number of 0 or more")
      }
      least = number
    }
    let fields = request.query("sagaId").map { ["sagaId": $0] } ?? [:]
    let effects = try await queries.all(.effects, fields: fields).compactMap { effect -> (String, JSON)? in
      guard let key = effect["key"]?.stringValue, let count = effect["effects"]?.intValue, count > least else {
        return nil
      }
      return (key, .int(count))
    }
    return ["effects": .object(JSONObject(effects))]
  }
}
