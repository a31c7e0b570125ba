import HTTP
import Runtime

/// The REST API on a socket.
public final class APIServer: Sendable {
  private let server: HTTPServer

  /// - Parameter kafka: what there is to show of Kafka; nil without.
  public init(
    engine: any SagaEngine, kafka: (any KafkaView)? = nil, configuration: HTTPServerConfiguration = .init(),
    environment: Environment, log: Log = .silent
  ) {
    let router = API(engine: engine, kafka: kafka, environment: environment, log: log).router()
    server = HTTPServer(configuration, environment: environment) { request in
      await router.handle(request)
    }
  }

  /// Begins to listen.
  /// - Returns: the port.
  public func start() throws -> Int { try server.start() }

  /// Takes no more requests, and gives those under way up to `drain` to be answered.
  public func shutdown(drain: Duration) async { await server.shutdown(drain: drain) }
}
