import JSON
import Persistence
import SagaCore
import Values
import WorkflowEngine

/// A saga just before and after one of its events, as far as its history can be read.
struct SagaAsOf {
  private(set) var before: SagaState?
  private var fold: SagaFold
  /// The workflow. It is known also when the history can't be folded.
  private(set) var workflow: String?
  /// Whether the saga was stuck according to the append before.
  private(set) var wasStuck = false
  /// Whether the store could not read all events.
  private var isCut = false

  var after: SagaState? { fold.state }
  var start: SagaStart? { fold.start }
  /// Whether an event up to this one could not be read or folded.
  var isBroken: Bool { fold.isBroken || isCut }

  /// - Throws: only errors that another try may not get: an unavailable or closed store.
  static func read(_ stored: StoredEvent, in store: any EventStore) async throws(StoreError) -> SagaAsOf {
    var found = SagaAsOf(fold: SagaFold())
    do throws(StoreError) {
      try await found.fold(to: stored, in: SagaHistory(store))
    } catch {
      switch error.kind {
      case .unavailable, .outcomeUnknown, .closed, .notOwner: throw error
      default: found.isCut = true
      }
    }
    return found
  }

  private mutating func fold(to stored: StoredEvent, in history: SagaHistory) async throws(StoreError) {
    fold = SagaFold(try await history.snapshot(of: stored.stream, upTo: stored.version - 1))
    workflow = start?.workflow
    wasStuck = after?.status == .stuck
    var pages = history.pages(of: stored.stream, after: fold.version, upTo: stored.version)
    while let page = try await pages.next() {
      for event in page { take(event, isLast: event.version == stored.version, appendID: stored.appendID) }
    }
    isCut = pages.version < stored.version
  }

  private mutating func take(_ event: StoredEvent, isLast: Bool, appendID: UniqueID) {
    if event.version == 1 {
      workflow = (try? JSON(parsing: event.data, limits: .stored))?["saga"]?["workflow"]?.stringValue
    }
    if event.appendID != appendID, let status = Self.status(event) { wasStuck = status == SagaStatus.stuck.rawValue }
    if isLast { before = after }
    _ = try? fold.take(event)
  }

  /// Returns the saga's status after an event, from the meta of the event if it is the last of its append.
  static func status(_ event: StoredEvent) -> String? {
    (try? JSON(parsing: event.meta, limits: .stored))?["status"]?.stringValue
  }
}
