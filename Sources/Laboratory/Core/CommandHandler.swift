import JSON
import Persistence
import Runtime
import Synchronization
import Values

/// Carries out commands: looks up the key, loads the aggregate, decides, and appends once.
///
/// The key is claimed in the transaction of the command's events, together with the first answer. So a command takes
/// effect once, even when it comes several times at once, and its answer survives a restart. A refusal has no effect and
/// is not recorded: a repeat is decided again.
final class CommandHandler: Sendable {
  let store: any EventStore
  let environment: Environment
  /// The last position written here, by shard. A query waits until the read models have reached it.
  private let written = Mutex<[Int: Int64]>([:])

  /// One retry, when another command wrote to the stream between the read and the append.
  private static let tries = 2
  /// The largest number of events in one read.
  private static let page = 500

  /// Called with the claims and releases of each committed command.
  typealias Committed = @Sendable (_ claims: [LabClaim], _ releases: [LabClaim]) async -> Void
  private let committed: Committed

  init(store: any EventStore, environment: Environment, committed: @escaping Committed = { _, _ in }) {
    self.committed = committed
    self.store = store
    self.environment = environment
  }

  /// Carries out a command on the aggregate with this id.
  /// - Parameters:
  ///   - decide: returns the events. After a conflict it is called again with the newer state.
  ///   - answer: returns the answer for the new state.
  /// - Returns: the answer, and whether an earlier call gave it.
  func perform<A: Aggregate>(
    _ call: CommandCall, on id: UniqueID, as _: A.Type,
    decide: @Sendable (A) throws(LabRefusal) -> [A.Event], answer: @Sendable (A) -> Answer
  ) async throws -> (answer: Answer, repeated: Bool) {
    if let first = try await firstAnswer(to: call) { return (first, true) }
    for _ in 0..<Self.tries {
      let (state, version) = try await load(A.self, id)
      let events: [A.Event]
      do throws(LabRefusal) {
        events = try decide(state)
      } catch {
        // The same call may just have taken effect, and may be the cause of this refusal.
        if let first = try await firstAnswer(to: call) { return (first, true) }
        throw error
      }
      for claim in events.flatMap(\.claims) {
        if let older = try await olderClaim(claim) { throw refusal(of: older) }
      }
      let given = answer(events.reduce(state, A.evolve))
      let key = NewClaim(
        scope: call.scope, value: call.key, data: Remembered.answered(given, digest: call.digest).bytes)
      switch try await append(events, to: A.self, id, version, call, keys: [key]) {
      case .committed: return (given, false)
      case .conflict: continue
      case .taken(let claim):
        guard claim.scope == call.scope, claim.value == call.key else { throw refusal(of: claim) }
        return (try judge(Remembered(claim.data), call), true)
      }
    }
    throw LabRefusal.conflict("The \(A.name) \(id) is being changed by others. Try again.")
  }

  /// Carries out a command that undoes another. When the other command has not come yet, it is refused from now on.
  /// - Parameter creates: whether the other command would have been the aggregate's first.
  func undo<A: Aggregate>(
    _ call: CommandCall, on id: UniqueID, as _: A.Type, creates: Bool,
    decide: @Sendable (A) throws(LabRefusal) -> [A.Event], answer: @Sendable (A) -> Answer
  ) async throws -> Answer {
    guard let forward = call.compensates else {
      return try await perform(call, on: id, as: A.self, decide: decide, answer: answer).answer
    }
    for _ in 0..<Self.tries + 1 {
      if let first = try await firstAnswer(to: call) { return first }
      switch try await store.claim(scope: call.scope, value: forward).map({ Remembered($0.data) }) {
      case .some(.some(.answered)):
        return try await perform(call, on: id, as: A.self, decide: decide, answer: answer).answer
      case .some(.some(.undoneBefore)):
        throw LabRefusal.gone("The command \(forward) was undone before it came. There is nothing to undo.")
      case .some(.none):
        throw LabRefusal.conflict("The record of the key \(forward) can't be read.")
      case .none:
        break
      }
      let (state, version) = try await load(A.self, id)
      let tombstone = NewClaim(scope: call.scope, value: forward, data: Remembered.undoneBefore.bytes)
      let noted = A.undoneEarly(forward, creates: creates, state)
      switch try await append([noted], to: A.self, id, version, call, keys: [tombstone]) {
      case .committed:
        throw LabRefusal(
          LabErrorCode.unknown, status: 404,
          "The command \(forward) never came. There is nothing to undo, and the command will be refused if it comes.")
      // The command itself, or another undo, came in between: look again.
      case .conflict, .taken: continue
      }
    }
    throw LabRefusal.conflict("The \(A.name) \(id) is being changed by others. Try again.")
  }

  /// Carries out a command and answers with the aggregate's new state.
  /// - Parameter status: that of the answer.
  func perform<A: Aggregate>(
    _ command: A.Command, _ call: CommandCall, on id: UniqueID, as _: A.Type, status: Int
  ) async throws -> (answer: Answer, repeated: Bool) {
    try await perform(call, on: id, as: A.self) { (state) throws(LabRefusal) in
      try A.decide(command, state)
    } answer: {
      Answer(status: status, body: $0.json)
    }
  }

  /// Carries out a command that undoes another and answers with the aggregate's new state.
  func undo<A: Aggregate>(
    _ command: A.Command, _ call: CommandCall, on id: UniqueID, as _: A.Type, creates: Bool
  ) async throws -> Answer {
    try await undo(call, on: id, as: A.self, creates: creates) { (state) throws(LabRefusal) in
      try A.decide(command, state)
    } answer: {
      Answer(status: 200, body: $0.json)
    }
  }

  /// Returns the first answer to this key; nil when the key is new.
  /// - Throws: a refusal when the key belongs to another command, or to a command that was undone before it came.
  func firstAnswer(to call: CommandCall) async throws -> Answer? {
    guard let claim = try await store.claim(scope: call.scope, value: call.key) else { return nil }
    return try judge(Remembered(claim.data), call)
  }

  private func judge(_ remembered: Remembered?, _ call: CommandCall) throws(LabRefusal) -> Answer {
    switch remembered {
    case .answered(let answer, let digest):
      guard digest == call.digest else {
        throw LabRefusal(
          LabErrorCode.keyReused, status: 422, "The Idempotency-Key \(call.key) was used for another command before.")
      }
      return answer
    case .undoneBefore: throw .undoneBefore("The command \(call.key) was undone before it came.")
    case nil: throw .conflict("The record of the key \(call.key) can't be read.")
    }
  }

  /// Returns the claim that another spelling of this value has held since before values were claimed in normalization form C.
  func olderClaim(_ claim: LabClaim) async throws -> Claim? {
    let name = LabProjection.nameOfSpelling(claim)
    let collection = LabProjection.Collection.spellings.rawValue
    guard let document = try await store.document(collection: collection, id: name),
      let spelling = try JSON(parsing: document.data)["spelling"]?.stringValue
    else { return nil }
    return try await store.claim(scope: claim.scope.rawValue, value: spelling)
  }

  /// Returns the state of an aggregate and the version of its stream.
  func load<A: Aggregate>(_: A.Type, _ id: UniqueID) async throws -> (state: A, version: Int) {
    var state = A.absent
    var version = 0
    while true {
      let events = try await store.read(Self.stream(of: A.self, id), after: version, limit: Self.page)
      for event in events {
        state = A.evolve(state, try A.Event(type: event.type, data: try JSON(parsing: event.data)))
        version = event.version
      }
      if events.count < Self.page { return (state, version) }
    }
  }

  /// Returns the stored events of an aggregate.
  func history<A: Aggregate>(_: A.Type, _ id: UniqueID) async throws -> [StoredEvent] {
    try await history(Self.stream(of: A.self, id))
  }

  /// Returns the stored events of a stream.
  func history(_ stream: UniqueID) async throws -> [StoredEvent] {
    var history: [StoredEvent] = []
    while true {
      let events = try await store.read(stream, after: history.last?.version ?? 0, limit: Self.page)
      history += events
      if events.count < Self.page { return history }
    }
  }

  /// The last position written here, by shard.
  var positions: [Int: Int64] { written.withLock { $0 } }

  private enum Result {
    case committed
    case conflict
    case taken(Claim)
  }

  private func append<A: Aggregate>(
    _ events: [A.Event], to _: A.Type, _ id: UniqueID, _ version: Int, _ call: CommandCall, keys: [NewClaim]
  ) async throws -> Result {
    let stream = Self.stream(of: A.self, id)
    let meta = call.meta(subject: id).bytes()
    let append = Append(
      stream: stream, expectedVersion: version,
      events: events.map { NewEvent(type: $0.type, data: $0.data.bytes(), meta: meta) },
      appendID: environment.newID(),
      claims: events.flatMap(\.claims).map { NewClaim(scope: $0.scope.rawValue, value: $0.value) } + keys,
      releases: events.flatMap(\.releases).map { ClaimName(scope: $0.scope.rawValue, value: $0.value) })
    do throws(StoreError) {
      let appended = try await write(append)
      written.withLock { $0[store.shard(of: stream)] = max($0[store.shard(of: stream)] ?? 0, appended.position) }
      await committed(events.flatMap(\.claims), events.flatMap(\.releases))
      return .committed
    } catch {
      switch error.kind {
      case .versionConflict: return .conflict
      case .claimTaken(let claim): return .taken(claim)
      case .startKeyTaken, .definitionConflict, .checkpointConflict, .notOwner, .unavailable, .outcomeUnknown, .invalid,
        .closed, .corrupt, .locked, .foreign, .newerVersion, .olderVersion:
        throw error
      }
    }
  }

  /// Writes, and writes again when the outcome is unknown. The append id makes the repeat harmless.
  private func write(_ append: Append) async throws(StoreError) -> Appended {
    do throws(StoreError) {
      return try await store.append(append)
    } catch {
      guard error.kind == .unavailable || error.kind == .outcomeUnknown else { throw error }
      return try await store.append(append)
    }
  }

  func refusal(of claim: Claim) -> LabRefusal {
    switch LabClaim.Scope(rawValue: claim.scope) {
    case .barcode:
      LabRefusal(
        LabErrorCode.barcodeTaken, status: 409,
        "The barcode \(claim.value) was handed out before; a barcode is never handed out twice.",
        places: [LabRefusal.Place(pointer: "/barcode", message: "was handed out before")])
    case .position:
      LabRefusal(LabErrorCode.positionTaken, status: 409, "Position \(claim.value) is taken.")
    case .heldSample:
      LabRefusal(LabErrorCode.alreadyHeld, status: 409, "A position is already held for sample \(claim.value).")
    case .accessionNumber: .conflict("The accession number \(claim.value) was given out before.")
    case .lane: LabRefusal(LabErrorCode.laneTaken, status: 409, "Lane \(claim.value) is already booked.")
    case .library:
      LabRefusal(
        LabErrorCode.libraryTaken, status: 409,
        "The barcode \(claim.value) belongs to another library.",
        places: [LabRefusal.Place(pointer: "/barcode", message: "belongs to another library")])
    case .reservedLane:
      LabRefusal(LabErrorCode.laneTaken, status: 409, "Lane \(claim.value) is already reserved.")
    case nil: .conflict("\(claim.scope) \(claim.value) is taken.")
    }
  }

  /// Returns the stream of an aggregate, derived from its id: any id that a client chooses has a stream, without a look-up.
  /// The store needs version 7 ids, whose time decides their partition. The laboratory's streams are never dropped, so
  /// all have the same time.
  static func stream<A: Aggregate>(of _: A.Type, _ id: UniqueID) -> UniqueID {
    let mixed = UniqueID.derived(from: "laboratory/\(A.name)/\(id)")
    return .version7(at: Timestamp(milliseconds: 1_767_225_600_000), random: (mixed.high, mixed.low << 2))
  }
}
