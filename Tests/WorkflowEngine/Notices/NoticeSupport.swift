import Foundation
import HTTP
import JSON
import Persistence
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import Notifications
@testable import SagaCore
@testable import WorkflowEngine

/// A destination that answers as a script says, and remembers the notices that it got.
final class ScriptedDestination: NoticeDestination {
  let name: String
  let types: Set<NoticeType>
  var kind: NoticeDestinationKind { .webhook }
  var target: String { "http://\(name)" }
  /// Every notice as often as it was tried.
  let tried = Told<Notice>()
  private let script: Mutex<@Sendable (Notice) -> NoticeOutcome>

  static let failed = NoticeOutcome.failed(NoticeFailure(code: "http.connectionRefused", message: "Nobody is there."))
  static let gone = NoticeOutcome.failed(
    NoticeFailure(code: EngineErrorCode.noticeGone, message: "The receiver answered 410.", isGone: true))

  init(
    _ name: String = "pager", types: Set<NoticeType> = NoticeType.usual,
    _ script: @escaping @Sendable (Notice) -> NoticeOutcome = { _ in .delivered(answer: "204") }
  ) {
    self.name = name
    self.types = types
    self.script = Mutex(script)
  }

  func answer(_ script: @escaping @Sendable (Notice) -> NoticeOutcome) { self.script.withLock { $0 = script } }
  func answer(_ outcome: NoticeOutcome) { answer { _ in outcome } }

  func deliver(_ notice: Notice) async -> NoticeOutcome {
    let outcome = script.withLock { $0 }(notice)
    tried.add(notice)
    return outcome
  }
}

/// A web server that notices are posted to.
final class Receiver: Sendable {
  struct Post: Sendable {
    let headers: HTTPHeaders
    let body: [UInt8]
    var json: JSON { (try? JSON(parsing: body)) ?? .null }
  }
  let posts = Told<Post>()
  let url: String
  private let server: HTTPServer

  init(_ answer: @escaping @Sendable (Post) -> HTTPServerResponse = { _ in HTTPServerResponse(status: 204) }) throws {
    let posts = posts
    server = HTTPServer(environment: .system) { request in
      guard request.method == "POST", request.path == "/hook" else { return HTTPServerResponse(status: 404) }
      let post = Post(headers: request.headers, body: request.body)
      defer { posts.add(post) }
      return answer(post)
    }
    url = "http://127.0.0.1:\(try server.start())/hook?token=hidden"
  }

  func close() async { await server.shutdown(drain: .seconds(5)) }
}

/// Notices over a store whose events a test appends itself.
struct NoticeBench: Sendable {
  let store: any EventStore
  let clock: FakeClock
  let environment: Environment
  var configuration = Notices.Configuration()
  /// What is in an incident; the engine of the bench has no lists.
  var sizes = IncidentSizes.unknown
  private let engine: Engine

  init(_ store: (any EventStore)? = nil, clock: FakeClock = FakeClock()) async throws {
    environment = .fake(clock: clock)
    self.clock = clock
    self.store = store ?? MemoryStore(environment: environment)
    engine = Engine(store: self.store, executor: ScriptedExecutor(), environment: environment)
    configuration.lookEvery = .zero
    try await self.store.own(shards: nil)
  }

  func notices(_ destinations: any NoticeDestination...) -> Notices {
    Notices(
      engine: engine, store: store, destinations: destinations, configuration: configuration, sizes: sizes,
      environment: environment)
  }

  /// Runs them until `body` has ended.
  func run(
    _ destinations: any NoticeDestination..., body: (Notices) async throws -> Void
  ) async throws {
    let notices = Notices(
      engine: engine, store: store, destinations: destinations, configuration: configuration, sizes: sizes,
      environment: environment)
    let running = Task { await notices.run() }
    // A destination is new until it has been written down where it begins.
    for destination in destinations {
      try await eventually("destination \(destination.name) is stored") {
        try await store.document(collection: DeliveryRecord.collection, id: destination.name) != nil
      }
    }
    let result: Result<Void, any Error>
    do { result = .success(try await body(notices)) } catch { result = .failure(error) }
    running.cancel()
    await running.value
    try result.get()
  }

  /// Appends to a stream in which an undo failed for good. Its beginning can't be read; notices are sent anyway.
  @discardableResult
  func append(_ step: String, shard: Int? = nil) async throws -> UniqueID {
    try await append("undoFailed", Self.undoFailed(step), shard: shard)
  }

  static func undoFailed(_ step: String) -> JSON {
    ["step": .string(step), "failure": ["code": "E", "message": "no"], "blocks": true]
  }

  @discardableResult
  func append(_ type: String, _ data: JSON, meta: String = #"{"schema":1}"#, shard: Int? = nil) async throws -> UniqueID
  {
    var stream = environment.newID()
    while let shard, store.shard(of: stream) != shard { stream = environment.newID() }
    try await append(type, data, meta: meta, to: stream, after: 0)
    return stream
  }

  func append(
    _ type: String, _ data: JSON, meta: String = #"{"schema":1}"#, to stream: UniqueID, after version: Int
  ) async throws {
    let event = NewEvent(type: type, data: data.bytes(), meta: Array(meta.utf8))
    _ = try await store.append(
      Append(stream: stream, expectedVersion: version, events: [event], appendID: environment.newID()))
  }

  /// Waits until the status of the first destination is as wanted.
  @discardableResult
  func status(_ notices: Notices, until isSo: (NoticeStatus) -> Bool) async throws -> NoticeStatus {
    try await eventualValue("the status is as wanted") {
      let status = try await notices.status()[0]
      return isSo(status) ? status : nil
    }
  }

  /// Moves the clock from try to try until the status of the first destination is as wanted. Never further: while an answer is
  /// on its way, a clock that ran on would have days pass, and the notice given up.
  func advance(_ notices: Notices, until isSo: (NoticeStatus) -> Bool) async throws {
    try await eventually("the status is as wanted", every: .milliseconds(2)) {
      let status = try await notices.status()[0]
      if isSo(status) { return true }
      if let next = status.nextTryAt { clock.advance(to: next) }
      return false
    }
  }

  /// Moves the clock to the next try, once it is known when that is.
  func advanceToNextTry(_ notices: Notices) async throws {
    let next = try #require(try await status(notices) { $0.nextTryAt ?? clock.now() > clock.now() }.nextTryAt)
    await clock.waitForSleepers { $0.contains { $0 <= next } }
    clock.advance(to: next)
  }

  /// Moves the clock to the next try, and waits until it has been made.
  func nextTry(_ notices: Notices, _ destination: ScriptedDestination) async throws {
    let count = destination.tried.all.count
    try await advanceToNextTry(notices)
    await destination.tried.wait(for: count + 1)
  }
}

/// A file for a store, in a folder of its own.
struct TemporaryStoreFile {
  private let folder: URL

  init() throws { folder = try TestFolder.new("notices") }

  func open(_ environment: Environment) async throws -> SQLiteStore {
    try await SQLiteStore.open(path: folder.appendingPathComponent("engine.db").path, environment: environment)
  }
}

extension [Notice] {
  /// The steps that they are about.
  var steps: [String] { map { $0.details["step"]?.stringValue ?? "" } }
}
