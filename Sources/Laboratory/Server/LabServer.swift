import HTTP
import Messaging
import Persistence
import Runtime
import Values

/// A laboratory that listens: every participant in one process, each under a prefix of its own.
///
/// The services' base addresses are `http://host:port/samples`, `/storage`, `/sequencing` and `/notification`; what
/// concerns the laboratory as a whole stands under `/lab`. With Kafka it takes commands from there too.
public final class LabServer: Sendable {
  private let store: any EventStore
  private let environment: Environment
  private let faults: FaultPlan
  private let layout: LaboratoryLayout
  private let kafka: LabKafka.Configuration?
  private let configuration: HTTPServerConfiguration
  private let log: Log
  private let state = State()

  private struct Running {
    let participants: Participants
    let server: HTTPServer
    /// What works for Kafka.
    let kafka: Task<Void, Never>?
  }

  private actor State {
    private var running: Running?

    func began(_ running: Running) { self.running = running }

    func end() -> Running? {
      defer { running = nil }
      return running
    }
  }

  /// - Parameters:
  ///   - store: the laboratory's own; it stays open when the server stops.
  ///   - environment: time and ids.
  ///   - faults: how participants misbehave from the start.
  ///   - layout: what the laboratory is furnished with where it isn't yet.
  ///   - kafka: where Kafka is, if it is to take commands from there and to publish its events.
  ///   - configuration: where to listen, and under which names.
  ///   - log: where it says what goes wrong.
  public init(
    store: any EventStore, environment: Environment, faults: FaultPlan = FaultPlan(),
    layout: LaboratoryLayout = .standard(), kafka: LabKafka.Configuration? = nil,
    configuration: HTTPServerConfiguration = HTTPServerConfiguration(), log: Log = .silent
  ) {
    self.store = store
    self.environment = environment
    self.faults = faults
    self.layout = layout
    self.kafka = kafka
    self.log = log
    var configuration = configuration
    // A command is small; what is larger is none.
    configuration.maxBodyBytes = 1 << 20
    self.configuration = configuration
  }

  /// Opens the laboratory and listens.
  /// - Returns: the port.
  public func start() async throws -> Int {
    let participants = try await Participants.open(
      store: store, environment: environment, faults: faults, layout: layout, log: log)
    do {
      let overKafka = try kafka.map { configuration throws(KafkaError) in
        try LabKafka(configuration, participants: participants, environment: environment, log: log)
      }
      var router = participants.router
      if let overKafka {
        router.on("GET", "/lab/kafka") { _, _ in .json(try await overKafka.json()) }
      }
      let server = HTTPServer(configuration, environment: environment) { [router] in await router.handle($0) }
      let port = try server.start()
      await state.began(Running(participants: participants, server: server, kafka: overKafka.map(work)))
      return port
    } catch {
      await participants.close()
      throw error
    }
  }

  private func work(_ kafka: LabKafka) -> Task<Void, Never> {
    Task { [log] in
      do {
        try await kafka.run()
      } catch {
        if !Task.isCancelled {
          log.error("the laboratory has stopped taking commands from Kafka", ("error", "\(error)"))
        }
      }
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
    guard let running = await state.end() else { return }
    // Calls that a fault keeps waiting would use up the whole of `drain`.
    running.participants.releaseHeldCalls()
    running.kafka?.cancel()
    await running.server.shutdown(drain: drain)
    await running.kafka?.value
    await running.participants.close()
  }
}
