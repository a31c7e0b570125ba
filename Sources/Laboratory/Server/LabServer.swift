import HTTP
import Messaging
import Persistence
import Runtime

/// The laboratory's HTTP server: every participant in one process, each under its own path prefix.
///
/// The services' base addresses are `http://host:port/samples`, `/storage`, `/sequencing`, `/notification`, `/accession`,
/// `/qc`, `/pipeline`, `/library-prep` and `/pooling`;
/// what concerns the laboratory as a whole is under `/lab`. With Kafka it takes commands from there too.
public final class LabServer: Sendable {
  private let store: any EventStore
  private let environment: Environment
  private let faults: FaultPlan
  private let layout: LaboratoryLayout
  private let times: LabTimes
  private let kafka: LabKafka.Configuration?
  private let tasks: LabTasks.Configuration?
  private let people: LabPeople.Configuration?
  private let configuration: HTTPServerConfiguration
  private let log: Log
  private let state = State()

  private struct Running {
    let participants: Participants
    let server: HTTPServer
    /// The task that takes commands from Kafka and publishes events.
    let kafka: Task<Void, Never>?
    /// The task that takes tasks from an engine.
    let tasks: Task<Void, Never>?
    /// The task of the people who answer an engine's sagas.
    let people: Task<Void, Never>?
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
  ///   - store: the laboratory's store; it stays open when the server stops.
  ///   - environment: time and ids.
  ///   - faults: the faults that apply from the start.
  ///   - layout: the equipment to set up where it is missing.
  ///   - times: how long things take.
  ///   - kafka: the cluster and topics for commands and events; nil without Kafka.
  ///   - tasks: the engine from whose queues the services take tasks; nil when they take none.
  ///   - people: the engine whose waits the people around the laboratory answer; nil when no engine is given.
  ///   - configuration: the address to listen on, and the allowed host names.
  ///   - log: receives warnings and errors.
  public init(
    store: any EventStore, environment: Environment, faults: FaultPlan = FaultPlan(),
    layout: LaboratoryLayout = .standard(), times: LabTimes = LabTimes(),
    kafka: LabKafka.Configuration? = nil, tasks: LabTasks.Configuration? = nil,
    people: LabPeople.Configuration? = nil,
    configuration: HTTPServerConfiguration = HTTPServerConfiguration(), log: Log = .silent
  ) {
    self.store = store
    self.environment = environment
    self.faults = faults
    self.layout = layout
    self.times = times
    self.kafka = kafka
    self.tasks = tasks
    self.people = people
    self.log = log
    var configuration = configuration
    // Commands are small; a larger body is refused.
    configuration.maxBodyBytes = 1 << 20
    self.configuration = configuration
  }

  /// Opens the laboratory and listens.
  /// - Returns: the port.
  public func start() async throws -> Int {
    let participants = try await Participants.open(
      store: store, environment: environment, faults: faults, layout: layout, times: times, log: log)
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
      let tasks = tasks.map { configuration in
        let tasks = LabTasks(configuration, participants: participants, environment: environment, log: log)
        return Task { await tasks.run() }
      }
      await state.began(
        Running(
          participants: participants, server: server, kafka: overKafka.map(work), tasks: tasks,
          people: people.map { answer($0, participants) }))
      return port
    } catch {
      await participants.close()
      throw error
    }
  }

  private func answer(_ configuration: LabPeople.Configuration, _ participants: Participants) -> Task<Void, Never> {
    Task { [environment, log] in
      let client = HTTPClient()
      let people = LabPeople(
        configuration, faults: participants.gate.faults, environment: environment, log: log,
        send: LabPeople.over(client, to: configuration))
      do {
        try await people.run()
      } catch {
        if !Task.isCancelled { log.error("The people stopped answering", ("error", "\(error)")) }
      }
      await client.shutdown()
    }
  }

  private func work(_ kafka: LabKafka) -> Task<Void, Never> {
    Task { [log] in
      do {
        try await kafka.run()
      } catch {
        if !Task.isCancelled {
          log.error("Kafka failed; the laboratory takes no more commands from it", ("error", "\(error)"))
        }
      }
    }
  }

  /// Serves until the task is cancelled, then shuts down in order.
  /// - Parameter started: called with the port.
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

  /// Takes no new requests, waits at most `drain` for requests in flight, and stops.
  public func shutdown(drain: Duration = .seconds(5)) async {
    guard let running = await state.end() else { return }
    // Calls that a fault keeps waiting would use up the whole of `drain`.
    running.participants.releaseHeldCalls()
    running.kafka?.cancel()
    running.tasks?.cancel()
    running.people?.cancel()
    await running.server.shutdown(drain: drain)
    await running.kafka?.value
    await running.tasks?.value
    await running.people?.value
    await running.participants.close()
  }
}
