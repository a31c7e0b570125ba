import HTTP
import JSON
import Persistence
import Runtime

/// What concerns the laboratory as a whole, under `/lab`: the account that a checker compares with the sagas, what
/// each idempotency key did, and the faults.
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
      "samples": [
        "total": .int(samples.count), "byStatus": Self.counts(samples, "status"),
        "items": .array(
          samples.map { sample in
            .members(
              ("id", sample["id"]), ("barcode", sample["barcode"]), ("status", sample["status"]),
              ("sagaId", sample["sagaId"]),
              ("position", held[sample["id"]?.stringValue ?? ""]?.first?["position"]))
          }),
      ],
      "positions": [
        "held": .int(positions.count), "byStatus": Self.counts(positions, "status"),
        "byTemperature": Self.counts(positions, "temperature"), "items": .array(positions),
      ],
      "runs": ["byStatus": Self.counts(try await queries.all(.runs), "status")],
      "messages": ["byStatus": Self.counts(try await queries.all(.messages), "status")],
    ]
  }

  private static func counts(_ items: [JSON], _ name: String) -> JSON {
    let counts = Dictionary(grouping: items) { $0[name]?.stringValue ?? "" }.mapValues(\.count)
    return .object(JSONObject(counts.sorted { $0.key < $1.key }.map { ($0.key, .int($0.value)) }))
  }

  /// `?key=`: one key; `?sagaId=`: those of a saga; `?moreThan=1`: those that took effect more often.
  private func effects(_ request: HTTPServerRequest) async throws -> JSON {
    if let key = request.query("key") {
      let effect = try await queries.document(.effects, key)
      return effect ?? ["key": .string(key), "effects": 0, "events": []]
    }
    var wanted = LabQueries.Wanted(collection: .effects)
    wanted.fields["sagaId"] = request.query("sagaId")
    if let text = request.query("moreThan") {
      guard let least = Int(text), least >= 0 else {
        throw LabQueries.wrong("moreThan", "must be a whole number of 0 or more")
      }
      wanted.matches = { $0.fields["effects"].flatMap { Int($0) } ?? 0 > least }
    }
    return try await queries.list(wanted, request).json
  }
}
