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
      return .json(TurnsResponse(keys: await shown(engine.turns(of: key).map { [$0] } ?? [])).json)
    }
    let lines = engine.turns(after: after, limit: limit + 1)
    let next = lines.count > limit ? lines[limit - 1].key : nil
    return .json(TurnsResponse(keys: await shown(Array(lines.prefix(limit))), next: next.map { cursor.seal($0) }).json)
  }

  /// The keys, with the titles of the sagas.
  private func shown(_ lines: [TurnLine]) async -> [TurnsResponse.Key] {
    let names = await engine.names(of: lines.flatMap { ($0.holders + $0.waiters).map(\.saga) })
    return lines.map { TurnsResponse.Key($0, names: names) }
  }
}
