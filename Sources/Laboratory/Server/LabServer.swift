import HTTP
import Persistence
import Runtime

/// A laboratory that listens: every participant in one process, each under a prefix of its own.
///
/// The services' base addresses are `http://host:port/samples`, `/storage`, `/sequencing` and `/notification`; what
/// concerns the laboratory as a whole stands under `/lab`.
public final class LabServer: Sendable {
  private let store: any EventStore
  private let environment: Environment
  private let faults: FaultPlan
  private let layout: LaboratoryLayout
  private let configuration: HTTPServerConfiguration
  private let log: Log
  private let state = State()

  private actor State {
    private var running: (participants: Participants, server: HTTPServer)?

    func began(_ participants: Participants, _ server: HTTPServer) { running = (participants, server) }

    func end() -> (participants: Participants, server: HTTPServer)? {
      defer { running = nil }
      return running
    }
  }

  /// - Parameters:
  ///   - store: the laboratory's own; it stays open when the server stops.
  ///   - environment: time and ids.
  ///   - faults: how participants misbehave from the start.
  ///   - layout: what the laboratory is furnished with where it isn't yet.
  ///   - host: the address to listen on.
  ///   - port: 0 takes any free one.
  ///   - log: where it says what goes wrong.
  public init(
    store: any EventStore, environment: Environment, faults: FaultPlan = FaultPlan(),
    layout: LaboratoryLayout = .standard(), host: String = "127.0.0.1", port: Int = 0, log: Log = .silent
  ) {
    self.store = store
    self.environment = environment
    self.faults = faults
    self.layout = layout
    self.log = log
    // A command is small; what is larger is none.
    configuration = HTTPServerConfiguration(host: host, port: port, maxBodyBytes: 1 << 20)
  }

  /// Opens the laboratory and listens.
  /// - Returns: the port.
  public func start() async throws -> Int {
    let participants = try await Participants.open(
      store: store, environment: environment, faults: faults, layout: layout, log: log)
    let server = HTTPServer(configuration, environment: environment) { await participants.handle($0) }
    do {
      let port = try server.start()
      await state.began(participants, server)
      return port
    } catch {
      await participants.close()
      throw error
    }
  }

  /// Serves until the task is cancelled, then shuts down in order.
  /// - Parameter started: is told the port.
  public func run(started: @Sendable (Int) async -> Void = { _ in }) async throws {
    await started(try await start())
    let (ended, continuation) = AsyncStream.makeStream(of: Never.self)
    await withTaskCancellationHandler {
      for await _ in ended {}
    } onCancel: {
      continuation.finish()
    }
    await shutdown()
  }

  /// Takes no new requests, lets those in flight end for as long as `drain`, and stops.
  public func shutdown(drain: Duration = .seconds(5)) async {
    guard let (participants, server) = await state.end() else { return }
    // Calls that a fault keeps waiting would use up the whole of `drain`.
    participants.releaseHeldCalls()
    await server.shutdown(drain: drain)
    await participants.close()
  }
}
