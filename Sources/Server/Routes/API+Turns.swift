import HTTP
import Values
import Wire
import WorkflowEngine

// Who holds the turns of each key, and who waits for them.
extension API {
  var turnRoutes: [Route] { [Route(.listTurns, listTurns)] }

  private func listTurns(_ call: Call) async throws -> HTTPServerResponse {
    let key = try call.query.text("key")
    let limit = try call.query.integer("limit", in: 1...200, default: 50)
    let cursor = SealedCursor(list: "concurrency", filters: [key])
    let after = try cursor.open(call.query.text("cursor"))
    if let key {
      let line = engine.turns(of: key).map { TurnsResponse.Key($0) }
      return .json(TurnsResponse(keys: line.map { [$0] } ?? []).json)
    }
    let lines = engine.turns(after: after, limit: limit + 1)
    let next = lines.count > limit ? lines[limit - 1].key : nil
    return .json(
      TurnsResponse(keys: lines.prefix(limit).map { TurnsResponse.Key($0) }, next: next.map { cursor.seal($0) }).json)
  }
}
