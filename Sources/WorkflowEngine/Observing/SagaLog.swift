import Runtime
import SagaCore
import Synchronization
import Values

/// Writes one log line for each start, beginning of compensation, stop, delay, verb and end of a saga, and for each
/// registration. The lines have no inputs, outputs, reasons or messages: these may contain a patient's data.
///
/// A line comes from a committed event, after its append. So a saga that is read again after a restart logs nothing.
/// Each kind has a limit; a line with a count replaces the lines above it.
final class SagaLog: Sendable {
  /// What a line reports.
  enum Kind: String, Sendable, CaseIterable {
    case registered, started, turnedBack, stuck, overdue, verb, ended

    var level: Log.Level {
      switch self {
      case .registered, .started, .turnedBack, .verb, .ended: .info
      case .stuck, .overdue: .warning
      }
    }

    var message: String {
      switch self {
      case .registered: "Registered a workflow"
      case .started: "Started a saga"
      case .turnedBack: "A saga began compensation"
      case .stuck: "A saga is stuck until an operator acts"
      case .overdue: "A saga takes longer than expected; it continues"
      case .verb: "An operator acted on a saga"
      case .ended: "A saga ended"
      }
    }
  }

  /// The most lines of one kind in one `window`.
  static let most = 50
  static let window = Duration.seconds(10)

  private struct Line {
    /// The beginning of the window; nil before the first line.
    var since: Timestamp?
    var written = 0
    /// The lines of this window that were not written.
    var left = 0
  }

  private struct State {
    var lines: [Kind: Line] = [:]
    /// Reports the lines that were not written, at the end of the window.
    var reporter: Task<Void, Never>?
  }

  private let log: Log
  private let environment: Environment
  private let state = Mutex(State())

  init(_ log: Log, environment: Environment) {
    self.log = log
    self.environment = environment
  }

  /// Logs the registration of a workflow.
  func registered(_ workflow: String, version: Int, by actor: String) {
    write(.registered) { [("workflow", workflow), ("version", VersionName.short(version)), ("by", actor)] }
  }

  /// Logs what committed events say.
  /// - Parameters:
  ///   - before: the saga before them; nil for its start.
  ///   - after: the saga after them.
  func committed(_ events: [SagaEvent], before: SagaState?, after: SagaState) {
    guard log.writes(.warning) else { return }
    for event in events { write(event, of: after) }
    for event in SagaEvent.acts(in: events, before: before) { writeAct(event, of: after) }
    guard after.status == .stuck, before?.status != .stuck else { return }
    write(.stuck) {
      var values = Self.place(after)
      if let blocker = after.blockers.first {
        values += [("step", blocker.step), ("phase", blocker.phase.rawValue), ("code", blocker.failure.code)]
      }
      return values
    }
  }

  private func write(_ event: SagaEvent, of saga: SagaState) {
    switch event.what {
    case is SagaStarted:
      write(.started) {
        Self.place(saga) + [("by", saga.start.by)] + (saga.start.parent.map { [("parent", "\($0.saga)")] } ?? [])
      }
    case let turned as TurnedBack:
      write(.turnedBack) {
        Self.place(saga) + (turned.reason.step.map { [("step", $0)] } ?? [])
          + [("cause", turned.reason.cause.rawValue), ("code", turned.reason.code)]
          + (turned.reason.by.map { [("by", $0)] } ?? [])
      }
    case let late as StepOverdue:
      write(.overdue) { Self.place(saga) + [("step", late.step), ("phase", late.phase.rawValue)] }
    case is SagaOverdue: write(.overdue) { Self.place(saga) }
    case is SagaCompleted, is SagaCompensated, is SagaAbandoned:
      write(.ended) {
        let time = event.at - saga.startedAt
        return Self.place(saga) + [
          ("end", saga.end?.status.rawValue ?? event.typeName), ("milliseconds", "\(time.wholeMilliseconds)"),
        ]
      }
    // An ended saga takes no verb, so this is not among the acts.
    case let forgotten as SagaForgotten:
      write(.verb) { Self.place(saga) + [("verb", "forget"), ("by", forgotten.act.by)] }
    // No other event has a line of its own.
    default: break
    }
  }

  private func writeAct(_ event: SagaEvent, of saga: SagaState) {
    guard let (verb, act) = event.operated else { return }
    write(.verb) {
      Self.place(saga) + [("verb", verb.rawValue)] + (event.step.map { [("step", $0)] } ?? []) + [("by", act.by)]
    }
  }

  private static func place(_ saga: SagaState) -> [(String, String)] {
    [
      ("saga", "\(saga.id)"), ("workflow", saga.definition.workflow),
      ("version", VersionName.short(saga.definition.version)),
    ]
  }

  // MARK: The limit

  private func write(_ kind: Kind, _ values: () -> [(String, String)]) {
    guard log.writes(kind.level) else { return }
    let now = environment.now()
    let (isWritten, left) = state.withLock { state in
      var line = state.lines[kind, default: Line()]
      var left = 0
      if line.since.map({ now - $0 >= Self.window }) ?? true {
        left = line.left
        line = Line(since: now)
      }
      let isWritten = line.written < Self.most
      if isWritten { line.written += 1 } else { line.left += 1 }
      state.lines[kind] = line
      if !isWritten, state.reporter == nil { state.reporter = report() }
      return (isWritten, left)
    }
    if left > 0 { reportLeft(left, of: kind) }
    if isWritten { log.add(kind.level, kind.message, values()) }
  }

  /// Returns a task that reports at the end of the window. Without it, the count would wait for the next line.
  private func report() -> Task<Void, Never> {
    Task(executorPreference: environment.executor) { [environment, weak self] in
      do { try await environment.sleep(for: Self.window) } catch { return }
      self?.flush()
    }
  }

  /// Reports the lines that were not written so far.
  func flush() {
    let left = state.withLock { state in
      state.reporter?.cancel()
      state.reporter = nil
      return Kind.allCases.compactMap { kind -> (Kind, Int)? in
        guard let left = state.lines[kind]?.left, left > 0 else { return nil }
        // The kind begins a new window with its next line.
        state.lines[kind] = nil
        return (kind, left)
      }
    }
    for (kind, count) in left { reportLeft(count, of: kind) }
  }

  private func reportLeft(_ count: Int, of kind: Kind) {
    log.add(
      kind.level, "Did not write each line of a storm; the lines were like this one",
      [("line", kind.message), ("count", "\(count)")])
  }
}
