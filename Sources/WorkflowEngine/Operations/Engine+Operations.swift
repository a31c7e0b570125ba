import JSON
public import Persistence
import Runtime
import SagaCore
public import Values
import Workflows

// A verb on many sagas, and verbs that another person has to agree to.
extension Engine {
  /// Whether a verb on a saga waits for a second person (`Approvals`).
  /// - Throws: `Refusal` `saga.notFound`.
  public func needsApproval(_ verb: OperatorVerb, of id: UniqueID) async throws -> Bool {
    if configuration.approvals.isEmpty { return false }
    return approvals.cover(verb, of: try await saga(id).definition)
  }

  private var approvals: Approvals { Approvals(guarded: configuration.approvals) }

  /// Returns whether a verb waits for a second person on at least one of the sagas to which it may apply.
  private func needsApproval(_ verb: OperatorVerb) -> Bool { approvals.cover(verb, of: nil) }

  /// Returns the preview of a verb: the exact sagas, and the reason of each saga that would refuse it. Changes nothing.
  /// - Throws: `EngineError` `operation.tooMany`, or `operation.behind` when lists are too far behind the events.
  public func preview(_ verb: OperatorVerb, _ target: OperationTarget) async throws -> OperationPreview {
    let ids = try await sagas(of: target)
    let items = try await withThrowingTaskGroup(of: (Int, OperationPreview.Item).self) { group in
      var items: [OperationPreview.Item?] = Array(repeating: nil, count: ids.count)
      for (index, id) in ids.enumerated() {
        if index >= 32, let (place, item) = try await group.next() { items[place] = item }
        group.addTask { (index, try await self.item(id, verb)) }
      }
      for try await (place, item) in group { items[place] = item }
      return items.compactMap { $0 }
    }
    return OperationPreview(items: items, needsApproval: needsApproval(verb))
  }

  private func item(_ id: UniqueID, _ verb: OperatorVerb) async throws -> OperationPreview.Item {
    do {
      let now = try await saga(id)
      var refusal: OperationResult.Reason?
      do {
        let target = try host.target(of: verb, in: now.definition.name)
        try Decider.requireTaken(verb, by: now.state, now.definition, to: target, now: host.environment.now())
      } catch let error as any CodedError {
        refusal = .init(code: error.code, message: error.message)
      }
      return .init(saga: id, workflow: now.state.start.workflow, status: now.state.status, refusal: refusal)
    } catch {
      // A saga that can't be read does not hide the other sagas.
      guard let reason = OperationResult.Reason(whyNotRead: error) else { throw error }
      return .init(saga: id, workflow: nil, status: nil, refusal: reason)
    }
  }

  /// Requests a verb on one saga that a second person has to agree to.
  /// - Throws: `Refusal` when the saga doesn't take the verb in its current state.
  public func ask(_ id: UniqueID, _ request: OperatorRequest) async throws -> Operation {
    let now = try await saga(id)
    // The key has blanks, so it differs from every key of an operation. Earlier versions wrote it in another form.
    let key = request.act.commandID.map { "saga \(id) \($0)" }
    let formerKey = request.act.commandID.map { "\(id)/\($0)" }
    let asked = OperationRequest(
      request.verb, .sagas([id]), expectedVersion: request.expectedVersion,
      by: OperatorAct(by: request.act.by, reason: request.act.reason, from: request.act.from))
    // A repeat gets the same answer, whatever the saga's status is by now.
    let plan = OperationPlan(asked, needsApproval: true)
    if let known = try await operations.known(plan, key: key) { return known }
    if let known = try await operations.knownBefore(plan, key: formerKey) { return known }
    let target = try host.target(of: request.verb, in: now.definition.name)
    try Decider.requireTaken(request.verb, by: now.state, now.definition, to: target, now: host.environment.now())
    return try await begin(asked, key: key, isGuarded: true).operation
  }

  /// Begins an operation. It continues by itself, also after a restart.
  /// - Parameter key: the request's idempotency key. The same key again gives the same operation.
  /// - Throws: `EngineError` `operation.changed` when the filter finds other sagas than the preview, `.empty`,
  ///   `.tooMany`, `.behind`, `.nameless`, or `command.reused`.
  public func begin(
    _ request: OperationRequest, key: String?
  ) async throws -> (operation: Operation, isNew: Bool) {
    try await begin(request, key: key, isGuarded: false)
  }

  /// - Parameter isGuarded: true to wait for a second person, whatever the verb.
  private func begin(
    _ request: OperationRequest, key: String?, isGuarded: Bool
  ) async throws -> (operation: Operation, isNew: Bool) {
    try requireReady()
    let needsApproval = isGuarded || needsApproval(request.verb)
    if needsApproval { try OperationRules.requireName(request.act.by) }
    var plan = OperationPlan(request, needsApproval: needsApproval)
    if let known = try await operations.known(plan, key: key) { return (known, false) }
    plan.sagas = try await sagas(of: request.target)
    guard !plan.sagas.isEmpty else {
      throw EngineError(code: EngineErrorCode.operationEmpty, message: "The filter finds no saga.")
    }
    if let selection = request.selection {
      guard OperationPreview.selection(of: plan.sagas) == selection else {
        throw EngineError(
          code: EngineErrorCode.operationChanged,
          message:
            "The filter finds \(plan.sagas.count) sagas now, and not those of the preview \(selection). Look again.")
      }
    }
    return try await operations.begin(plan, key: key)
  }

  /// - Throws: `EngineError` `operation.notFound`.
  public func operation(_ id: UniqueID) async throws -> Operation { try await operations.operation(id) }

  /// Returns the number of the operation's sagas in each status now.
  public func standing(of operation: Operation) async throws -> [SagaStatus: Int] {
    let sagas = operation.plan.sagas
    var standing: [SagaStatus: Int] = [:]
    for start in stride(from: 0, to: sagas.count, by: 500) {
      let ids = Array(sagas[start..<min(start + 500, sagas.count)])
      for row in try await readModel.store.currentRows(ids) {
        if let status = SagaStatus(rawValue: row.status) { standing[status, default: 0] += 1 }
      }
    }
    return standing
  }

  /// Returns operations, the newest first.
  public func operations(
    status: Operation.Status?, after: DocumentCursor?, limit: Int
  ) async throws -> OperationPage {
    // The list includes what this engine has begun.
    let written = await operations.written
    let clock = host.environment.clock
    let deadline = host.environment.now() + Self.longestLag
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [auditor] in try? await auditor.caughtUp(to: written) }
      group.addTask { try? await clock.sleep(until: deadline) }
      await group.next()
      group.cancelAll()
    }
    var query = DocumentQuery(
      collection: OperationDocuments.collection, after: after, descending: true, limit: limit + 1)
    query.fields["status"] = status?.rawValue
    let documents = try await host.events.documents(query)
    let rows = try documents.prefix(limit).map { try JSON(parsing: $0.data, limits: .stored) }
    return OperationPage(operations: rows, next: documents.count > limit ? documents[limit - 1].cursor : nil)
  }

  /// Approves an operation that waits for a second person.
  /// - Throws: `EngineError` `operation.samePerson`, `.nameless`, or `.notWaiting`.
  public func approve(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation {
    let decision = decision(act)
    return try await operations.decide(id) { operation in
      try OperationRules.checkApproval(operation, by: act)
      return .approved(decision)
    }
  }

  /// Declines an operation. The requester may decline too, to withdraw the request.
  public func decline(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation {
    let decision = decision(act)
    return try await operations.decide(id) { operation in
      try OperationRules.requireWaiting(operation)
      return .declined(decision)
    }
  }

  /// Stops an operation before it is complete. Its effects so far remain.
  /// - Throws: `EngineError` `operation.ended`.
  public func stop(_ id: UniqueID, _ act: OperatorAct) async throws -> Operation {
    let decision = decision(act)
    return try await operations.decide(id) { operation in
      try OperationRules.requireOpen(operation)
      return .stopped(decision)
    }
  }

  private func decision(_ act: OperatorAct) -> OperationDecision {
    OperationDecision(by: act.by, reason: act.reason, from: act.from, at: host.environment.now())
  }

  // MARK: Which sagas

  private func sagas(of target: OperationTarget) async throws -> [UniqueID] {
    switch target {
    case .sagas(let ids):
      try OperationRules.requireFew(ids.count)
      return ids
    case .filter(var query, _):
      var heads: [Int: Int64] = [:]
      for shard in 0..<host.events.shardCount { heads[shard] = try await host.events.head(shard: shard) }
      guard try await readModel.caughtUp(to: heads, within: Self.longestLag) else {
        throw EngineError(
          code: EngineErrorCode.operationBehind,
          message: "Lists are too far behind to choose sagas by; ask again when they have caught up.")
      }
      query.sort = .oldest
      var ids: [UniqueID] = []
      var after: SagaCursor?
      repeat {
        let page = try await readModel.store.list(query, after: after, limit: 500)
        ids += page.rows.map(\.id)
        after = page.next
        try OperationRules.requireFew(ids.count)
      } while after != nil
      return ids
    }
  }

  /// Returns the operations that were under way or waiting when the engine stopped.
  func unfinishedOperations() async throws -> [UniqueID] {
    try await auditor.waitUntilCaughtUp()
    var query = DocumentQuery(collection: OperationDocuments.collection, limit: 500)
    query.fields["status"] = Operation.Status.running.rawValue
    var ids: [UniqueID] = []
    while true {
      let page = try await host.events.documents(query)
      ids += page.compactMap { UniqueID($0.id) }
      guard page.count == query.limit else { return ids }
      query.after = page.last?.cursor
    }
  }
}

extension OperationPlan {
  /// Creates the request's plan, with its sagas when they were named.
  init(_ request: OperationRequest, needsApproval: Bool) {
    var (filter, sagas): (JSON?, [UniqueID]) = (nil, [])
    switch request.target {
    case .filter(_, let asked): filter = asked
    case .sagas(let ids): sagas = ids
    }
    self.init(
      verb: request.verb, filter: filter, sagas: sagas, pace: request.pace, expectedVersion: request.expectedVersion,
      act: request.act, needsApproval: needsApproval)
  }
}

extension OperationResult.Reason {
  /// Creates the reason why a saga can't be acted on, when another try doesn't help.
  /// - Returns: nil for a store that is temporarily unavailable, and for a cancelled task.
  init?(whyNotRead error: any Error) {
    switch error {
    case let error as StoreError where SagaHost.isWorthRepeating(error): return nil
    case is CancellationError: return nil
    case let error as any CodedError: self.init(code: error.code, message: error.message)
    default: self.init(code: EngineErrorCode.eventUnreadable, message: "The saga can't be read: \(error)")
    }
  }
}

/// The rules for every operation.
enum OperationRules {
  static func requireFew(_ count: Int) throws(EngineError) {
    guard count <= OperationRunner.mostSagas else {
      throw EngineError(
        code: EngineErrorCode.operationTooMany,
        message:
          "An operation is for \(OperationRunner.mostSagas) sagas at most; narrow the filter, as by startedBefore."
      )
    }
  }

  /// Two requests without a name may come from one person, so both people must give their names.
  static func requireName(_ user: String) throws(EngineError) {
    guard !PersonName(user).looksLike(PersonName("anonymous")) else {
      throw EngineError(
        code: EngineErrorCode.operationNameless,
        message: "This waits for a second person, so both must say who they are (Saga-User, --user).")
    }
  }

  static func requireWaiting(_ operation: Operation) throws(EngineError) {
    guard operation.status == .waiting else {
      throw EngineError(
        code: EngineErrorCode.operationNotWaiting,
        message: "The operation is \(operation.status.rawValue) and does not wait for anybody to agree.")
    }
  }

  static func checkApproval(_ operation: Operation, by act: OperatorAct) throws(EngineError) {
    try requireWaiting(operation)
    try requireName(act.by)
    let (asker, user) = (operation.plan.act.by, act.by)
    let looksAlike = PersonName(asker).looksLike(PersonName(user))
    let usesSame = credential(operation.plan.act.from).map { $0 == credential(act.from) } ?? false
    guard looksAlike || usesSame else { return }
    let why =
      asker.hasSameScalars(as: user)
      ? "" : looksAlike ? " “\(user)” looks the same, and counts as the same person." : " “\(user)” is the same caller."
    throw EngineError(
      code: EngineErrorCode.operationSamePerson,
      message: "\(asker) asked for this; another person has to agree to it.\(why)")
  }

  /// Returns the credential that an origin ends with, such as `key 3f2a91c04d17` or `oidc 248289761001`. Some providers let
  /// people change their name, and the owner of a file of keys can change a key's name: the credential stays.
  /// - Parameter origin: the client, its address, and the credential, with blanks between.
  /// - Returns: nil without a credential, and for a key that speaks for others, which several people share. The origin then
  ///   ends with the key's owner in brackets.
  private static func credential(_ origin: String?) -> String? {
    let parts = origin?.split(separator: " ", maxSplits: 2) ?? []
    guard parts.count == 3 else { return nil }
    let isShared = parts[2].hasPrefix("key ") && parts[2].hasSuffix(")")
    return isShared ? nil : String(parts[2])
  }

  static func requireOpen(_ operation: Operation) throws(EngineError) {
    guard !operation.status.isEnd else {
      throw EngineError(
        code: EngineErrorCode.operationEnded, message: "The operation is \(operation.status.rawValue) already.")
    }
  }
}
