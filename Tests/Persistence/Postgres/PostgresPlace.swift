import Foundation
import Runtime
import Synchronization
import Testing
import Values

@testable import Persistence
@testable import PostgresPersistence

/// A schema of its own in the test server for one test.
struct PostgresPlace: Sendable {
  static let url = ProcessInfo.processInfo.environment["TRACSEQ_TEST_POSTGRES"]

  let url: String
  let name: String
  /// Sessions break and come back in real time.
  let environment = Environment.system

  /// Limits that a busy machine doesn't reach.
  var configuration: PostgresConfiguration { .patient(url: url, name: name, shardCount: 4) }

  /// The product's limits, for the tests of these limits.
  var strictConfiguration: PostgresConfiguration {
    PostgresConfiguration(url: url, name: name, shardCount: 4, ownershipPatience: .zero)
  }

  func open() async throws -> PostgresStore {
    try await PostgresStore.open(configuration, environment: environment)
  }

  func append(_ stream: UniqueID, at version: Int = 0, count: Int = 1, id: UniqueID? = nil) -> Append {
    Append(
      stream: stream, expectedVersion: version,
      events: (0..<count).map { NewEvent(type: "sample.moved", data: Array("{\"n\":\(version + $0 + 1)}".utf8)) },
      appendID: id ?? environment.newID())
  }

  /// A session beside the store's, as an operator's would be.
  func session(_ body: @Sendable (PostgresConnection) throws(PostgresError) -> Void) async throws {
    try await Beside().run(PostgresSettings(url: url, applicationName: "tests", session: [("search_path", name)]), body)
  }

  /// The first column of what a statement without parameters gives, as numbers.
  func numbers(_ text: String) async throws -> [Int64] {
    try await Beside().run(PostgresSettings(url: url, applicationName: "tests", session: [("search_path", name)])) {
      (connection) throws(PostgresError) in
      var numbers: [Int64] = []
      for row in try connection.run(PostgresCall(PostgresStatement("numbers", text))).rows {
        numbers.append(try row.int8(0))
      }
      return numbers
    }
  }
}

extension PostgresConfiguration {
  /// Limits that a busy machine doesn't reach: the server gets five minutes for each statement of a list, and for each
  /// answer. A store that finds its shards owned by another one doesn't wait for them.
  static func patient(url: String, name: String, shardCount: Int = Shard.defaultCount) -> PostgresConfiguration {
    PostgresConfiguration(
      url: url, name: name, shardCount: shardCount, connectTimeout: .seconds(60), patience: .seconds(300),
      stallAfter: .seconds(60), writerSilence: .seconds(60), reconnectTimeout: .seconds(60),
      readReconnectTimeout: .seconds(60), ownershipPatience: .zero, idleSessionTimeout: .seconds(180),
      statementTimeout: .seconds(300), lockTimeout: .seconds(60))
  }
}

/// Blocking calls have a thread of their own in tests too.
private actor Beside {
  nonisolated private let executor = QueueExecutor(label: "tracseq.tests.postgres")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  func run<Value: Sendable>(
    _ settings: PostgresSettings, _ body: @Sendable (PostgresConnection) throws(PostgresError) -> Value
  ) throws(PostgresError) -> Value {
    try body(try PostgresConnection(settings))
  }
}

/// Runs a test in a schema of its own, and drops it afterwards.
func withPostgres(_ body: @Sendable (PostgresPlace) async throws -> Void) async throws {
  guard let url = PostgresPlace.url else {
    if ProcessInfo.processInfo.environment["CI"] != nil {
      Issue.record("TRACSEQ_TEST_POSTGRES isn't set, and under CI every store is tested")
      return
    }
    try Test.cancel("TRACSEQ_TEST_POSTGRES isn't set: see scripts/with-postgres")
  }
  let id = Environment.system.newID().description.filter { $0 != "-" }
  let place = PostgresPlace(url: url, name: "test_\(id)")
  do {
    try await body(place)
  } catch {
    try await dropPostgresStore(place.name, url: url)
    throw error
  }
  try await dropPostgresStore(place.name, url: url)
}

/// Removes a store with everything in it.
func dropPostgresStore(_ name: String, url: String) async throws {
  try await PostgresPlace(url: url, name: name).session { (connection) throws(PostgresError) in
    try connection.runScript("DROP SCHEMA IF EXISTS \(name) CASCADE; DROP SCHEMA IF EXISTS \(name)_read CASCADE")
  }
}

/// Texts that a session reads.
final class Lines: Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  func add(_ line: String) { lines.withLock { $0.append(line) } }
}
