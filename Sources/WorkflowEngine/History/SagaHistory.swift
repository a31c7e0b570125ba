import JSON
import Persistence
import SagaCore
import Values
import Workflows

/// The stored histories of sagas. Every reader of a saga's past begins here: the newest snapshot, then the events after
/// it, page by page.
package struct SagaHistory: Sendable {
  private let store: any EventReading & SnapshotStore

  package init(_ store: any EventReading & SnapshotStore) { self.store = store }

  /// Returns the newest snapshot of a saga; nil when it is newer than `version`.
  package func snapshot(of id: UniqueID, upTo version: Int = .max) async throws(StoreError) -> Snapshot? {
    let snapshot = try await store.snapshot(of: id)
    return snapshot.flatMap { $0.version <= version ? $0 : nil }
  }

  /// Returns the events of a stream after `version`, up to `last`, page by page.
  package func pages(of id: UniqueID, after version: Int = 0, upTo last: Int = .max) -> EventPages {
    store.pages(of: id, after: version, upTo: last)
  }

  /// Folds a saga up to a version, from the newest snapshot that is not newer.
  /// - Returns: the fold. Its version is lower than `version` when the stream has no more events. It is broken when an
  ///   event could not be read.
  package func fold(_ id: UniqueID, upTo version: Int) async throws(StoreError) -> SagaFold {
    var fold = SagaFold(try await snapshot(of: id, upTo: version))
    var pages = pages(of: id, after: fold.version, upTo: version)
    while let page = try await pages.next() {
      for event in page { _ = try? fold.take(event) }
    }
    return fold
  }
}

/// A saga as far as its events have been folded.
package struct SagaFold: Sendable {
  /// The version of the last event that was taken, folded or not.
  package private(set) var version = 0
  /// The saga's state; nil before the first event, and after an event that could not be folded.
  package private(set) var state: SagaState?
  /// The start of the saga. It is known also when a later event could not be folded.
  package private(set) var start: SagaStart?
  /// Whether an event could not be read or folded. Later events can't be folded then.
  package private(set) var isBroken = false

  package init() {}

  /// Continues from a snapshot. A snapshot is only a shortcut: when it can't be read, the fold begins with the first
  /// event.
  package init(_ snapshot: Snapshot?) {
    guard let snapshot, let state = try? SagaState(snapshotText: snapshot.data) else { return }
    (self.state, start, version) = (state, state.start, snapshot.version)
  }

  /// Folds one more event, in place.
  /// - Returns: the event; nil when an event before it could not be folded.
  /// - Throws: `UnreadableEvent` or `HistoryError` when this event can't be folded.
  @discardableResult
  package mutating func take(_ stored: StoredEvent) throws -> SagaEvent? {
    version = stored.version
    if isBroken { return nil }
    do {
      let event = try SagaEventCoding.decode(stored)
      try SagaState.evolve(&state, event)
      start = start ?? state?.start
      return event
    } catch {
      breakOff(at: stored.version)
      throw error
    }
  }

  /// Opens the sealed values of the saga.
  mutating func open(with opener: ValueOpener) { state?.opener = opener }

  /// Computes the items of the saga's steps, where they are not known yet. Calls of items are rendered with them.
  mutating func loadItems(by definition: WorkflowDefinition) { state?.loadItems(by: definition) }

  /// Stops folding at a version, because events before it are missing.
  package mutating func breakOff(at version: Int) {
    (self.version, state, isBroken) = (version, nil, true)
  }
}
