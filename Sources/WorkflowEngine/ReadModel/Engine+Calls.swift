import JSON
import Persistence
import Runtime
public import SagaCore
public import Values
import Workflows

/// One page of a saga's calls.
public struct CallPage: Sendable {
  /// In the order of the history: the newest last.
  public let calls: [PastCall]
  /// The version after which the next page begins; nil on the last page.
  public let next: Int?

  public init(calls: [PastCall], next: Int?) {
    self.calls = calls
    self.next = next
  }
}

extension CallPage {
  package init(_ trail: CallTrail) {
    self.init(calls: trail.calls, next: trail.hasMore ? trail.calls.last?.version : nil)
  }
}

extension Engine {
  /// Returns what a saga sent to participants, and what they answered.
  /// - Parameters:
  ///   - step: the step whose calls are wanted; nil for all steps.
  ///   - version: calls that the history knows by an event up to this version are left out.
  ///   - limit: the most calls of the page.
  /// - Throws: `Refusal` `saga.notFound` or `step.unknown`.
  public func calls(
    of id: UniqueID, step: String?, after version: Int, limit: Int
  ) async throws -> CallPage {
    let state = try await host.state(of: id)
    if let step, state.step(step) == nil {
      throw Refusal(EngineErrorCode.stepUnknown, "The saga has no step “\(step)”.")
    }
    // With the saga's definition, the cache has every definition that it followed before.
    _ = try await host.definitions.definition(of: state.definition)
    let definition: @Sendable (SagaDefinition) -> WorkflowDefinition? = { [definitions = host.definitions] in
      definitions.known($0)
    }
    var reading = Reading(
      fold: SagaFold(try await host.history.snapshot(of: id, upTo: version)),
      trail: CallTrail(step: step, after: version, limit: limit, definition), definition: definition)
    var pages = host.history.pages(of: id, after: reading.fold.version)
    while !reading.trail.isDone, let page = try await pages.next() {
      // A call is rendered again, and that may take a while.
      let before = reading
      reading = try await Task(executorPreference: host.computing) {
        var reading = before
        try reading.take(page)
        return reading
      }.value
    }
    return CallPage(reading.trail)
  }

  /// A history as far as it has been read.
  private struct Reading: Sendable {
    var fold: SagaFold
    var trail: CallTrail
    /// Returns a definition that the saga followed.
    let definition: @Sendable (SagaDefinition) -> WorkflowDefinition?

    mutating func take(_ page: [StoredEvent]) throws {
      for stored in page where !trail.isDone {
        let event = try SagaEventCoding.decode(stored)
        if let state = fold.state { trail.note(event, version: stored.version, before: state) }
        try fold.take(stored)
        if trail.mayRender(after: stored.version) {
          if let definition = fold.state.flatMap({ definition($0.definition) }) { fold.loadItems(by: definition) }
        }
        guard let state = fold.state else { continue }
        // The meta of the last event of an append has the saga's status.
        let isEnd = try SagaEventCoding.json(stored.meta, of: stored)["status"] != nil
        trail.noteFolded(state, isEndOfAppend: isEnd)
      }
    }
  }
}
