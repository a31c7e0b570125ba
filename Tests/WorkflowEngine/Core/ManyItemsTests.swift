import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import SagaCore
@testable import WorkflowEngine

@Suite("Many items", .timeLimit(.minutes(15)), .inTurn)
struct ManyItemsTests {
  typealias Saga = SagaSpecification

  /// A saga in its middle, without the checks of the specification.
  private struct Plain {
    let definition: WorkflowDefinition
    var state: SagaState?
    var events = 0

    mutating func decide(_ command: SagaCommand) throws -> Bool {
      let decision = try Decider.decision(command, state, definition: definition, now: Saga.startedAt)
      for event in decision.events { try SagaState.evolve(&state, event) }
      state?.loadItems(by: definition)
      events += decision.events.count
      return decision.isUnfinished
    }

    mutating func decideAll(_ command: SagaCommand) throws {
      var isUnfinished = try decide(command)
      while isUnfinished { isUnfinished = try decide(.wake) }
    }
  }

  @Test("A decision begins a bounded number of items, and leaves the rest to the next")
  func bounded() throws {
    let spec = try Saga(
      #"[{"id": "run", "forEach": {"items": "${input.n[*]}", "toleratedFailures": "100%"}, "fail": {"code": "NO"}}]"#)
    var saga = Plain(definition: spec.definition)
    let start = SagaStart(
      id: Saga.id, workflow: "spec", version: 1, definitionDigest: "d", steps: ["run"],
      input: ["n": .array((0..<1_200).map { .int($0) })], deadline: Saga.startedAt + .seconds(300), idempotencyKey: nil,
      tags: [], by: "m")
    #expect(try saga.decide(.start(start)))
    #expect(saga.events == 2 + Decider.mostBegun)
    #expect(try saga.decide(.wake))
    #expect(try !saga.decide(.wake))
    #expect(saga.state?.status == .completed && saga.events == 2 + 1_200 + 2)
  }

  @Test("With 100,000 items the events of a decision and the sets stay small")
  func many() throws {
    let spec = try Saga("[\(ForEachTests.wells(#""maxParallel": 20"#))]")
    var saga = Plain(definition: spec.definition)
    let start = SagaStart(
      id: Saga.id, workflow: "spec", version: 1, definitionDigest: "d", steps: ["run"],
      input: ForEachTests.input((0..<ForEach.mostItems).map { "W\($0)" }), deadline: Saga.startedAt + .seconds(300),
      idempotencyKey: nil, tags: [], by: "m")
    try saga.decideAll(.start(start))
    #expect(saga.events == 2 + 20, "only items under way have begun")
    let settled = 300
    for number in 0..<settled {
      try saga.decideAll(
        .attemptSettled(step: "run[W\(number)]", phase: .forward, attempt: 1, outcome: .succeeded(.int(number))))
    }
    #expect(saga.events == 2 + 20 + 2 * settled, "two events an item")
    let items = try #require(saga.state?.items(of: "run"))
    #expect(items.begun == settled + 20 && items.count(of: .pending) == ForEach.mostItems - settled - 20)
    #expect(saga.state?.sets.underWay.items.count == 20 && saga.state?.sets.inFlight.items.count == 20)
    #expect(saga.state?.step("run[W299]")?.output == 299)
    #expect(items.keptWhole == 20, "the items under way alone are kept whole")
    #expect(items.texts.allSatisfy { $0.utf8.count < 64 }, "\(items.texts.last ?? "")")
    #expect(items.texts.first == #"{"key":"W0","at":[1772352000000,0],"output":0}"#)
    // The last item settles as the first one does.
    try saga.decideAll(.operate(OperatorRequest(.compensate, by: OperatorAct(by: "m", reason: "r"))))
    for number in settled..<(settled + 20) {
      try saga.decideAll(.attemptSettled(step: "run[W\(number)]", phase: .forward, attempt: 1, outcome: .succeeded(1)))
    }
    #expect(saga.state?.sets.undoing.items.count == 20 && saga.state?.items(of: "run")?.count(of: .undoing) == 20)
    let before = saga.events
    for number in (0..<(settled + 20)).reversed() {
      try saga.decideAll(.attemptSettled(step: "run[W\(number)]", phase: .undo, attempt: 1, outcome: .succeeded(.null)))
      if number == 100 { #expect(saga.state?.items(of: "run")?.keptWhole == 20, "so it is while they are undone") }
    }
    let undone = try #require(saga.state?.items(of: "run"))
    #expect(undone.keptWhole == 0)
    #expect(undone.texts.first == #"{"key":"W0","at":[1772352000000,0,0,0],"output":0}"#)
    #expect(undone[0].undoHow == "answered" && undone[0].undo.startedAt == Saga.startedAt)
    #expect(saga.state?.status == .compensated)
    #expect(saga.events - before == 2 * (settled + 20) - 20 + 2, "two events an undo, and two ends")
  }

  @Test("A change of one item in a copied list of 100,000 copies one small list of each level")
  func shared() throws {
    var list = ItemList(step: "run")
    for number in 0..<100_000 { list.append(ItemSlot(StepState(id: "run[\(number)]"))) }
    let before = list
    list[70_000].stage = .succeeded
    #expect(before[70_000].stage == .pending && list[70_000].stage == .succeeded && list.count == 100_000)
    func address<Element>(_ array: [Element]) -> UnsafeRawPointer? {
      array.withUnsafeBytes { $0.baseAddress }
    }
    #expect(list.root.count == 98 && list.root.allSatisfy { $0.count <= 64 && $0.allSatisfy { $0.count <= 16 } })
    let branches = zip(before.root, list.root).count { address($0) != address($1) }
    let leaves = zip(before.root.joined(), list.root.joined()).count { address($0) != address($1) }
    #expect(branches == 1 && leaves == 1)
    for number in [0, 15, 16, 1_023, 1_024, 99_999] { #expect(list[number].id == "run[\(number)]") }
  }

  @Test("A set of steps and items keeps both in order")
  func places() {
    var places = Places(count: 3)
    let item = ItemPlace(step: 2, number: 99_999)
    for place in [item.index, 2, ItemPlace(step: 0, number: 5).index, 0, ItemPlace(step: 0, number: 1).index, 2] {
      places.insert(place)
    }
    let all = [0, 2, ItemPlace(step: 0, number: 1).index, ItemPlace(step: 0, number: 5).index, item.index]
    #expect(Array(places) == all && places.first == 0 && !places.isEmpty)
    #expect(places.contains(item.index) && !places.contains(1) && !places.contains(ItemPlace(step: 1, number: 1).index))
    var first = StepSet(count: 3)
    first.insert(0)
    #expect(Array(places.within(first)) == [all[0], all[2], all[3]])
    for place in all.prefix(3) { places.remove(place) }
    #expect(Array(places) == Array(all.suffix(2)) && places.first == all[3])
    #expect(ItemPlace(2) == nil && ItemPlace.step(of: 2) == 2 && ItemPlace.step(of: item.index) == 2)
    #expect(ItemPlace(item.index)?.number == 99_999)
  }

  @Test(
    "The id of an item has its step and its key",
    arguments: [
      ("run[A]", "run", "A"), ("run[a/b:c]", "run", "a/b:c"), ("run", nil, nil), ("[A]", nil, nil), ("run[]", nil, nil),
      ("run[A", nil, nil), ("runA]", nil, nil),
    ] as [(String, String?, String?)])
  func ids(id: String, step: String?, key: String?) {
    #expect(ItemID(id)?.step == step && ItemID(id)?.key == key)
    #expect(ItemID.step(of: id) == step ?? id)
  }

  @Test(
    "An idempotency key is read as it is written", arguments: ["run", "run[A]", "run[P1/A/2]", "run[1]"],
    StepPhase.allCases)
  func keys(step: String, phase: StepPhase) {
    let key =
      phase == .undo
      ? IdempotencyKey.undo(saga: Saga.id, step: step, round: 3)
      : IdempotencyKey.forward(saga: Saga.id, step: step, round: 3)
    let parts = IdempotencyKey.Parts(key)
    #expect(parts?.saga == Saga.id && parts?.step == step && parts?.round == 3 && parts?.phase == phase)
  }

  @Test(
    "Another text is not an idempotency key",
    arguments: [
      "", "undo", "a/b/c", "\(Saga.id)/run/0", "\(Saga.id)/run", "\(Saga.id)/run/A/1/2", "\(Saga.id)/run/A/x",
    ])
  func noKeys(text: String) { #expect(IdempotencyKey.Parts(text) == nil) }
}

extension ItemStates {
  private var slots: [ItemSlot] { (0..<begun).map { states.slot($0) } }

  /// The number of items that are not kept as a text.
  var keptWhole: Int { slots.count { if case .whole = $0 { true } else { false } } }

  /// The texts of the others.
  var texts: [String] {
    slots.compactMap { slot in slot.text.map { String(decoding: $0, as: UTF8.self) } }
  }
}
