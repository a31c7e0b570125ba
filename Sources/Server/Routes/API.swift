import HTTP
import JSON
import Runtime
import Values
import WorkflowEngine

/// The REST API over an engine, without a socket.
struct API: Sendable {
  let engine: any SagaEngine
  /// Nil when the engine runs without Kafka.
  var kafka: (any KafkaView)?
  /// Nil when the engine has no destination of notices.
  var notices: (any NoticesView)?
  let live: LiveHub
  let environment: Environment
  let log: Log
  /// Who may do what. Without keys every caller may do everything.
  var access = Access()
  /// What the server shows to its clients; nil when it speaks no TLS.
  var certificate: ServerCertificate?
  /// The version of the program, for the metrics.
  var version = ""
  let requestMeters = RequestMeters()

  var routes: [Route] {
    workflowRoutes + sagaRoutes + incidentRoutes + readingRoutes + operatingRoutes + operationRoutes + auditRoutes
      + kafkaRoutes + liveRoutes + turnRoutes + processRoutes + noticeRoutes + taskRoutes + sessionRoutes
      + consoleRoutes + pageRoutes
  }

  func router() -> Router {
    var router = Router(
      failed: { [log] error, request in
        log.error("A request failed", ("method", request.method), ("path", request.loggedPath), ("error", "\(error)"))
      }, answered: requestMeters.answered)
    for route in routes {
      router.on(route.facts.method, route.facts.path) { request, path in
        try await answer(route, request, path)
      }
    }
    return router
  }

  /// Answers a request, and the errors that clients may see. The router logs every other error and answers 500.
  private func answer(
    _ route: Route, _ request: HTTPServerRequest, _ path: PathParameters
  ) async throws -> HTTPServerResponse {
    do {
      // Before everything else: a caller without the right learns nothing about the request.
      let caller = try await admit(route, request, path)
      let query = try QueryReader(
        route.facts.takesAnyQuery ? [] : request.query, known: route.facts.query)
      if route.facts.method != "GET" { try request.requireJSONType() }
      if route.facts.needsEngine { try requireReady() }
      let response = try await route.handle(Call(request: request, caller: caller, path: path, query: query))
      let answer = try await tellSeen(response, route, path)
      // Pages are not of a saga, and one of them explains the form of a sealed value.
      return route.facts.path.hasPrefix("/v1/") ? answer.masked : answer
    } catch {
      guard var problem = Refusals.problem(answering: error) else { throw error }
      problem.detail = problem.detail.map { SealedText.masked(text: $0) }
      throw problem
    }
  }

  func requireReady() throws(Problem) {
    if let why = engine.notReady { throw Refusals.problem(why.code, why.message) }
  }
}

extension HTTPServerResponse {
  /// The answer with `•••` in place of every sealed value. It is the one place where answers are masked: lists, sagas,
  /// histories, calls and acts have the texts as the store has them. The live stream has no values.
  fileprivate var masked: HTTPServerResponse {
    guard case .bytes(let bytes) = body else { return self }
    var response = self
    response.body = .bytes(SealedText.masked(bytes))
    return response
  }
}
