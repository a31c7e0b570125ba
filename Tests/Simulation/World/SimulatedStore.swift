import Persistence
import Runtime
import TestSupport
import Values
import WorkflowEngine

/// One engine's connection to the store. What the store has taken stays; this connection is slow, breaks, loses answers,
/// meets another writer, and is gone when its engine's life is over.
final class SimulatedStore: StoreInFront {
  let store: any EventStore
  private let world: World
  private let life: Life

  init(world: World, life: Life) {
    store = world.memory
    self.world = world
    self.life = life
  }

  func append(_ append: Append) async throws(StoreError) -> Appended {
    try check()
    let weather = world.weather(of: append)
    await pause(weather.pause)
    try check()
    try reach()
    let stop = world.stop(atAppendOf: life)
    if let stop, !stop.isTaken {
      world.crash(life)
      throw .closed
    }
    if weather.isRefused { throw .unavailable("the connection broke before the append") }
    if weather.meetsAnother { await world.interfere(in: append.stream) }
    let result: Appended
    if world.fault == .answersBeforeAppend, let appended = world.answerBeforeAppend(append, life) {
      result = appended
    } else {
      result = try await store.append(append)
      world.note(append)
    }
    if let stop, stop.isTaken {
      world.crash(life)
      throw .closed
    }
    await pause(weather.answerPause)
    try check()
    if weather.losesAnswer { throw .outcomeUnknown("the connection broke before the answer") }
    world.noteAnswer(append)
    return result
  }

  private func pause(_ time: Duration) async {
    guard time > .zero else { return }
    do { try await world.clock.wait(until: world.clock.now + time, life: life.number) } catch {}
  }

  private func check() throws(StoreError) { if life.isOver { throw .closed } }

  private func reach() throws(StoreError) { if world.isStoreAway { throw .unavailable("an outage") } }

  // MARK: What is read

  func own(shards: Set<Int>?) async throws(StoreError) {
    try check()
    try reach()
    try await store.own(shards: shards)
  }

  func read(_ stream: UniqueID, after version: Int, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try check()
    try reach()
    if world.fault == .answersBeforeAppend { await world.appendHeld(stream, life) }
    return try await store.read(stream, after: version, limit: limit)
  }

  func tail(shard: Int, after position: Int64, limit: Int) async throws(StoreError) -> [StoredEvent] {
    try check()
    try reach()
    return try await store.tail(shard: shard, after: position, limit: limit)
  }

  func snapshot(of stream: UniqueID) async throws(StoreError) -> Snapshot? {
    try check()
    try reach()
    return try await store.snapshot(of: stream)
  }

  func save(_ snapshot: Snapshot) async throws(StoreError) {
    try check()
    try reach()
    try await store.save(snapshot)
  }

  func startKey(scope: String, key: String) async throws(StoreError) -> StartKey? {
    try check()
    try reach()
    return try await store.startKey(scope: scope, key: key)
  }

  func openStreams(shard: Int?, after stream: UniqueID?, limit: Int) async throws(StoreError) -> [OpenStream] {
    try check()
    try reach()
    return try await store.openStreams(shard: shard, after: stream, limit: limit)
  }

  func put(_ definition: StoredDefinition) async throws(StoreError) -> DefinitionPut {
    try check()
    try reach()
    return try await store.put(definition)
  }

  func definitions(name: String?) async throws(StoreError) -> [StoredDefinition] {
    try check()
    try reach()
    return try await store.definitions(name: name)
  }

  func apply(_ batch: ProjectionBatch) async throws(StoreError) {
    try check()
    try await store.apply(batch)
  }

  func documents(_ query: DocumentQuery) async throws(StoreError) -> [Document] {
    try check()
    return try await store.documents(query)
  }
}
