import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

@Suite("The table of turns", .timeLimit(.minutes(15)), .inTurn)
struct TurnTableTests {
  private typealias Turn = SagaCore.Turn

  private static let start = Timestamp(milliseconds: 1_772_352_000_000)

  private func id(_ number: Int) -> UniqueID { .version7(at: Self.start, random: (UInt64(number), 0)) }

  private func turn(
    _ step: String? = "a", _ key: String = "k", limit: Int = 1, at second: Int, isTaken: Bool = false
  ) -> Turn {
    var turn = Turn(step: step, phase: .forward, key: key, limit: limit, askedAt: Self.start + .seconds(second))
    if isTaken { turn.takenAt = Self.start + .seconds(second) }
    return turn
  }

  private func opened(_ fault: TurnFault? = nil) -> TurnTable {
    var table = TurnTable(fault: fault)
    _ = table.open()
    return table
  }

  @discardableResult
  private func update(
    _ table: inout TurnTable, _ number: Int, _ turns: [Turn], isPaused: Bool = false
  ) -> Set<UniqueID> {
    table.update(id(number), workflow: "w", turns: turns, isPaused: isPaused)
  }

  @Test("The first one gets the turn, and the next one when it is released")
  func next() {
    var table = opened()
    #expect(update(&table, 1, [turn(at: 1)]) == [id(1)])
    #expect(table.offers(to: id(1)) == [TurnOffer(step: "a", key: "k")])
    #expect(update(&table, 2, [turn(at: 2)]) == [])
    #expect(update(&table, 1, [turn(at: 1, isTaken: true)]) == [])
    #expect(table.offers(to: id(1)) == [])
    #expect(update(&table, 1, []) == [id(2)])
    #expect(table.counts == TurnCounts(keys: 1, held: 1, waiting: 0))
    update(&table, 2, [])
    #expect(table.counts == TurnCounts(keys: 0, held: 0, waiting: 0))
    #expect(table.isEmpty)
  }

  @Test("A saga that can't be read is passed over, keeps what it holds, and is a waiter again once it reports")
  func unreadable() {
    var table = opened()
    update(&table, 1, [turn("a", "k", at: 1), turn("b", "l", at: 1, isTaken: true)])
    update(&table, 2, [turn("a", "k", at: 2), turn("b", "l", at: 2)])
    #expect(table.offers(to: id(1)) == [TurnOffer(step: "a", key: "k")])
    #expect(table.passOver(id(1)) == [id(2)])
    #expect(table.offers(to: id(1)) == [] && table.offers(to: id(2)) == [TurnOffer(step: "a", key: "k")])
    #expect(table.line(of: "l", atMost: 9)?.holders.map(\.saga) == [id(1)])
    #expect(table.passOver(id(3)) == [], "a saga without turns")
    update(&table, 1, [turn("a", "k", at: 1), turn("b", "l", at: 1, isTaken: true)])
    #expect(update(&table, 2, []) == [id(1)])
  }

  @Test("Turns go by the time of asking, then by the saga's id, whatever the order of the reports")
  func order() {
    var table = TurnTable()
    for (number, second) in [(3, 5), (1, 5), (4, 2), (2, 9)] { update(&table, number, [turn(at: second)]) }
    #expect(table.offers(to: id(4)) == [], "nothing is given before all sagas have been read")
    #expect(table.open() == [id(4)])
    var given = [4]
    for _ in 0..<3 {
      guard let last = given.last else { break }
      let next = update(&table, last, [])
      #expect(next.count == 1)
      given += (1...4).filter { next.contains(id($0)) }
    }
    #expect(given == [4, 1, 3, 2])
  }

  @Test("Before the first turn is given, the holders of all sagas are known")
  func derived() {
    var table = TurnTable()
    update(&table, 2, [turn(at: 1)])
    update(&table, 1, [turn(at: 2, isTaken: true)])
    #expect(table.open() == [])
    #expect(update(&table, 1, []) == [id(2)])
  }

  @Test("As many turns are held as the limit says", arguments: [1, 3])
  func limits(limit: Int) {
    var table = opened()
    var offered = 0
    for number in 1...5 { offered += update(&table, number, [turn(limit: limit, at: number)]).count }
    #expect(offered == limit)
    #expect(table.counts == TurnCounts(keys: 1, held: limit, waiting: 5 - limit))
  }

  @Test("The smaller limit decides, of the asker and of the holders")
  func differentLimits() {
    var table = opened()
    update(&table, 1, [turn(limit: 3, at: 1)])
    #expect(update(&table, 2, [turn(limit: 1, at: 2)]) == [], "its own limit is reached")
    #expect(update(&table, 3, [turn(limit: 3, at: 3)]) == [], "the first waiter stops those behind it")
    #expect(update(&table, 1, []) == [id(2)])
    #expect(update(&table, 2, [turn(limit: 1, at: 2, isTaken: true)]) == [], "the holder's limit is 1")
    #expect(update(&table, 2, []) == [id(3)])
  }

  @Test("An offer that is not answered yet counts as held, and goes on when its saga gives up")
  func offer() {
    var table = opened()
    update(&table, 1, [turn(at: 1)])
    update(&table, 2, [turn(at: 2)])
    #expect(update(&table, 1, [turn(at: 1), turn("b", "other", at: 3)]) == [id(1)], "another append of the saga")
    #expect(table.offers(to: id(1)).count == 2)
    #expect(update(&table, 1, []) == [id(2)], "it was cancelled")
  }

  @Test("A paused saga is passed over and keeps its place")
  func paused() {
    var table = opened()
    update(&table, 1, [turn(at: 1, isTaken: true)])
    update(&table, 2, [turn(at: 2)], isPaused: true)
    update(&table, 3, [turn(at: 3)])
    #expect(update(&table, 1, []) == [id(3)])
    update(&table, 4, [turn(at: 4)])
    #expect(update(&table, 2, [turn(at: 2)]) == [])
    #expect(update(&table, 3, []) == [id(2)])
  }

  @Test("A saga that is paused before it takes its turn loses the offer")
  func pausedBeforeTaking() {
    var table = opened()
    update(&table, 1, [turn(at: 1)])
    update(&table, 2, [turn(at: 2)])
    #expect(update(&table, 1, [turn(at: 1)], isPaused: true) == [id(2)])
    #expect(table.offers(to: id(1)) == [])
  }

  @Test("A holder that is paused keeps its turn")
  func pausedHolder() {
    var table = opened()
    update(&table, 1, [turn(at: 1, isTaken: true)], isPaused: true)
    #expect(update(&table, 2, [turn(at: 2)]) == [])
  }

  @Test("Steps of one saga wait for each other, too")
  func oneSaga() {
    var table = opened()
    #expect(update(&table, 1, [turn("a", at: 1), turn("b", at: 1)]) == [id(1)])
    #expect(table.offers(to: id(1)) == [TurnOffer(step: "a", key: "k")])
  }

  @Test("The line of a key shows its holders and its waiters in their order, and the place of each")
  func shown() {
    var table = opened()
    update(&table, 1, [turn(nil, at: 1, isTaken: true)])
    for number in 2...4 { update(&table, number, [turn(at: number)]) }
    let line = table.line(of: "k", atMost: 2)
    #expect(line?.held == 1 && line?.waiting == 3)
    #expect(line?.holders.map(\.saga) == [id(1)] && line?.holders.first?.step == nil)
    #expect(line?.waiters.map(\.saga) == [id(2), id(3)])
    let place = table.places(of: id(4), atMost: 10).first
    #expect(place?.ahead == 2 && place?.held == 1 && place?.holders.map(\.saga) == [id(1)])
    #expect(table.places(of: id(1), atMost: 10).first?.holders == [])
    #expect(table.line(of: "other", atMost: 2) == nil)
  }

  @Test("Keys are listed in pages")
  func pages() {
    var table = opened()
    for (number, key) in ["c", "a", "b"].enumerated() { update(&table, number, [turn("a", key, at: 1)]) }
    #expect(table.lines(after: nil, limit: 2, atMost: 1).map(\.key) == ["a", "b"])
    #expect(table.lines(after: "b", limit: 2, atMost: 1).map(\.key) == ["c"])
  }

  @Test("A closed table gives nothing, and a cleared one is empty")
  func closed() {
    var table = opened()
    table.close()
    #expect(update(&table, 1, [turn(at: 1)]) == [])
    table.clear()
    #expect(table.isEmpty && !table.isOpen)
  }

  @Test("The known faults are faults")
  func faults() {
    var forgets = opened(.forgetsRelease)
    update(&forgets, 1, [turn(at: 1, isTaken: true)])
    update(&forgets, 2, [turn(at: 2)])
    #expect(update(&forgets, 1, []) == [])
    var ignores = opened(.ignoresLimit)
    update(&ignores, 1, [turn(at: 1, isTaken: true)])
    #expect(update(&ignores, 2, [turn(at: 2)]) == [id(2)])
  }
}
