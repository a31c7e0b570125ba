import JSON
import Runtime
import Synchronization
import TestSupport
import Testing
import Values

@testable import Laboratory

@Suite("The people around the laboratory", .timeLimit(.minutes(15)), .inTurn)
struct PeopleTests {
  /// An engine with one saga that waits for a signal, at a step or at one item of a step.
  private final class StandInEngine: Sendable {
    static let id = UniqueID.named("saga").description
    private struct State {
      var signals: [LabPeople.Request] = []
      var isWaiting = true
      var refusals: Int
    }
    let signal: String
    let item: String?
    let isUndo: Bool
    private let state: Mutex<State>

    /// - Parameter refusals: how many signals are refused before one is taken.
    init(_ signal: String, item: String? = nil, isUndo: Bool = false, refusals: Int = 0) {
      self.signal = signal
      self.item = item
      self.isUndo = isUndo
      state = Mutex(State(refusals: refusals))
    }

    var signals: [LabPeople.Request] { state.withLock { $0.signals } }
    func end() { state.withLock { $0.isWaiting = false } }

    func answer(_ request: LabPeople.Request) -> (status: Int, body: JSON) {
      if request.method == "POST" {
        return state.withLock { state in
          state.signals.append(request)
          guard state.refusals > 0 else { return (200, ["answer": "taken"]) }
          state.refusals -= 1
          return (409, ["code": "signal.refused"])
        }
      }
      if request.target.hasPrefix("/v1/sagas?") {
        let isAsked = request.target.contains("waitingFor=\(signal)&")
        let isWaiting = state.withLock { $0.isWaiting }
        return (200, ["sagas": isAsked && isWaiting ? [["id": .string(Self.id)]] : []])
      }
      if request.target.contains("/items?") {
        return (200, ["items": [["id": .string("wait[\(item ?? "")]"), "status": "waiting", "round": 1]]])
      }
      let action: JSON = ["kind": "signal", "signal": .string(signal)]
      let step: JSON =
        item == nil
        ? ["id": "wait", "status": "waiting", "round": 2, "action": action, "waitingFor": ["kind": "signal"]]
        : ["id": "wait", "status": "running", "round": 1, "action": action, "items": ["total": 1]]
      let undone: JSON = [
        "id": "wait", "status": "undoing", "round": 1, "action": ["kind": "http"],
        "undo": ["status": "waiting", "waitingFor": ["kind": "signal", "signal": .string(signal)]],
      ]
      let place: JSON = ["id": "allocatePosition", "status": "succeeded", "output": ["position": "B-1/A01"]]
      let input: JSON = ["pool": "POOL-7", "barcode": "TS-1", "flowCell": "FC-7"]
      return (200, ["key": "POOL-7", "input": input, "steps": [place, isUndo ? undone : step]])
    }
  }

  private static func people(_ engine: StandInEngine, _ clock: FakeClock, faults: String...) throws -> LabPeople {
    let environment = Environment.fake(clock: clock)
    return LabPeople(
      LabPeople.Configuration(engine: "http://h"),
      faults: ActiveFaults(plan: try FaultPlan(parsing: faults), environment: environment), environment: environment,
      log: .silent, send: { engine.answer($0) })
  }

  @Test("Quality assurance approves once, after its delay, under a key of the wait")
  func approval() async throws {
    let (engine, clock) = (StandInEngine("approval"), FakeClock())
    let people = try Self.people(engine, clock)
    var intents: [LabPeople.Wait: LabPeople.Intent] = [:]
    try await people.look(&intents)
    #expect(engine.signals.isEmpty)
    clock.advance(by: .seconds(2))
    for _ in 0..<3 { try await people.look(&intents) }
    #expect(engine.signals.count == 1)
    let signal = try #require(engine.signals.first)
    #expect(signal.target == "/v1/sagas/\(StandInEngine.id)/signals/approval")
    #expect(signal.body == ["pool": "POOL-7", "decision": "approve"])
    #expect(signal.key == "lab/\(StandInEngine.id)/wait/2" && signal.sender == "qa")
    engine.end()
    try await people.look(&intents)
    #expect(intents.isEmpty)
  }

  @Test(
    "Each signal has the content that its workflow takes",
    arguments: [
      ("scan-in", nil, ["barcode": "TS-1", "position": "B-1/A01"] as JSON),
      ("fragment-result", "TS-1", ["barcode": "TS-1", "sizeBp": 480, "rin": 9]),
      ("customer-decision", "TS-1", ["barcode": "TS-1", "decision": "proceed"]),
      ("qpcr-result", nil, ["pool": "POOL-7", "nM": 3.9]), ("ready-to-load", nil, [:]),
      ("review", nil, ["decision": "deliver"]), ("unloaded", nil, ["flowCell": "FC-7"]),
    ] as [(String, String?, JSON)])
  func contents(signal: String, item: String?, body: JSON) async throws {
    let (engine, clock) = (StandInEngine(signal, item: item), FakeClock())
    let people = try Self.people(engine, clock)
    var intents: [LabPeople.Wait: LabPeople.Intent] = [:]
    try await people.look(&intents)
    clock.advance(by: .seconds(2))
    try await people.look(&intents)
    #expect(engine.signals.map(\.body) == [body])
  }

  @Test("The undo of a step is confirmed under a key of its own")
  func undo() async throws {
    let (engine, clock) = (StandInEngine("taken-out", isUndo: true), FakeClock())
    let people = try Self.people(engine, clock)
    var intents: [LabPeople.Wait: LabPeople.Intent] = [:]
    try await people.look(&intents)
    clock.advance(by: .seconds(2))
    for _ in 0..<2 { try await people.look(&intents) }
    #expect(engine.signals.map(\.body) == [["barcode": "TS-1", "position": "B-1/A01"]])
    #expect(engine.signals.first?.key == "lab/\(StandInEngine.id)/wait/1/undo")
  }

  @Test("Every signal of the shipped workflows has its answer")
  func everySignal() throws {
    func names(_ json: JSON) -> [String] {
      switch json {
      case .object(let members):
        members.flatMap { name, value in
          (name == "signal" ? [value["name"]?.stringValue].compactMap(\.self) : []) + names(value)
        }
      case .array(let values): values.flatMap(names)
      case .null, .bool, .number, .string: []
      }
    }
    let files = try Repository.names(in: "workflows", ending: ".json")
    let known = try files.flatMap { names(try JSON(parsing: Repository.bytes("workflows/\($0)"))) }
    #expect(Set(known) == Set(PersonalAnswer.allCases.map(\.rawValue)))
  }

  @Test(
    "A fault makes a person refuse, answer twice, answer late, or never answer",
    arguments: [
      ("people.approval:fail", 2, ["refuse"]), ("people.*:drop-answer", 2, ["approve", "approve"]),
      ("people.approval:slow=1m", 60, []), ("people.approval:slow=1m", 62, ["approve"]),
      ("people.approval:timeout", 3_600, []), ("people.approval:fail,match=POOL-8", 2, ["approve"]),
      ("people.review:fail", 2, ["approve"]), ("*.*:fail", 2, ["approve"]),
    ])
  func faults(fault: String, seconds: Int, decisions: [String]) async throws {
    let (engine, clock) = (StandInEngine("approval"), FakeClock())
    let people = try Self.people(engine, clock, faults: fault)
    var intents: [LabPeople.Wait: LabPeople.Intent] = [:]
    try await people.look(&intents)
    clock.advance(by: .seconds(seconds))
    for _ in 0..<2 { try await people.look(&intents) }
    #expect(engine.signals.map { $0.body?["decision"]?.stringValue } == decisions)
    // An answer that comes twice is one signal.
    #expect(Set(engine.signals.map(\.key)).count <= 1)
  }

  @Test("After a refused answer the right one follows, under a key of its own")
  func refused() async throws {
    let (engine, clock) = (StandInEngine("scan-in", refusals: 1), FakeClock())
    let people = try Self.people(engine, clock, faults: "people.scan-in:fail")
    var intents: [LabPeople.Wait: LabPeople.Intent] = [:]
    for _ in 0..<4 {
      try await people.look(&intents)
      clock.advance(by: .seconds(2))
    }
    #expect(engine.signals.map { $0.body?["position"] } == ["elsewhere", "B-1/A01"])
    #expect(Set(engine.signals.map(\.key)).count == 2)
  }

  @Test(
    "A fault that no person can have is refused",
    arguments: ["people.approval:status=503", "people.unknown:fail", "person.approval:fail"])
  func wrongFault(_ text: String) {
    #expect(throws: Fault.ParseError.self) { try Fault(text) }
  }
}
