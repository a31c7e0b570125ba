public import SagaCore
public import Values

/// Who holds a turn of each key, and who waits for one. It is a value without clock and store: everything in it comes from
/// the stored states of sagas, so that a new process has the same table once it has read all open sagas.
///
/// Turns are given in the order in which they were asked for; the saga's id and the step decide between equal times. A
/// waiter gets the turn of its key when fewer turns are held than its own limit, and than the limit of every holder. The
/// first waiter stops all behind it. A paused saga keeps its place and is passed over.
struct TurnTable {
  /// One who holds a turn, or waits for it.
  struct Claim: Hashable, Sendable {
    let saga: UniqueID
    let workflow: String
    let turn: Turn
    let isPaused: Bool

    fileprivate var place: Place { Place(askedAt: turn.askedAt, saga: saga, step: turn.step ?? "") }
  }

  /// The order of claims. It names a claim, too.
  fileprivate struct Place: Hashable, Comparable {
    let askedAt: Timestamp
    let saga: UniqueID
    let step: String

    static func < (left: Place, right: Place) -> Bool {
      (left.askedAt, left.saga, left.step) < (right.askedAt, right.saga, right.step)
    }
  }

  /// The claims of one key.
  private struct Queue {
    /// The turns that are taken, and those that have been offered.
    var holders: [Place: Claim] = [:]
    /// In their order.
    var waiters: [Claim] = []

    /// The least limit that a holder has named.
    var leastLimit: Int { holders.values.reduce(Int.max) { min($0, $1.turn.limit) } }

    /// Returns the position of the first waiter that is not before the place.
    func position(of place: Place) -> Int {
      var (low, high) = (0, waiters.count)
      while low < high {
        let middle = (low + high) / 2
        if waiters[middle].place < place { low = middle + 1 } else { high = middle }
      }
      return low
    }

    mutating func wait(_ claim: Claim) { waiters.insert(claim, at: position(of: claim.place)) }

    mutating func remove(_ claim: Claim) {
      if holders.removeValue(forKey: claim.place) != nil { return }
      let position = position(of: claim.place)
      if position < waiters.count, waiters[position].place == claim.place { waiters.remove(at: position) }
    }
  }

  private var queues: [String: Queue] = [:]
  private var claims: [UniqueID: [Claim]] = [:]
  /// The turns that were offered to a saga that has not answered.
  private var offered: [UniqueID: Set<Place>] = [:]
  /// False until all open sagas have been read. Until then no turn is given.
  private(set) var isOpen = false
  /// A known fault, for the test that the simulation's rules find it.
  private let fault: Fault?

  /// A known fault of the table.
  typealias Fault = TurnFault

  init(fault: Fault? = nil) { self.fault = fault }

  var isEmpty: Bool { claims.isEmpty }

  // MARK: Changes

  /// Replaces what a saga holds and waits for.
  /// - Returns: the sagas to which turns are offered now.
  mutating func update(_ saga: UniqueID, workflow: String, turns: [Turn], isPaused: Bool) -> Set<UniqueID> {
    let before = claims[saga] ?? []
    if before.isEmpty, turns.isEmpty { return [] }
    let after = turns.map { Claim(saga: saga, workflow: workflow, turn: $0, isPaused: isPaused) }
    if before == after { return [] }
    var keys: Set<String> = []
    for claim in before {
      if fault == .forgetsRelease, claim.turn.isTaken { continue }
      queues[claim.turn.key]?.remove(claim)
      keys.insert(claim.turn.key)
    }
    let offers = offered.removeValue(forKey: saga) ?? []
    for claim in after {
      let key = claim.turn.key
      keys.insert(key)
      // An offer that has not been answered stays, unless the saga can't take it.
      let isOffered = offers.contains(claim.place) && !isPaused
      if claim.turn.isTaken || isOffered {
        queues[key, default: Queue()].holders[claim.place] = claim
        if !claim.turn.isTaken { offered[saga, default: []].insert(claim.place) }
      } else {
        queues[key, default: Queue()].wait(claim)
      }
    }
    claims[saga] = after.isEmpty ? nil : after
    return offer(keys)
  }

  /// Passes over a saga that can't be read, until it reports its turns again. What it holds stays.
  /// - Returns: the sagas to which turns are offered now.
  mutating func passOver(_ saga: UniqueID) -> Set<UniqueID> {
    guard let known = claims[saga], let first = known.first else { return [] }
    return update(saga, workflow: first.workflow, turns: known.map(\.turn), isPaused: true)
  }

  /// Begins to give turns: all open sagas have been read.
  /// - Returns: the sagas to which turns are offered now.
  mutating func open() -> Set<UniqueID> {
    isOpen = true
    return offer(Set(queues.keys))
  }

  /// Gives no further turns. What is held stays.
  mutating func close() { isOpen = false }

  /// Forgets everything, before the open sagas are read.
  mutating func clear() { self = TurnTable(fault: fault) }

  private mutating func offer(_ keys: Set<String>) -> Set<UniqueID> {
    guard isOpen else { return [] }
    var sagas: Set<UniqueID> = []
    for key in keys {
      guard var queue = queues.removeValue(forKey: key) else { continue }
      var position = 0
      while position < queue.waiters.count {
        let claim = queue.waiters[position]
        if claim.isPaused {
          position += 1
          continue
        }
        let limit = min(claim.turn.limit, queue.leastLimit)
        guard queue.holders.count < limit || fault == .ignoresLimit else { break }
        queue.waiters.remove(at: position)
        queue.holders[claim.place] = claim
        offered[claim.saga, default: []].insert(claim.place)
        sagas.insert(claim.saga)
      }
      if !queue.holders.isEmpty || !queue.waiters.isEmpty { queues[key] = queue }
    }
    return sagas
  }

  // MARK: Questions

  /// Returns the turns that have come for a saga. It has not taken them yet.
  func offers(to saga: UniqueID) -> [TurnOffer] {
    guard isOpen, let places = offered[saga], let claims = claims[saga] else { return [] }
    return claims.filter { places.contains($0.place) }.map { TurnOffer(step: $0.turn.step, key: $0.turn.key) }
  }

  /// The numbers of keys, of turns that are held, and of waiters.
  var counts: TurnCounts {
    TurnCounts(
      keys: queues.count, held: queues.values.reduce(0) { $0 + $1.holders.count },
      waiting: queues.values.reduce(0) { $0 + $1.waiters.count })
  }

  /// Returns the holders and the waiters of a key; nil when it has neither.
  func line(of key: String, atMost most: Int) -> TurnLine? {
    guard let queue = queues[key] else { return nil }
    return TurnLine(
      key: key, held: queue.holders.count, waiting: queue.waiters.count,
      holders: queue.holders.values.sorted { $0.place < $1.place }.prefix(most).map(TurnClaim.init),
      waiters: queue.waiters.prefix(most).map(TurnClaim.init))
  }

  /// Returns the lines of the next keys, in the order of the keys.
  func lines(after: String?, limit: Int, atMost most: Int) -> [TurnLine] {
    queues.keys.filter { key in after.map { $0 < key } ?? true }.sorted().prefix(limit)
      .compactMap { line(of: $0, atMost: most) }
  }

  /// Returns the places of what a saga holds and waits for.
  func places(of saga: UniqueID, atMost most: Int) -> [TurnPlace] {
    (claims[saga] ?? []).compactMap { claim in
      guard let queue = queues[claim.turn.key] else { return nil }
      let isWaiting = queue.holders[claim.place] == nil
      return TurnPlace(
        turn: claim.turn, ahead: isWaiting ? queue.position(of: claim.place) : 0, held: queue.holders.count,
        holders: queue.holders.values.filter { $0.place != claim.place }.sorted { $0.place < $1.place }.prefix(most)
          .map(TurnClaim.init))
    }
  }
}

/// The numbers of keys, of held turns and of waiters.
public struct TurnCounts: Sendable, Hashable {
  public let keys: Int
  public let held: Int
  public let waiting: Int

  public init(keys: Int, held: Int, waiting: Int) {
    self.keys = keys
    self.held = held
    self.waiting = waiting
  }
}

/// One who holds a turn, or waits for it.
public struct TurnClaim: Sendable, Hashable {
  public let saga: UniqueID
  public let workflow: String
  /// The step or the group; nil for the saga itself.
  public let step: String?
  public let phase: StepPhase
  public let limit: Int
  public let askedAt: Timestamp
  /// Nil while it waits.
  public let takenAt: Timestamp?
  /// Whether its saga is paused. A paused saga keeps its place, and gets no turn.
  public let isPaused: Bool

  public init(
    saga: UniqueID, workflow: String, step: String?, phase: StepPhase, limit: Int, askedAt: Timestamp,
    takenAt: Timestamp?, isPaused: Bool
  ) {
    self.saga = saga
    self.workflow = workflow
    self.step = step
    self.phase = phase
    self.limit = limit
    self.askedAt = askedAt
    self.takenAt = takenAt
    self.isPaused = isPaused
  }

  init(_ claim: TurnTable.Claim) {
    self.init(
      saga: claim.saga, workflow: claim.workflow, step: claim.turn.step, phase: claim.turn.phase,
      limit: claim.turn.limit, askedAt: claim.turn.askedAt, takenAt: claim.turn.takenAt, isPaused: claim.isPaused)
  }
}

/// A key with those who hold its turns and those who wait. The lists have the first ones of each.
public struct TurnLine: Sendable, Hashable {
  public let key: String
  public let held: Int
  public let waiting: Int
  public let holders: [TurnClaim]
  public let waiters: [TurnClaim]

  public init(key: String, held: Int, waiting: Int, holders: [TurnClaim], waiters: [TurnClaim]) {
    self.key = key
    self.held = held
    self.waiting = waiting
    self.holders = holders
    self.waiters = waiters
  }
}

/// What a saga holds or waits for, with its place in the line of its key.
public struct TurnPlace: Sendable, Hashable {
  public let turn: Turn
  /// The number of waiters before it.
  public let ahead: Int
  /// The number of turns of the key that are held.
  public let held: Int
  /// The first of the others that hold a turn of the key.
  public let holders: [TurnClaim]

  public init(turn: Turn, ahead: Int, held: Int, holders: [TurnClaim]) {
    self.turn = turn
    self.ahead = ahead
    self.held = held
    self.holders = holders
  }
}
