import JSON
import TestSupport
import Testing
import Values
import Workflows

@testable import Persistence
@testable import SagaCore
@testable import WorkflowEngine

@Suite("What many items cost and show", .timeLimit(.minutes(15)), .inTurn)
struct ItemBoundsTests {
  typealias Saga = SagaSpecification

  /// A saga and all its events, without the checks of the specification.
  private struct History {
    let definition: WorkflowDefinition
    var state: SagaState?
    var events: [SagaEvent] = []

    mutating func give(_ command: SagaCommand) throws {
      var command = command
      var isUnfinished = true
      while isUnfinished {
        let decision = try Decider.decision(command, state, definition: definition, now: Saga.startedAt)
        for event in decision.events { try SagaState.evolve(&state, event) }
        state?.loadItems(by: definition)
        events += decision.events
        isUnfinished = decision.isUnfinished
        command = .wake
      }
    }

    mutating func start(_ input: JSON) throws {
      try give(
        .start(
          SagaStart(
            id: Saga.id, workflow: "spec", version: 1, definitionDigest: "d", steps: definition.steps.map(\.id),
            input: input, deadline: Saga.startedAt + .seconds(300), idempotencyKey: nil, tags: [], by: "m")))
    }
  }

  /// Four digits, so that all keys are of one length.
  private static func key(_ number: Int) -> String { "W" + String(10_000 + number).dropFirst() }

  /// A saga that has done all its items.
  private static func done(_ count: Int) throws -> History {
    let spec = try Saga("[\(ForEachTests.wells(#""maxParallel": 20"#))]")
    var saga = History(definition: spec.definition)
    try saga.start(ForEachTests.input((0..<count).map(key)))
    for number in 0..<count {
      try saga.give(
        .attemptSettled(
          step: "run[\(key(number))]", phase: .forward, attempt: 1, outcome: .succeeded(["ok": true])))
    }
    return saga
  }

  @Test("Events and bytes grow with the number of items, and no event grows")
  func linear() throws {
    let (small, large) = (try Self.done(100), try Self.done(1_000))
    #expect(small.state?.status == .completed && large.state?.status == .completed)
    #expect(small.events.count == 2 * 100 + 4 && large.events.count == 2 * 1_000 + 4)
    func sizes(_ saga: History, ofItems: Bool) -> [String: [Int]] {
      let events = saga.events.filter { ($0.step.flatMap { ItemID($0) } != nil) == ofItems }
      return Dictionary(grouping: events, by: \.typeName)
        .mapValues { $0.map { SagaEventCoding.encode([$0]).reduce(0) { $0 + $1.data.count + $1.meta.count } } }
    }
    let (few, many) = (sizes(small, ofItems: true), sizes(large, ofItems: true))
    #expect(Set(few.keys) == ["attemptStarted", "stepSucceeded"] && Set(many.keys) == Set(few.keys))
    for (type, sizes) in few {
      #expect(Set(sizes).count == 1 && Set(many[type] ?? []) == Set(sizes), "\(type)")
      #expect(sizes.count == 100 && many[type]?.count == 1_000, "\(type)")
    }
    // Only the start has the items. The event that opens them has their number and a digest.
    for (type, sizes) in sizes(large, ofItems: false) where type != SagaStarted.typeName {
      #expect(sizes.allSatisfy { $0 < 256 }, "\(type): \(sizes)")
    }
  }

  @Test("The row of a list says of 2,000 items what it says of 200")
  func row() throws {
    func row(_ count: Int) throws -> SagaRow {
      let spec = try Saga("[\(ForEachTests.wells(#""maxParallel": 20"#))]")
      var saga = History(definition: spec.definition)
      try saga.start(ForEachTests.input((0..<count).map(Self.key)))
      return SagaRow(try #require(saga.state), shard: 0, at: Saga.startedAt, startWords: [])
    }
    #expect(try row(2_000) == (try row(200)))
    #expect(try row(200).steps.map(\.id) == ["run"] && (try row(200)).waitingFor == ["answer"])
  }

  @Test("The row says for which signal items wait, and since when one of them is overdue")
  func waiting() throws {
    let step = #"{"id": "run", "forEach": {"items": "${input.n[*]}"}, "signal": {"name": "go"}, "expected": "1m"}"#
    var saga = History(definition: try Saga("[\(step)]").definition)
    try saga.start(["n": [1, 2]])
    let state = try #require(saga.state)
    #expect(SagaRow(state, shard: 0, at: Saga.startedAt, startWords: []).waitingFor == ["go"])
    let late = StepLateness(since: Saga.startedAt + .seconds(60), expected: .declared(.seconds(60)))
    var overdue: SagaState? = state
    try SagaState.evolve(
      &overdue, SagaEvent(at: late.since, StepOverdue(step: "run[1]", phase: .forward, lateness: late)))
    let row = SagaRow(try #require(overdue), shard: 0, at: late.since, startWords: [])
    #expect(row.overdueAt == late.since)
  }

  @Test("A timeline has a bounded number of spans of items, and the span of their step covers the others")
  func timeline() throws {
    let count = Timeline.mostOfItems + 100
    let saga = try Self.done(count)
    let timeline = saga.events.reduce(into: Timeline()) { $0.note($1) }
    #expect(timeline.spans.count { $0.kind == .attempt } == Timeline.mostOfItems)
    #expect(timeline.leftOut == count - Timeline.mostOfItems)
    let step = try #require(timeline.spans.first { $0.step == "run" })
    #expect(step.kind == .items && step.outcome == "succeeded")
    #expect(timeline.spans.allSatisfy { $0.to != nil })
    let folded = saga.events.reduce(into: Timeline(showsItems: false)) { $0.note($1) }
    #expect(folded.spans == [step] && folded.leftOut == 0)
    let few = try Self.done(3).events.reduce(into: Timeline()) { $0.note($1) }
    #expect(few.spans.count == 4 && few.leftOut == 0)
  }

  @Test("Of many items whose undo waits for an operator, the first are named, and the others are counted")
  func blockers() throws {
    let run = ForEachTests.wells(#""maxParallel": 50"#)
    var saga = try Saga("[\(run), \(Saga.http("after"))]")
    let keys = (0..<30).map(Self.key)
    try saga.start(input: ForEachTests.input(keys))
    for key in keys { try saga.succeed("run[\(key)]") }
    try saga.refuse("after")
    for key in keys { try saga.refuse("run[\(key)]") }
    let state = try #require(saga.state)
    #expect(state.status == .stuck && state.blockers.count == 30)
    #expect(state.shownBlockers.map(\.step) == keys.prefix(20).map { "run[\($0)]" })
    let why = Explanation(state, saga.definition, now: saga.now)
    #expect(why.next.count { $0.verb == "retry" } == 20 && why.next.count { $0.verb == "resolve" } == 20)
    #expect(
      why.sentence.contains("The saga is also stuck at run[W0001], run[W0002], run[W0003] and 26 more."),
      "\(why.sentence)")
  }

  @Test("Items that are other ones now are computed once, and their step fails when it needs the next one")
  func lost() throws {
    let step = ForEachTests.wells(#""maxParallel": 1"#)
    var saga = History(definition: try Saga("[\(step)]").definition)
    try saga.start(ForEachTests.input(["A", "B"]))
    var state = try SagaState(snapshotText: #require(saga.state).snapshotText)
    #expect(state.steps.lacksValues && state.items(of: "run")?.values == nil)
    let other = try Saga("[\(step.replacing("input.wells[*]", with: "input.tubes[*]"))]").definition
    state.loadItems(by: other)
    #expect(state.items(of: "run")?.values == nil && !state.steps.lacksValues)
    let report = SagaCommand.attemptSettled(step: "run[A]", phase: .forward, attempt: 1, outcome: .succeeded(1))
    let events = try Decider.decide(report, state, definition: other, now: Saga.startedAt)
    let failed = try #require(events.lazy.compactMap { $0.what as? StepFailed }.first)
    #expect(failed.step == "run" && failed.failure.code == EngineErrorCode.forEachChanged)
  }

  /// Which items of the step are kept as a text.
  private static func forms(_ saga: History) throws -> [String] {
    let state = try #require(saga.state)
    // A snapshot is read into states, and the list makes its forms of them again.
    #expect(try SagaState(snapshotText: state.snapshotText) == state)
    let items = try #require(state.items(of: "run"))
    return (0..<items.begun).map { number in
      let slot = items.states.slot(number)
      #expect(slot.status == items[number].status && items.status(of: number) == slot.status)
      #expect(items[number].item == StepState.Item(step: "run", key: slot.key ?? "", number: number))
      #expect(slot == ItemSlot(items[number]) && slot.hashValue == ItemSlot(items[number]).hashValue)
      if case .whole = slot { return "whole" }
      return "text"
    }
  }

  @Test("The list keeps a settled item as a short text, and gives each state back as it was")
  func forms() throws {
    let spec = try Saga("[\(ForEachTests.wells(#""maxParallel": 9, "toleratedFailures": 9"#)), \(Saga.http("after"))]")
    var saga = History(definition: spec.definition)
    try saga.start(ForEachTests.input(["A", "B", "C"]))
    func end(_ key: String, _ outcome: StepOutcome, _ phase: StepPhase = .forward) throws {
      try saga.give(.attemptSettled(step: "run[\(key)]", phase: phase, attempt: 1, outcome: outcome))
    }
    #expect(try Self.forms(saga) == ["whole", "whole", "whole"], "they are under way")
    try end("A", .answered(LookAnswer(status: 201, headers: ["x-run": "7"], body: ["n": 1])))
    try end("B", .failed(StepFailure(code: "NO", message: "no")))
    try end("C", .succeeded(["n": 3]))
    #expect(try Self.forms(saga) == ["text", "text", "text"])
    let done = try #require(saga.state?.step("run[A]"))
    #expect(done.status == .succeeded && done.output == ["n": 1] && done.item?.number == 0 && done.forward.count == 1)
    #expect(done.answer?.status == 201 && done.startedAt == Saga.startedAt)
    #expect(saga.state?.step("run[B]")?.failure?.code == "NO")
    try saga.give(
      .attemptSettled(
        step: "after", phase: .forward, attempt: 1, outcome: .failed(StepFailure(code: "NO", message: "no"))))
    #expect(try Self.forms(saga) == ["whole", "text", "whole"], "two undos are under way")
    try end("A", .failed(StepFailure(code: "GONE", message: "gone", isGone: true)), .undo)
    try end("C", .succeeded(.null), .undo)
    #expect(try Self.forms(saga) == ["text", "text", "text"])
    #expect(saga.state?.step("run[A]")?.undoHow == "alreadyGone")
    #expect(saga.state?.step("run[C]")?.undoHow == "answered" && saga.state?.step("run[C]")?.undo.count == 1)
    #expect(saga.state?.status == .compensated)
  }

  @Test("An item with a large answer is kept whole, and its state comes back from a snapshot")
  func large() throws {
    var saga = History(definition: try Saga("[\(ForEachTests.wells())]").definition)
    try saga.start(ForEachTests.input(["A", "B"]))
    let large: JSON = ["text": .string(String(repeating: "x", count: 5_000))]
    for (key, output) in [("A", large), ("B", JSON.null)] {
      try saga.give(.attemptSettled(step: "run[\(key)]", phase: .forward, attempt: 1, outcome: .succeeded(output)))
    }
    #expect(try Self.forms(saga) == ["whole", "text"])
    #expect(saga.state?.step("run[A]")?.output == large && saga.state?.step("run[B]")?.output == .null)
    let bytes = try #require(saga.state?.bytesOfItems)
    #expect(try SagaState(snapshotText: #require(saga.state).snapshotText).bytesOfItems == bytes && bytes > 5_000)
  }

  @Test("An answer that is nested too deeply to be read again is kept whole")
  func deep() throws {
    var saga = History(definition: try Saga("[\(ForEachTests.wells())]").definition)
    try saga.start(ForEachTests.input(["A", "B"]))
    let deep = (0...JSONLimits.stored.maxDepth).reduce(into: JSON.null) { value, _ in value = [value] }
    try saga.give(.attemptSettled(step: "run[A]", phase: .forward, attempt: 1, outcome: .succeeded(deep)))
    #expect(saga.state?.items(of: "run")?.keptWhole == 2 && saga.state?.step("run[A]")?.output == deep)
  }

  @Test("A snapshot of an older version has settled items whole, and one that is damaged is refused")
  func olderSnapshot() throws {
    var saga = History(definition: try Saga("[\(ForEachTests.wells(#""maxParallel": 1"#))]").definition)
    try saga.start(ForEachTests.input(["A", "B"]))
    try saga.give(.attemptSettled(step: "run[A]", phase: .forward, attempt: 1, outcome: .succeeded(["n": 1])))
    let state = try #require(saga.state)
    let lines = String(decoding: state.snapshotText, as: UTF8.self).split(separator: "\n").map(String.init)
    #expect(lines.count == 3 && lines[1] == #"{"key":"A","at":[1772352000000,0],"output":{"n":1}}"#)
    var members = try #require(state.snapshot.objectValue)
    #expect(members["schema"] == 9)
    var items = try #require(members["items"]?["run"]?.objectValue)
    func read(_ lines: [String]) throws -> SagaState {
      try SagaState(snapshotText: Array(lines.joined(separator: "\n").utf8))
    }
    #expect(try read(lines) == state)
    for wrong in [Array(lines.dropLast()), [], [lines[0], lines[2], "{"], [lines[0], lines[1], lines[1] + lines[1]]] {
      #expect(throws: UnreadableEvent.self) { try read(wrong) }
    }
    let at = JSON.timestamp(Saga.startedAt)
    let whole: JSONObject = [
      "id": "run[A]", "status": "succeeded", "round": 1, "outcome": "succeeded",
      "forward": ["count": 1, "startedAt": at], "undo": ["count": 0], "output": ["n": 1], "startedAt": at,
      "endedAt": at,
    ]
    items["begun"] = nil
    items["states"] = try .array([.object(whole), JSON(parsing: lines[2])])
    (members["schema"], members["items"]) = (4, ["run": .object(items)])
    #expect(try read([JSON.object(members).text()]) == state, "the shape up to version 8")
    for wrong in [
      #"{"key":"A B","at":[1,1]}"#, #"{"key":1,"at":[1,1]}"#, #"{"key":"A","at":["x",1]}"#, #"{"key":"A","at":[1]}"#,
      #"{"key":"A","at":[9223372036854775807,1]}"#, #"{"key":"A","at":[1,1],"status":"done"}"#,
      #"{"id":"walk[A]"}"#,
    ] {
      #expect(throws: UnreadableEvent.self) { try read([lines[0], wrong, lines[2]]) }
    }
    // Another order of the members is read, too.
    let other = try read([lines[0], #"{"output":{"n":1},"at":[1772352000000,0],"key":"A"}"#, lines[2]])
    #expect(other == state && other.step("run[A]")?.output == ["n": 1])
  }

  @Test("An item is found by its key among 5,000 others")
  func keys() {
    var index = KeyIndex()
    let keys = (0..<5_000).map { "P\($0 / 96)/\($0 % 96)" }
    for (number, key) in keys.enumerated() { index.add(key, number) }
    var compared = 0
    for (number, key) in keys.enumerated() {
      let found = index.number(of: key) { candidate in
        compared += 1
        return keys[candidate] == key
      }
      #expect(found == number)
    }
    #expect(compared < 5_010, "the hash tells nearly all keys apart")
    #expect(index.number(of: "Q") { keys[$0] == "Q" } == nil)
  }
}

extension ItemSlot {
  fileprivate var key: String? {
    switch self {
    case .settled(let item): (try? JSON(parsing: Array(item.text)))?["key"]?.stringValue
    case .whole(let item): item.state.item?.key
    }
  }
}
