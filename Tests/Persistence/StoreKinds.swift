import Foundation
import Persistence
import Runtime
import TestSupport
import Testing
import Values

/// The stores that hold to one protocol: every conformance test runs on each.
enum StoreKind: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case memory, sqlite, postgres

  /// Those that can be tested here; `AllStoresTests` says so when one can't.
  static let tested = allCases.filter { $0 != .postgres || StoreFactories.missingPostgres == nil }

  /// Those of them that outlive their process.
  static let durable = tested.filter { $0 != .memory }

  var testDescription: String { rawValue }
}

@Suite("Which stores are tested", .timeLimit(.minutes(15)), .inTurn)
struct AllStoresTests {
  /// A case that is left out is easily overlooked in a list of passed ones; this test isn't.
  @Test("The conformance suite runs on every store")
  func everyStore() throws {
    guard let missing = StoreFactories.missingPostgres else { return }
    if ProcessInfo.processInfo.environment["CI"] != nil {
      Issue.record("\(missing), and under CI every store is tested")
      return
    }
    try Test.cancel("\(missing): the conformance suite did not run on Postgres; see scripts/with-postgres")
  }
}

/// The place of one test's store. Only that test uses it, so that tests run in parallel.
struct StorePlace: Sendable {
  let kind: StoreKind
  let clock: FakeClock
  let environment: Environment
  let shardCount: Int
  /// A file in a directory of its own, or a name within the database.
  let location: String

  /// Opens the store, which is new the first time, and takes all of its shards.
  func open() async throws -> any EventStore {
    let store = try await StoreFactories.open(self)
    try await store.own(shards: nil)
    return store
  }
}

/// Runs a test on a new store and clears up after it.
func withStore(
  _ kind: StoreKind, shardCount: Int = 4, owned: Bool = true,
  _ body: @Sendable (_ store: any EventStore, _ place: StorePlace) async throws -> Void
) async throws {
  try await withPlace(kind, shardCount: shardCount) { place in
    let store = owned ? try await place.open() : try await StoreFactories.open(place)
    do {
      try await body(store, place)
      await store.close()
    } catch {
      await store.close()
      throw error
    }
  }
}

/// As `withStore`, for tests that open and close the store themselves.
func withPlace(
  _ kind: StoreKind, shardCount: Int = 4, _ body: @Sendable (_ place: StorePlace) async throws -> Void
) async throws {
  let clock = FakeClock()
  // Unique among processes as well; what the test sees of ids and time comes from the fake environment.
  let name = Environment.system.newID().description
  let location =
    kind == .postgres
    ? "test_" + name.filter { $0 != "-" } : try TestFolder.new("store").appendingPathComponent("store.db").path
  // Stores share a Postgres: with one seed for all of them, they would take each other for the same store.
  let environment = Environment.fake(clock: clock, seed: Environment.system.random())
  let place = StorePlace(
    kind: kind, clock: clock, environment: environment, shardCount: shardCount, location: location)
  do {
    try await body(place)
    try await StoreFactories.remove(place)
  } catch {
    try await StoreFactories.remove(place)
    throw error
  }
}
