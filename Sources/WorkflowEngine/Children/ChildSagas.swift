import JSON
import Persistence
import Runtime
import SagaCore
import Synchronization
import Values
import Workflows

// Parents and children. A step's attempt starts a child under an id that follows from the step's key, so a repeat finds
// the same child. The end of a child is reported to its parent. When a parent comes back into memory, the engine looks
// once at each child for which it waits, because the end of a child may have been stored without the report.
extension SagaHost {
  /// Starts the child of a step or of its undo, or turns the step's child back when the step is undone. While the store does not answer, it asks again:
  /// until then it is not known whether an earlier process has started the child.
  /// - Returns: the report on the attempt. Nil when the end of the child will be the report, and when the engine stops: the
  ///   next start of the engine makes the attempt again.
  func perform(_ call: StepCall, _ action: RenderedWorkflow) async -> SagaCommand? {
    let key = action.key.map { NewStartKey(scope: action.name, key: $0, digest: Self.digest(action.input)) }
    let forwardKey = action.turnsBack ? call.compensates : nil
    let child = ChildID.of(forwardKey ?? call.idempotencyKey, parent: call.saga, startKey: key, in: events)
    var failures = 0
    while !isStopped, !Task.isCancelled {
      do {
        return action.turnsBack ? try await turnBack(child, call) : try await start(child, call, action, key)
      } catch let refusal as Refusal {
        let failure = StepFailure(code: refusal.code, message: refusal.message)
        // A child that the engine does not read may have been started by an earlier process.
        return call.report(refusal.code == EngineErrorCode.sagaHeld ? .unknown(failure) : .failed(failure))
      } catch let error as StoreError {
        switch error.kind {
        case .unavailable, .outcomeUnknown, .notOwner, .versionConflict: break
        case .closed: return nil
        case .startKeyTaken, .claimTaken, .definitionConflict, .checkpointConflict, .invalid, .corrupt, .locked,
          .foreign, .newerVersion, .olderVersion:
          return call.report(
            .unknown(StepFailure(code: error.code, message: error.message, isRetryable: true)))
        }
        failures += 1
        await rest(after: failures)
      } catch {
        return call.report(
          .unknown(StepFailure(code: EngineErrorCode.historyImpossible, message: "\(error)", isRetryable: true)))
      }
    }
    return nil
  }

  private static func digest(_ input: JSON) -> [UInt8] { Digest.sha256(input.bytes(.canonical)) }

  // MARK: Start

  private func start(
    _ id: UniqueID, _ call: StepCall, _ action: RenderedWorkflow, _ key: NewStartKey?
  ) async throws -> SagaCommand {
    if let existing = try await existing(id) { return started(existing.start, call) }
    guard let workflow = definitions.entry(named: action.name, version: action.version) else {
      let which = action.version.map { " version \($0)" } ?? ""
      throw Refusal(
        EngineErrorCode.workflowNotFound,
        "There is no workflow “\(action.name)”\(which), which the step starts. Register it, then retry the step.")
    }
    let definition = workflow.definition
    if let refusal = definition.refusal(ofInput: action.input) { throw refusal }
    let parent = try await state(of: call.saga).start
    let now = environment.now()
    let start = SagaStart(
      id: id, workflow: definition.name, version: definition.version, definitionDigest: workflow.digest,
      steps: definition.steps.map(\.id), input: action.input, deadline: now + definition.timeout,
      idempotencyKey: action.key, tags: [], by: parent.by, from: "saga \(call.saga)",
      parent: ParentLink(
        saga: call.saga, step: call.step, key: call.idempotencyKey, depth: (parent.parent?.depth ?? 0) + 1))
    do {
      return started(try await self.start(start, definition: definition, key: key).start, call)
    } catch let error as StoreError {
      guard case .startKeyTaken(let taken) = error.kind, taken.stream != id else { throw error }
      throw Refusal(
        EngineErrorCode.sagaStartKeyReused,
        "The key “\(taken.key)” has started saga \(taken.stream) of “\(action.name)” before: a child needs a key of its own."
      )
    }
  }

  private func started(_ child: SagaStart, _ call: StepCall) -> SagaCommand {
    .child(
      ChildReport(
        step: call.step, round: call.round, phase: call.phase,
        .started(ChildLink(saga: child.id, workflow: child.workflow, version: child.version))))
  }

  /// Returns a child as it is stored; nil when there is none.
  /// - Throws: `store.unavailable` while an earlier attempt may still start it.
  private func existing(_ id: UniqueID) async throws -> SagaState? {
    if await isStarting(id) { throw StoreError.unavailable("the start of child \(id) is not confirmed yet") }
    do {
      return try await state(of: id)
    } catch let refusal as Refusal where refusal.code == EngineErrorCode.sagaNotFound {
      return nil
    }
  }

  // MARK: Undo

  private func turnBack(_ id: UniqueID, _ call: StepCall) async throws -> SagaCommand? {
    guard try await existing(id) != nil else {
      // No attempt of the step starts it any more: the step is being undone.
      return call.report(
        .failed(
          StepFailure(
            code: EngineErrorCode.sagaNotFound, message: "The step has started no child.", isGone: true,
            keepsTombstones: true)))
    }
    let child = try await ask(id, .undoForParent)
    return await reportOnEnd(of: child).map { .child($0) }
  }

  // MARK: The end of a child

  /// Reports the end of a child to its parent. The parent learns it after a restart at the latest.
  func childEnded(_ child: SagaState) {
    guard let parent = child.start.parent else { return }
    Task(executorPreference: computing) {
      guard let report = await self.reportOnEnd(of: child) else { return }
      await self.tell(parent.saga, .child(report))
      self.watched.withLock { _ = $0.remove(child.id) }
    }
  }

  /// Looks at the children for which a saga waits, at each of them once. Later ends come as reports.
  func watchChildren(of parent: SagaState) {
    for child in parent.awaitedChildren {
      guard watched.withLock({ $0.insert(child.saga).inserted }) else { continue }
      Task(executorPreference: computing) { await self.look(at: child.saga) }
    }
  }

  private func look(at child: UniqueID) async {
    var failures = 0
    while true {
      do {
        let state = try await state(of: child)
        if state.end != nil { childEnded(state) }
        return
      } catch {
        guard let trouble = error as? StoreError, Self.isWorthRepeating(trouble), !isStopped else {
          log.error("A child can't be read; its parent goes on waiting", ("child", "\(child)"), ("error", "\(error)"))
          return
        }
        failures += 1
        await rest(after: failures)
      }
    }
  }

  /// The child's definition says whether a pivot that an operator skipped is passed.
  private func reportOnEnd(of child: SagaState) async -> ChildReport? {
    guard child.end != nil else { return nil }
    let definition: WorkflowDefinition?
    do {
      definition = try await definitions.definition(of: child.definition)
    } catch {
      log.warning(
        "The workflow of a child can't be read", ("child", "\(child.id)"), ("error", "\(error)"))
      definition = nil
    }
    return ChildReport(endOf: child, definition: definition)
  }
}

/// The ids of children.
enum ChildID {
  /// The most ids that are tried for one in the shard of a start key. A store has at most 1,024 shards.
  private static let mostTries = 100_000

  /// Returns the id of the child of a round, or of its undo: a version 7 id with the time of the parent's id, and the hash of the key.
  /// - Parameters:
  ///   - key: the idempotency key of the round, or of its undo.
  ///   - startKey: the child's own start key. Its id is in the shard of that key.
  static func of(
    _ key: String, parent: UniqueID, startKey: NewStartKey?, in events: any EventStore
  ) -> UniqueID {
    let shard = startKey.map { events.shard(ofKey: $0.scope, $0.key) }
    for number in 0..<mostTries {
      let id = id(key, number, parent: parent)
      if shard.map({ events.shard(of: id) == $0 }) ?? true { return id }
    }
    return id(key, 0, parent: parent)
  }

  private static func id(_ key: String, _ number: Int, parent: UniqueID) -> UniqueID {
    let hash = UniqueID.derived(from: "child \(number) \(key)")
    return .version7(at: Timestamp(milliseconds: Int64(parent.high >> 16)), random: (hash.high, hash.low << 2))
  }
}
