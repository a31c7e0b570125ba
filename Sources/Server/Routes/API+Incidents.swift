import HTTP
import Persistence
import Runtime
import Values
import Wire
import WorkflowEngine

// What needs a person, as a night shift reads it: one line for all sagas that have the same trouble.
extension API {
  var incidentRoutes: [Route] { [Route(.listIncidents, listIncidents)] }

  private func listIncidents(_ call: Call) async throws -> HTTPServerResponse {
    let kinds = try call.query.choices("kind", IncidentKind.self)
    let workflow = try call.query.text("workflow")
    let limit = try call.query.integer("limit", in: 1...200, default: 50)
    let samples = try call.query.integer("samples", in: 0...20, default: 3)
    let seen = try SagaListReader(call.query, shardCount: engine.shardCount).seen()
    let cursor = SealedCursor(list: "incidents", filters: [call.query.raw("kind"), workflow])
    let after = try cursor.open(call.query.text("cursor")).map { text throws(Problem) in
      let parts = text.split(separator: " ").map(String.init)
      guard parts.count == 2, let milliseconds = Int64(parts[0]),
        Timestamp.written.contains(Timestamp(milliseconds: milliseconds)), IncidentKey.kind(ofID: parts[1]) != nil
      else { throw SealedCursor.malformed }
      return IncidentCursor(since: Timestamp(milliseconds: milliseconds), id: parts[1])
    }
    let now = environment.now()
    // How far the lists are is asked first: what they lack by then may be missing, and nothing else.
    if let seen { _ = try await engine.waitUntilListed(seen.positions) }
    let lists = try await engine.projections()
    let page = try await engine.incidents(
      IncidentQuery(at: now, kinds: Set(kinds), workflow: workflow, samples: samples), after: after, limit: limit)
    let next = page.next.map { cursor.seal("\($0.since.milliseconds) \($0.id)") }
    return .json(IncidentsResponse(page, next: next, lists: lists, at: now).json)
  }
}
