import HTTP
import Persistence
import Runtime

/// The REST API, the live stream and the console on a socket.
public final class APIServer: Sendable {
  private let server: HTTPServer
  private let live: LiveHub

  /// - Parameters:
  ///   - engine: the engine that the requests are for.
  ///   - events: the engine's store, which the live stream follows.
  ///   - kafka: the state of the echo and the consumers; nil without Kafka.
  ///   - notices: the destinations of notices; nil without any.
  ///   - authenticator: recognises callers; nil to let everyone do everything.
  ///   - version: the version of the program, for the metrics.
  ///   - configuration: where to listen, and the limits.
  ///   - environment: time and ids.
  ///   - log: for errors.
  public init(
    engine: any SagaEngine, events: any EventStore, kafka: (any KafkaView)? = nil,
    notices: (any NoticesView)? = nil, authenticator: (any Authenticator)? = nil,
    version: String = "", configuration: HTTPServerConfiguration = .init(),
    environment: Environment, log: Log = .silent
  ) {
    live = LiveHub(store: events, environment: environment, log: log)
    let router = API(
      engine: engine, kafka: kafka, notices: notices, live: live, environment: environment, log: log,
      access: Access(authenticator), certificate: configuration.certificate, version: version
    ).router()
    server = HTTPServer(configuration, environment: environment, place: RequestPlace.of) { request in
      await router.handle(request)
    }
  }

  /// Begins to listen.
  /// - Returns: the port.
  public func start() throws -> Int { try server.start() }

  /// Ends the live streams, takes no more requests, and gives requests under way the time `drain` to be answered.
  public func shutdown(drain: Duration) async {
    // A live stream never ends by itself, so it would use up the time of the other requests.
    await live.close()
    await server.shutdown(drain: drain)
  }
}
