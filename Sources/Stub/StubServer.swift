public import HTTP
import JSON
public import Runtime
import Synchronization

/// A participant of an author's own making: an HTTP server that answers by rules, and keeps the rules for participants
/// (`docs/participants.md`).
public final class StubServer: Sendable {
  private let state: Mutex<StubState>
  private let environment: Environment
  private let configuration: HTTPServerConfiguration
  private let running = Mutex<HTTPServer?>(nil)
  private let forgot: @Sendable () -> Void

  /// - Parameters:
  ///   - rules: the rules.
  ///   - environment: its clock dates the calls and measures the delays.
  ///   - configuration: the address to listen on.
  ///   - forgot: called once, when the first key is forgotten.
  public init(
    _ rules: StubRules, environment: Environment, configuration: HTTPServerConfiguration = .init(),
    forgot: @escaping @Sendable () -> Void = {}
  ) {
    state = Mutex(StubState(rules))
    self.environment = environment
    self.forgot = forgot
    var configuration = configuration
    configuration.maxBodyBytes = 1 << 20
    self.configuration = configuration
  }

  /// Listens and serves.
  /// - Returns: the port.
  public func start() throws(HTTPServerError) -> Int {
    // Expressions need the large stacks of this pool.
    let server = HTTPServer(
      configuration, environment: environment, place: { _ in (.requests, .medium) },
      handler: { await self.handle($0) })
    let port = try server.start()
    running.withLock { $0 = server }
    return port
  }

  /// Takes no new requests, waits at most `drain` for requests in flight, and stops.
  public func shutdown(drain: Duration = .seconds(1)) async {
    guard let server = running.withLock({ $0.take() }) else { return }
    await server.shutdown(drain: drain)
  }

  /// Answers a request.
  public func handle(_ request: HTTPServerRequest) async -> HTTPServerResponse {
    if request.segments.first == "_stub" { return await own.handle(request) }
    let call = StubCall(request)
    let now = environment.now()
    let (reply, isFirstForgotten) = state.withLock { state in
      let before = state.memory.forgotten
      let reply = state.take(call, at: now)
      return (reply, before == 0 && state.memory.forgotten > 0)
    }
    if isFirstForgotten { forgot() }
    if let delay = reply.delay {
      do {
        try await environment.sleep(for: delay)
      } catch {
        // The stub stops: its callers get their answers now.
      }
    }
    if reply.isDropped { return .hangUp }
    return HTTPServerResponse(
      status: reply.answer.status, headers: HTTPHeaders(reply.answer.headers.map { ($0.name, $0.value) }),
      body: .bytes(reply.answer.body))
  }

  /// The stub's own paths.
  private var own: Router {
    var router = Router()
    router.on("GET", "/_stub/calls") { [self] request, _ in
      let (key, rule) = (request.query("key"), request.query("rule"))
      return .json(state.withLock { $0.log.json(key: key, rule: rule, memory: $0.memory) })
    }
    return router
  }
}
