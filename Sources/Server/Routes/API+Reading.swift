import HTTP
import Persistence
import Runtime
import SagaCore
import Values
import Wire
import WorkflowEngine

// The reads of the read model besides the list, and the read model itself.
extension API {
  /// The header with the read-your-writes token of a command.
  static let seenHeader = "Saga-Seen"

  var readingRoutes: [Route] {
    [
      Route(.getTimeline, showTimeline),
      Route(.listCalls, listCalls),
      Route(.getDocument, showDocument),
      Route(.listItems, listItems),
      Route(.getStatistics, showStatistics),
      Route(.getProjections, showProjections),
      Route(.rebuildProjections, rebuildProjections),
    ]
  }

  /// Adds the header to the answer of a command on a saga.
  func tellSeen(
    _ response: HTTPServerResponse, _ route: Route, _ path: PathParameters
  ) async throws -> HTTPServerResponse {
    guard route.facts.changesSaga else { return response }
    var response = response
    response.headers[Self.seenHeader] = await seen(try path.sagaID())
    return response
  }

  /// Returns the header's value; nil when it can't be read. The command has succeeded in any case.
  func seen(_ id: UniqueID) async -> String? {
    do {
      return try await engine.seen(id).description
    } catch {
      log.warning(
        "Could not read the seen token of a saga; answering without it", ("saga", "\(id)"), ("error", "\(error)"))
      return nil
    }
  }

  private func showTimeline(_ call: Call) async throws -> HTTPServerResponse {
    let showsItems = try call.query.flag("items") ?? true
    return .json(TimelineResponse(try await engine.timeline(of: call.path.sagaID(), showsItems: showsItems)).json)
  }

  private func listCalls(_ call: Call) async throws -> HTTPServerResponse {
    let id = try call.path.sagaID()
    let step = try call.query.text("step")
    let limit = try call.query.integer("limit", in: 1...100, default: 50)
    let cursor = SealedCursor(list: "calls", filters: [id.description, step])
    let after = try cursor.open(call.query.text("cursor")).map { text throws(Problem) in
      guard let version = Int(digits: text) else { throw SealedCursor.malformed }
      return version
    }
    let page = try await engine.calls(of: id, step: step, after: after ?? 0, limit: limit)
    return .json(CallsResponse(page, next: page.next.map { cursor.seal("\($0)") }).json)
  }

  private func showDocument(_ call: Call) async throws -> HTTPServerResponse {
    let id = try call.path.sagaID()
    let version = try call.query.integer("version", in: 1...Int.max)
    let saga =
      if let version { try await engine.saga(id, version: version) } else { try await engine.saga(id) }
    var state = saga.state
    state.loadItems(by: saga.definition)
    return .json(DocumentResponse(document: state.document).json)
  }

  private func listItems(_ call: Call) async throws -> HTTPServerResponse {
    let (id, step) = (try call.path.sagaID(), try call.path.value("step"))
    let status = try call.query.choice("status", StepStatus.self)
    let cursor = SealedCursor(list: "items", filters: [id.description, step, status?.rawValue])
    let start = try cursor.open(call.query.text("cursor")).map { text throws(Problem) in
      guard let number = Int(text), number >= 0 else { throw SealedCursor.malformed }
      return number
    }
    let limit = try call.query.integer("limit", in: 1...200, default: 50)
    let page = try await engine.saga(id).items(
      of: step, status: status, from: start ?? 0, limit: limit, at: environment.now()
    ) { try await engine.childrenNow(of: $0) }
    return .json(ItemsResponse(items: page.items, next: page.next.map { cursor.seal("\($0)") }).json)
  }

  private func showStatistics(_ call: Call) async throws -> HTTPServerResponse {
    let range = MomentRange(from: try call.query.timestamp("from"), before: try call.query.timestamp("to"))
    if let from = range.from, let before = range.before, before <= from {
      throw call.query.invalid("to", "must be later than from")
    }
    let lists = try await engine.projections()
    let minutes = try await engine.statistics(of: call.path.value("name"), range)
    return .json(StatisticsResponse(minutes, lists: lists).json)
  }

  private func showProjections(_ call: Call) async throws -> HTTPServerResponse {
    .json(ProjectionsResponse(try await engine.projections()).json)
  }

  private func rebuildProjections(_ call: Call) async throws -> HTTPServerResponse {
    let (user, from) = (try call.user(), try call.origin())
    if !call.request.body.isEmpty { try BodyReader(call.request).finish() }
    return .json(ProjectionsResponse(try await engine.rebuildProjections(by: user, from: from)).json, status: 202)
  }
}
