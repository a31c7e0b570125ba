import JSON
import Persistence
import Runtime
import SagaCore
import Values
import WorkflowEngine

/// Puts a notice into one sentence. Texts of participants are clipped: the saga itself has them whole.
struct NoticeWords {
  private let subject: String
  private var said = "needs somebody"
  private(set) var step: String?
  private(set) var code: String?

  /// The members of an output that could not be made, for a notice that tells of them.
  private(set) var outputErrors: JSON?

  static let mostOfMessage = 160
  private static let mostOutputErrors = 20

  init(_ saga: SagaAsOf, _ stored: StoredEvent) {
    subject = "Saga \(stored.stream)" + (saga.workflow.map { " of \($0)" } ?? "")
    state = saga.after
  }

  private let state: SagaState?

  var sentence: String { "\(subject) \(said)." }

  // MARK: Stuck

  mutating func noteStuck(_ blocker: Blocker, of state: SagaState) {
    let isUndo = blocker.phase == .undo
    let isUnknown = !isUndo && state.step(blocker.step)?.outcome == .unknown
    let others = state.blockers.map(\.step).filter { $0 != blocker.step }
    (step, code) = (blocker.step, blocker.failure.code)
    said =
      Self.stuck(blocker.step, isUndo: isUndo, blocker.failure.message, blocker.failure.code)
      + (isUnknown ? ", and it may have happened" : "")
      + (others.isEmpty ? "" : "; it is stuck at \(Self.list(others)) too")
  }

  /// As the event itself tells it, when what was before it can't be read.
  mutating func noteStuck(_ data: JSON, isUndo: Bool) {
    step = data["step"]?.stringValue
    code = data["failure"]?["code"]?.stringValue
    said = Self.stuck(step ?? "?", isUndo: isUndo, data["failure"]?["message"]?.stringValue ?? "", code)
  }

  mutating func noteStuck() { said = "is stuck; this version can't read why, `saga events` shows what happened" }

  private static func stuck(_ step: String, isUndo: Bool, _ message: String, _ code: String?) -> String {
    "is stuck, as \(isUndo ? "the undo of step" : "step") \(step) failed for good" + words(message, code)
  }

  // MARK: The others

  mutating func note(_ type: NoticeType, _ data: JSON) {
    switch type {
    case .sagaOverdue: noteOverdue(data)
    case .sagaAbandoned: said = "was abandoned by \(Self.who(data))" + Self.reason(data)
    case .sagaCompensated: said = "is compensated: what was done has been undone" + turnBack
    case .sagaOutputIncomplete: noteOutput(data)
    case .sagaStuck, .approvalNeeded, .operationFinished, .test: break
    }
  }

  private mutating func noteOutput(_ data: JSON) {
    let errors = (try? OutputError.all(in: EventReader(type: "sagaCompleted", data: data))) ?? []
    guard let first = errors.first else {
      said = "is completed, and its output lacks something"
      return
    }
    code = first.code
    outputErrors = .array(errors.prefix(Self.mostOutputErrors).map(\.json))
    let what = first.path.isEmpty ? "its output" : "\(first.path) of its output"
    let others = errors.count - 1
    said =
      "is completed, but \(what) is null" + Self.words(first.message, first.code)
      + (others == 0 ? "" : ", and so \(others == 1 ? "is 1 other member" : "are \(others) other members")")
  }

  private mutating func noteOverdue(_ data: JSON) {
    guard let step = data["step"]?.stringValue else {
      let deadline = state.map { ": it was to be done by \($0.deadline)" } ?? ""
      said = "is overdue\(deadline), and can only go forward"
      return
    }
    self.step = step
    let what = data["phase"]?.stringValue == StepPhase.undo.rawValue ? "the undo of step \(step)" : "step \(step)"
    let since = data["since"]?.stringValue.map { ", and was to be over by \($0)" } ?? ""
    let time = data["expectedMs"]?.intValue.map { "the \(Self.seconds($0)) s" } ?? "what"
    let basis =
      switch data["basis"]?.stringValue {
      case "declared": "that its workflow expects"
      case "learned": "that are usual" + (data["samples"]?.intValue.map { " by \($0) runs" } ?? "")
      default: "that was expected"
      }
    said = "is overdue: \(what) takes longer than \(time) \(basis)\(since)"
  }

  private var turnBack: String {
    guard let turnBack = state?.turnBack?.value else { return "" }
    switch turnBack.cause {
    case .stepFailed: return ", as step \(turnBack.step ?? "?") failed" + Self.words(turnBack.message, turnBack.code)
    case .timeout: return ", as its time was over"
    case .cancelled, .compensate:
      return ", as \(turnBack.by ?? "someone") wanted: “\(Self.clipped(turnBack.reason ?? ""))”"
    }
  }

  static func operation(_ type: NoticeType, _ data: JSON, id: String) -> String {
    let verb = data["verb"]?.stringValue ?? "something"
    let sagas = data["sagas"]?.intValue.map { "\($0) saga\($0 == 1 ? "" : "s")" } ?? "many sagas"
    if type == .approvalNeeded {
      return
        "\(who(data)) wants to \(verb) \(sagas), which somebody else has to approve\(reason(data)); operation \(id)."
    }
    let counts = ["done", "refused"].compactMap { name in data[name]?.intValue.map { "\($0) \(name)" } }
    let shown = counts.isEmpty ? "" : ": \(counts.joined(separator: ", "))"
    return "Operation \(id)\(data["verb"] == nil ? "" : " (\(verb))") is finished\(shown)."
  }

  // MARK: Pieces

  private static func who(_ data: JSON) -> String { clipped(data["by"]?.stringValue ?? "Someone") }

  private static func reason(_ data: JSON) -> String {
    data["reason"]?.stringValue.map { ": “\(clipped($0))”" } ?? ""
  }

  private static func words(_ message: String, _ code: String?) -> String {
    let message = clipped(message)
    return ": " + (message.hasSuffix(".") ? String(message.dropLast()) : message) + (code.map { " [\($0)]" } ?? "")
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(3).joined(separator: ", ") + (names.count > 3 ? " and \(names.count - 3) more" : "")
  }

  private static func seconds(_ milliseconds: Int) -> String {
    milliseconds.isMultiple(of: 1_000)
      ? "\(milliseconds / 1_000)" : "\((Double(milliseconds) / 1_000 * 10).rounded() / 10)"
  }

  /// On one line, not longer than helps, and without what a terminal would obey: it also goes to the log.
  static func clipped(_ text: String, to most: Int = mostOfMessage) -> String {
    let shown = text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) }
    let line = String(shown).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return line.count > most ? line.prefix(most - 1) + "…" : line
  }
}
