public import Runtime
import SagaCore
import Values

/// Counts what the engine does, for the metrics. The counters begin at 0 with the process.
///
/// The counters follow committed events: a saga counts them after their append. A saga that is read again after a
/// restart adds nothing.
public final class EngineMeters: Sendable {
  /// The most series of histograms for each step. A histogram has more than ten lines.
  private static let mostHistograms = 300

  private static let workflow = MetricFamily.Label.open("workflow")
  private static let step = MetricFamily.Label.open("step")
  private static let phase = MetricFamily.Label.listed("phase")

  private let started = CounterFamily(
    MetricFamily("tracseq_sagas_started_total", "Sagas that started.", labels: [workflow]))
  private let ended = CounterFamily(
    MetricFamily("tracseq_sagas_ended_total", "Sagas that ended, by how.", labels: [workflow, .listed("end")]))
  private let turnedBack = CounterFamily(
    MetricFamily(
      "tracseq_sagas_turned_back_total", "Sagas that began compensation, by why.", labels: [workflow, .listed("cause")])
  )
  private let stuck = CounterFamily(
    MetricFamily("tracseq_sagas_stuck_total", "How often a saga became stuck.", labels: [workflow]))
  private let durations = HistogramFamily(
    MetricFamily(
      "tracseq_saga_seconds", "From the start of a saga to its end.", labels: [workflow, .listed("end")],
      limit: mostHistograms),
    upTo: [
      .seconds(1), .seconds(10), .seconds(60), .seconds(300), .seconds(1_800), .seconds(3_600), .seconds(4 * 3_600),
      .seconds(86_400), .seconds(3 * 86_400), .seconds(7 * 86_400), .seconds(30 * 86_400),
    ])
  private let attempts = CounterFamily(
    MetricFamily("tracseq_step_attempts_total", "Attempts that began.", labels: [workflow, step, phase]))
  private let retries = CounterFamily(
    MetricFamily(
      "tracseq_step_retries_total", "Failed attempts after which the engine tries again.",
      labels: [workflow, step, phase]))
  private let failures = CounterFamily(
    MetricFamily(
      "tracseq_step_failures_total", "Steps and undos that failed for good.", labels: [workflow, step, phase]))
  private let undos = CounterFamily(
    MetricFamily("tracseq_step_undos_total", "Steps that were undone.", labels: [workflow, step]))
  private let overdue = CounterFamily(
    MetricFamily(
      "tracseq_steps_overdue_total", "How often a step or its undo took longer than expected.",
      labels: [workflow, step, phase]))
  private let stepDurations = HistogramFamily(
    MetricFamily(
      "tracseq_step_seconds", "From the first attempt of a step to its success.", labels: [workflow, step],
      limit: mostHistograms), upTo: ofSteps)
  private let undoDurations = HistogramFamily(
    MetricFamily(
      "tracseq_undo_seconds", "From the first attempt to undo a step to the success of the undo.",
      labels: [workflow, step], limit: mostHistograms), upTo: ofSteps)
  private let verbs = CounterFamily(
    MetricFamily("tracseq_verbs_total", "What operators did to sagas.", labels: [.listed("verb")]))
  private let calls = CounterFamily(
    MetricFamily(
      "tracseq_calls_total", "Calls of services that ended, by the status of the answer.",
      labels: [.open("service"), .open("status")]))
  private let callDurations = HistogramFamily(
    MetricFamily(
      "tracseq_call_seconds", "From the wish to call a service to its answer, or to the end of the wait for it.",
      labels: [.open("service")], limit: mostHistograms), upTo: ofCalls)
  private let appendDurations = HistogramFamily(
    MetricFamily("tracseq_append_seconds", "How long the store took for one append of a saga."),
    upTo: [
      .milliseconds(1), .microseconds(2_500), .milliseconds(5), .milliseconds(10), .milliseconds(25),
      .milliseconds(50), .milliseconds(100), .milliseconds(250), .milliseconds(500), .seconds(1), .seconds(5),
    ])
  private let appendSizes = HistogramFamily(
    MetricFamily("tracseq_append_events", "Events of one append of a saga."),
    bounds: [1, 2, 3, 5, 10, 20, 50, 100, 1_000].map { $0 * 1_000_000 })
  private let appendFailures = CounterFamily(
    MetricFamily(
      "tracseq_append_failures_total", "Appends of sagas that the store did not confirm, by the code.",
      labels: [.open("code")], limit: 50))

  private static let ofSteps: [Duration] = [
    .milliseconds(50), .milliseconds(250), .seconds(1), .seconds(5), .seconds(30), .seconds(60), .seconds(300),
    .seconds(1_800), .seconds(3_600), .seconds(4 * 3_600), .seconds(86_400), .seconds(7 * 86_400),
  ]
  private static let ofCalls: [Duration] = [
    .milliseconds(5), .milliseconds(10), .milliseconds(25), .milliseconds(50), .milliseconds(100), .milliseconds(250),
    .milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(10), .seconds(30), .seconds(60),
  ]

  public init() {}

  /// The counters, in the order in which the metrics show them.
  public var counters: [CounterFamily] {
    [
      started, ended, turnedBack, stuck, attempts, retries, failures, undos, overdue, verbs, calls, appendFailures,
    ]
  }

  /// The histograms, in the order in which the metrics show them.
  public var histograms: [HistogramFamily] {
    [durations, stepDurations, undoDurations, callDurations, appendDurations, appendSizes]
  }

  // MARK: What the engine reports

  /// Counts an append that the store has confirmed.
  func appended(_ events: Int, in time: Duration) {
    appendDurations.add(time)
    appendSizes.add(count: events)
  }

  /// Counts an append that the store did not confirm.
  func notAppended(because code: String) { appendFailures.add(1, code) }

  /// Counts a call that has ended.
  func called(_ action: RenderedAction, _ outcome: StepOutcome, in time: Duration) {
    let service: String
    let isHTTP: Bool
    switch action {
    case .http(let http): (service, isHTTP) = (http.service, true)
    case .kafka(let kafka): (service, isHTTP) = (kafka.service, false)
    case .task, .workflow: return
    }
    calls.add(1, service, Self.status(of: outcome, isHTTP: isHTTP))
    callDurations.add(time, service)
  }

  /// Returns the status of an answer over HTTP, or a word: `succeeded` and `failed` for an answer over Kafka,
  /// `unanswered` when no answer came, `notSent` when the engine sent nothing.
  private static func status(of outcome: StepOutcome, isHTTP: Bool) -> String {
    switch outcome {
    case .answered(let answer): "\(answer.status)"
    case .succeeded: "succeeded"
    case .succeededUnread(let failure): failure.answer?.status.map { "\($0)" } ?? "succeeded"
    case .failed(let failure): failure.answer?.status.map { "\($0)" } ?? (isHTTP ? "unanswered" : "failed")
    case .unknown(let failure): failure.answer?.status.map { "\($0)" } ?? "unanswered"
    case .notSent: "notSent"
    }
  }

  /// Counts the events of a committed append.
  /// - Parameters:
  ///   - before: the saga before them; nil for its start.
  ///   - after: the saga after them.
  func committed(_ events: [SagaEvent], before: SagaState?, after: SagaState) {
    let workflow = after.start.workflow
    for event in events { count(event, workflow, after) }
    for event in SagaEvent.acts(in: events, before: before) {
      if let verb = event.operated?.verb { verbs.add(1, verb.rawValue) }
    }
    if after.status == .stuck, before?.status != .stuck { stuck.add(1, workflow) }
  }

  private func count(_ event: SagaEvent, _ workflow: String, _ saga: SagaState) {
    // All items of a step count as the step.
    let step = event.step.map { ItemID.step(of: $0) } ?? ""
    switch event.what {
    case is SagaStarted: started.add(1, workflow)
    case is SagaCompleted: end("completed", event, workflow, saga)
    case is SagaCompensated: end("compensated", event, workflow, saga)
    case is SagaAbandoned: end("abandoned", event, workflow, saga)
    case let turned as TurnedBack: turnedBack.add(1, workflow, turned.reason.cause.rawValue)
    case let begun as AttemptStarted: attempts.add(1, workflow, step, begun.phase.rawValue)
    case let failed as AttemptFailed: retries.add(1, workflow, step, failed.phase.rawValue)
    case is StepSucceeded:
      guard let id = event.step, ItemID(id) == nil, let since = saga.step(id)?.startedAt else { break }
      stepDurations.add(event.at - since, workflow, step)
    case is StepFailed: failures.add(1, workflow, step, StepPhase.forward.rawValue)
    case is UndoFailed: failures.add(1, workflow, step, StepPhase.undo.rawValue)
    case is UndoSucceeded:
      undos.add(1, workflow, step)
      guard let id = event.step, ItemID(id) == nil, let since = saga.step(id)?.undo.startedAt else { break }
      undoDurations.add(event.at - since, workflow, step)
    case let late as StepOverdue: overdue.add(1, workflow, step, late.phase.rawValue)
    case is SagaForgotten: verbs.add(1, "forget")
    // No other kind is counted.
    default: break
    }
  }

  private func end(_ end: String, _ event: SagaEvent, _ workflow: String, _ saga: SagaState) {
    ended.add(1, workflow, end)
    durations.add(event.at - saga.startedAt, workflow, end)
  }
}

/// What the engine has to do at one time.
public struct EngineLoad: Sendable, Hashable {
  /// The sagas in memory.
  public var sagasInMemory = 0
  /// The sagas that decide, or whose append is under way.
  public var sagasWorking = 0
  /// The attempts that executors have.
  public var attemptsUnderWay = 0
  /// The sagas that wait for a time.
  public var timers = 0
  /// How long the oldest timer that is due has been due; zero when none is.
  public var timerDelay = Duration.zero

  public init() {}
}

extension SagaEvent {
  /// Returns one event for each act of an operator. A retry of several steps has an event for each of them, and a request
  /// to begin compensation that waited for a pivot has a second event when it is carried out.
  /// - Parameters:
  ///   - events: the events of a committed append.
  ///   - before: the saga before them; nil for its start.
  static func acts(in events: [SagaEvent], before: SagaState?) -> [SagaEvent] {
    let waiting = before?.requestedTurnBack.flatMap { TurnBackRequested($0.value).operated }
    var known = waiting.map { [$0] } ?? []
    return events.filter { event in
      guard let one = event.operated, !known.contains(where: { $0 == one }) else { return false }
      known.append(one)
      return true
    }
  }
}
