import JSON
public import Persistence
public import Runtime
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// Sends people notices of the events that need a person. Each destination follows the store by itself, with separate
/// checkpoints. Delivery is at least once, in the order of each saga.
public final class Notices: Sendable {
  /// How notices are delivered.
  public struct Configuration: Sendable {
    /// The pauses before a notice is tried again.
    public var backoff = Backoff(first: .seconds(5), limit: .seconds(3_600), factor: 3, spread: 0.2)
    /// The longest pause before another try at a failing destination, unless the destination asks for a longer one.
    public var longestPause = Duration.seconds(300)
    /// The time for which a notice is tried.
    public var giveUpAfter = Duration.seconds(86_400)
    /// The number of notices, each of another shard, that are sent to a working destination at once.
    public var width = 4
    /// The number of notices of a shard that are ready in memory.
    public var queueLimit = 16
    public var pageSize = 500
    /// The shortest time between two looks at a shard. A person does not act within a second, and a busy store needs
    /// the rest.
    public var lookEvery = Duration.seconds(1)
    /// The time between two saves of a checkpoint for events that cause no notice.
    public var saveEvery = Duration.seconds(5)
    public var readAgainAfter = Duration.seconds(1)
    public var shownDeadNotices = 10
    /// How long the first notice of an incident waits, so that it can say how many other sagas came with it.
    public var incidentWait = Duration.seconds(10)
    /// How long after a notice of an incident another one says that it still grows.
    public var incidentAgainAfter = Duration.seconds(4 * 3_600)
    /// The same while lists do not say whether the incident is over.
    public var incidentAgainUnknown = Duration.seconds(600)

    public init() {}
  }

  private let senders: [NoticeSender]
  private let store: any EventStore
  private let environment: Environment
  private let log: Log

  /// - Parameters:
  ///   - engine: the engine of the sagas. It knows their workflows.
  ///   - store: the engine's store.
  ///   - destinations: each with a separate name.
  ///   - configuration: pauses and limits.
  ///   - environment: the clock.
  ///   - log: the log for problems.
  public convenience init(
    engine: Engine, store: any EventStore, destinations: [any NoticeDestination],
    configuration: Configuration = Configuration(), environment: Environment, log: Log = .silent
  ) {
    self.init(
      engine: engine, store: store, destinations: destinations, configuration: configuration,
      sizes: IncidentSizes(of: engine, environment), environment: environment, log: log)
  }

  /// - Parameter sizes: what is in an incident.
  init(
    engine: Engine, store: any EventStore, destinations: [any NoticeDestination], configuration: Configuration,
    sizes: IncidentSizes, environment: Environment, log: Log = .silent
  ) {
    self.store = store
    self.environment = environment
    self.log = log
    let maker = NoticeMaker(store: store) { [engine] saga in
      try? await engine.definition(of: saga)
    }
    senders = destinations.map {
      NoticeSender(
        $0, store: store, maker: maker, sizes: sizes, configuration: configuration, environment: environment, log: log)
    }
  }

  /// Works until the task is cancelled. The engine must own the store by then. The end of one destination doesn't end
  /// another.
  public func run() async {
    await tellOfForgotten()
    await withDiscardingTaskGroup { group in
      for sender in senders {
        group.addTask { [log] in
          do {
            try await sender.run()
          } catch is CancellationError {
          } catch {
            if Task.isCancelled { return }
            log.error(
              "The sender of a destination ended; the destination gets no more notices until a restart",
              ("destination", sender.destination.name),
              ("error", "\(error)"))
            if let error = error as? StoreError { await sender.noteEnd(error) }
          }
        }
      }
    }
  }

  /// Logs the effect of removing a destination from the configuration, or of renaming it.
  private func tellOfForgotten() async {
    let query = DocumentQuery(collection: DeliveryRecord.collection)
    guard let kept = try? await store.documents(query) else { return }
    for document in kept where !senders.contains(where: { $0.destination.name == document.id }) {
      log.warning("A destination of notices is not configured any more", ("destination", document.id))
    }
  }

  /// Returns the status of each destination.
  public func status() async throws -> [NoticeStatus] {
    var all: [NoticeStatus] = []
    for sender in senders { all.append(try await sender.status()) }
    return all
  }

  /// Sends a destination a test notice that reports no event. When it arrives, everything that waits is sent at once.
  /// - Parameter by: the person who asked for it.
  /// - Throws: `notice.destinationUnknown`.
  public func test(_ name: String, by: String, from: String? = nil) async throws -> NoticeTest {
    let sender = try sender(name)
    let act = try await record(.noticeTested, ["destination": .string(name)], by, from)
    let notice = Notice.test(environment, by: by)
    let began = environment.now()
    let outcome = await sender.destination.deliver(notice)
    if case .delivered = outcome { sender.inbox.hasAnswered() }
    log.info("A test notice was sent", ("destination", name), ("by", by))
    switch outcome {
    case .delivered: await end(act, ["delivered": true])
    case .failed(let failure): await end(act, ["delivered": false, "code": .string(failure.code)])
    }
    return NoticeTest(destination: name, id: notice.id, outcome: outcome, took: environment.now() - began)
  }

  /// Sends a destination its given-up notices once more, the oldest first. It ends when all have been tried, three in a
  /// row have failed, or the time is over. A notice that arrives is no longer given up.
  /// - Parameters:
  ///   - only: the notice to send; nil for all.
  ///   - by: the person who asked for it.
  /// - Throws: `notice.destinationUnknown`, `notice.unknown`.
  public func resend(_ name: String, only: String?, by: String, from: String? = nil) async throws -> NoticeResend {
    let sender = try sender(name)
    var asked: JSONObject = ["destination": .string(name)]
    asked["id"] = only.map(JSON.string)
    let act = try await record(.noticesResent, asked, by, from)
    let done = try await NoticeResender(destination: sender.destination, store: store, environment: environment)
      .run(only: only)
    if !done.delivered.isEmpty { sender.inbox.hasAnswered() }
    log.info(
      "Notices that had been given up were sent again", ("destination", name),
      ("delivered", "\(done.delivered.count)"), ("failed", "\(done.failed.count)"), ("by", by))
    await end(
      act, ["delivered": .int(done.delivered.count), "failed": .int(done.failed.count), "left": .int(done.left)])
    return done
  }

  /// Stores the request and its user before it is carried out.
  private func record(
    _ kind: EngineAct.Kind, _ content: JSONObject, _ by: String, _ from: String?
  ) async throws -> UniqueID {
    let act = EngineAct(kind: kind, by: by, from: from, content: content)
    return try await act.store(in: store, at: environment.now(), environment)
  }

  private func end(_ act: UniqueID, _ outcome: JSONObject) async {
    do {
      try await EngineAct.end(act, outcome, in: store, environment)
    } catch {
      log.warning(
        "Could not record what came of sending notices; the audit lists that it was asked for", ("error", "\(error)"))
    }
  }

  private func sender(_ name: String) throws(EngineError) -> NoticeSender {
    guard let sender = senders.first(where: { $0.destination.name == name }) else {
      let names = senders.map(\.destination.name).joined(separator: ", ")
      throw EngineError(
        code: EngineErrorCode.noticeDestinationUnknown,
        message: senders.isEmpty
          ? "Nobody is told of anything: the engine was started with no --webhook and no --kafka."
          : "There is no destination “\(name)”; there is \(names).")
    }
    return sender
  }
}

extension IncidentSizes {
  /// The longest delay of the lists with which they say whether an incident is over.
  private static let longestLag = Duration.seconds(5)

  /// Asks the read model of an engine. While it is behind, it knows nothing.
  fileprivate init(of engine: Engine, _ environment: Environment) {
    @Sendable func query(_ incident: String) async -> SagaQuery? {
      guard let lists = try? await engine.projections(), lists.waited <= Self.longestLag else { return nil }
      var query = SagaQuery()
      query.incident = IncidentAt(id: incident, at: environment.now())
      return query
    }
    self.init(
      hasOthers: { incident, saga in
        guard let query = await query(incident), let page = try? await engine.list(SagaListRequest(query, limit: 2))
        else { return nil }
        return page.sagas.contains { $0.id.description != saga }
      },
      count: { incident in
        guard let query = await query(incident),
          let page = try? await engine.list(SagaListRequest(query, limit: 1, wantsFacets: true))
        else { return nil }
        return page.facets?.status.values.reduce(0, +)
      })
  }
}
