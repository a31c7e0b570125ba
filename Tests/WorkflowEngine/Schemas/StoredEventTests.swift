import JSON
import TestSupport
import Testing
import Values

@testable import SagaCore
@testable import WorkflowEngine

/// `Fixtures/events` holds events as they were stored, one of each type in each version. A fixture never changes.
@Suite("Old events stay readable", .timeLimit(.minutes(15)), .inTurn)
struct StoredEventTests {
  static let folder = "Tests/WorkflowEngine/Fixtures/events"

  struct Stored {
    let type: String
    let schema: Int
    let data: JSON

    init(_ key: String) throws {
      try written.get()
      let file = try JSON(parsing: Repository.bytes("\(folder)/\(key).json"))
      type = try #require(file["type"]?.stringValue)
      schema = try #require(file["schema"]?.intValue)
      data = try #require(file["data"])
    }
  }

  @Test("Every type in every version has a fixture, and every fixture has a type")
  func files() throws {
    try Self.written.get()
    let names = try Repository.names(in: Self.folder, ending: ".json")
    #expect(
      Set(names) == Set(EventSchemas.keys.map { "\($0).json" }),
      "RENEW_COPIES=1 swift test --filter StoredEventTests writes the one of a new type")
  }

  /// With RENEW_COPIES=1, writes the fixture of a type or version that has none. One that is there is never written again.
  private static let written = Result {
    guard Repository.renewsCopies else { return }
    let names = Set(try Repository.names(in: folder, ending: ".json"))
    for kind in SagaEvent.kinds.map({ $0.typeName }) {
      let key = EventSchemas.key(kind, SagaEvent.schema)
      guard !names.contains("\(key).json") else { continue }
      let event = EventSamples.of(kind)[0]
      let stored: JSON = ["type": .string(event.typeName), "schema": .int(SagaEvent.schema), "data": event.data]
      try Repository.write(stored.text(.pretty) + "\n", to: "\(folder)/\(key).json")
    }
  }

  @Test("A fixture is read, and written again unchanged", arguments: EventSchemas.keys)
  func read(key: String) throws {
    let stored = try Stored(key)
    #expect(EventSchemas.key(stored.type, stored.schema) == key)
    #expect(EventSchemas.violations(of: stored.data, key: key) == [])
    let event = try SagaEvent(type: stored.type, schema: stored.schema, data: stored.data)
    #expect(event.typeName == stored.type)
    #expect(EventSchemas.violations(of: event) == [])
    // An event in an older form is written in the current form.
    if stored.schema == SagaEvent.schema { #expect(event.data == stored.data) }
  }

  @Test("A fixture folds into a history", arguments: EventSchemas.keys)
  func fold(key: String) throws {
    let stored = try Stored(key)
    let event = try SagaEvent(type: stored.type, schema: stored.schema, data: stored.data)
    let before = Self.before(event.typeName).map { SagaEvent(at: EventSamples.at, $0) }
    let state = try SagaState(folding: before + [event])
    #expect(state.version == before.count + 1)
    #expect(try SagaState(snapshotText: state.snapshotText) == state)
  }

  /// Returns the events that must come before a fixture's event.
  private static func before(_ kind: String) -> [any SagaEventContent] {
    let step = "createSample"
    let failure = EventSamples.bareFailure
    let started = [SagaStarted(EventSamples.start(idempotencyKey: nil, tags: [])) as any SagaEventContent]
    func attempt(_ phase: StepPhase) -> any SagaEventContent {
      AttemptStarted(step: step, phase: phase, round: 1, attempt: 1, deadline: EventSamples.later)
    }
    let running = started + [attempt(.forward)]
    let blocked =
      running + [StepFailed(step: step, outcome: .unknown, failure: failure, consequence: .blocks)]
    let turnedBack =
      running + [
        StepSucceeded(step: step, output: .null, isPivot: false),
        TurnedBack(TurnBack(cause: .timeout, code: "saga.timeout", message: "Late.")),
      ]
    return switch kind {
    case "sagaStarted": []
    case "stepSkipped", "waitStarted", "attemptStarted", "signalReceived", "signalRefused", "keptSignalRefused",
      "turnBackRequested",
      "turnBackLapsed", "turnedBack", "sagaOverdue", "sagaCompleted", "sagaAbandoned", "answerIgnored",
      "operatorSkipped",
      "rewindStarted", "sagaPaused", "sagaMoved", "pollStarted", "turnAsked":
      started
    case "groupOpened", "itemsOpened": started
    case "turnTaken": started + [TurnAsked(step: step, phase: .forward, key: "HiSeq-1", limit: 1)]
    case "turnReleased":
      started + [
        TurnAsked(step: step, phase: .forward, key: "HiSeq-1", limit: 1),
        TurnTaken(step: step, phase: .forward, key: "HiSeq-1"), attempt(.forward),
      ]
    case "itemsUndone":
      started + [
        ItemsOpened(step: step, count: 0, digest: "d"), StepSucceeded(step: step, output: .null, isPivot: false),
      ]
    case "waitReminded":
      started + [
        WaitStarted(step: "approve", until: nil, signal: "approval", remindAt: EventSamples.later)
      ]
    case "taskTaken":
      started + [
        AttemptStarted(
          step: step, phase: .forward, round: 1, attempt: 1, deadline: EventSamples.later, queue: "robot")
      ]
    case "pollAnswered": started + [PollStarted(step: step, every: .seconds(300), until: nil), attempt(.forward)]
    case "keptSignalTaken":
      started + [
        SignalReceived(signal: SignalGiven(name: "approval", id: "scan-17", body: .null, by: "mara"), step: nil)
      ]
    case "operatorExtended": started + [WaitStarted(step: step, until: EventSamples.later, signal: nil)]
    case "operatorRanNow":
      started + [step, "storeSample"].map { WaitStarted(step: $0, until: EventSamples.later, signal: nil) }
    case "rewindFinished":
      started + [RewindStarted(step: step, steps: [step, "storeSample"], act: EventSamples.bareAct)]
    case "sagaResumed": started + [SagaPaused(EventSamples.bareAct)]
    case "attemptFailed", "attemptNotMade", "stepProgressed", "stepSucceeded", "stepFailed", "stepOverdue",
      "childStarted":
      running
    case "undoSucceeded", "undoFailed": turnedBack + [attempt(.undo)]
    case "operatorRetried", "operatorResolved": blocked
    case "sagaReopened", "sagaForgotten":
      running + [StepSucceeded(step: step, output: .null, isPivot: false), SagaCompleted(output: .null, errors: [])]
    case "sagaCompensated": turnedBack
    default: []
    }
  }
}
