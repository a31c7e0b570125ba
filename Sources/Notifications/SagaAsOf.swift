import JSON
import Persistence
import SagaCore
import Values
import WorkflowEngine

/// A saga just before and after one of its events, as far as its history can be read.
struct SagaAsOf {
  private(set) var before: SagaState?
  private(set) var after: SagaState?
  /// The workflow. It is known also when the history can't be folded.
  private(set) var workflow: String?
  /// Whether an event up to this one could not be read or folded.
  private(set) var isBroken = false
  /// Whether the saga was stuck according to the append before.
  private(set) var wasStuck = false

  /// - Throws: only errors that another try may not get: an unavailable or closed store.
  static func read(_ stored: StoredEvent, in store: any EventStore) async throws(StoreError) -> SagaAsOf {
    var found = SagaAsOf()
    do throws(StoreError) {
      try await found.fold(to: stored, in: store)
    } catch {
      switch error.kind {
      case .unavailable, .outcomeUnknown, .closed, .notOwner: throw error
      default: found.isBroken = true
      }
    }
    return found
  }

  private mutating func fold(to stored: StoredEvent, in store: any EventStore) async throws(StoreError) {
    var version = 0
    if let snapshot = try await store.snapshot(of: stored.stream), snapshot.version < stored.version,
      // A snapshot is only a shortcut: if it can't be read, the events are read instead.
      let state = try? SagaState(snapshot: JSON(parsing: snapshot.data, limits: .stored))
    {
      (after, workflow, version) = (state, state.start.workflow, snapshot.version)
      wasStuck = state.status == .stuck
    }
    while version < stored.version {
      let page = try await store.read(stored.stream, after: version, limit: min(500, stored.version - version))
      guard let last = page.last else {
        throw .corrupt("stream \(stored.stream) ends before its version \(version + 1)")
      }
      for event in page { take(event, isLast: event.version == stored.version, appendID: stored.appendID) }
      version = last.version
    }
  }

  private mutating func take(_ event: StoredEvent, isLast: Bool, appendID: UniqueID) {
    if event.version == 1 {
      workflow = (try? JSON(parsing: event.data, limits: .stored))?["saga"]?["workflow"]?.stringValue
    }
    if event.appendID != appendID, let status = Self.status(event) { wasStuck = status == SagaStatus.stuck.rawValue }
    if isBroken { return }
    if isLast { before = after }
    guard let decoded = try? SagaEventCoding.decode(event), let next = try? SagaState.evolve(after, decoded) else {
      isBroken = true
      return
    }
    after = next
  }

  /// Returns the saga's status after an event, from the meta of the event if it is the last of its append.
  static func status(_ event: StoredEvent) -> String? {
    (try? JSON(parsing: event.meta, limits: .stored))?["status"]?.stringValue
  }
}
