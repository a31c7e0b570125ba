import JSON
import Values

/// The decision on a sample after its measurements. A sample that fails waits for the customer's answer.
///
/// ```
/// absent ── evaluate ──▶ evaluated ── answer ──▶ answered ── record ──▶ recorded
///   │                     └──────────── record ─────────────────────────▲
///   └─ undone before ──▶ undoneBefore ✗ evaluate      withdraw: from any of these ──▶ withdrawn
/// ```
struct QualityDecision: Aggregate {
  enum Status: String, Sendable, CaseIterable {
    case absent, undoneBefore, evaluated, answered, recorded, withdrawn
  }

  /// The customer's answer about a sample that failed.
  enum Answer: String, Sendable, CaseIterable { case proceed, replace, cancel }

  /// What is done with a sample.
  enum Outcome: String, Sendable, CaseIterable {
    case passed
    /// It failed, and the customer wants it processed all the same.
    case atRisk
    /// The customer sends another one.
    case replace
    case cancelled
    /// It failed, and the customer has not answered.
    case onHold
  }

  struct Evaluation: Sendable, Equatable {
    var reservationID: UniqueID
    var barcode: String
    var plate: String
    var type: SampleType
    var reading: Measurement.Reading
    /// Why the sample fails; empty when it passes.
    var reasons: [String]

    var verdict: String { reasons.isEmpty ? "pass" : "fail" }
  }

  var status = Status.absent
  var evaluation: Evaluation?
  var answer: Answer?
  var outcome: Outcome?

  static let absent = QualityDecision()
  static let name = "decision"

  /// Returns the id of a decision. A sample of a reservation has one.
  static func id(of barcode: String, in reservation: UniqueID) -> UniqueID {
    .derived(from: "laboratory/decision/\(reservation)/\(barcode)")
  }
}

extension QualityDecision {
  enum Command: Sendable {
    case evaluate(Evaluation)
    case answer(Answer)
    case record
    case withdraw
  }

  static func decide(_ command: Command, _ decision: QualityDecision) throws(LabRefusal) -> [DecisionEvent] {
    switch command {
    case .evaluate(let evaluation):
      switch decision.status {
      case .absent: return [.evaluated(evaluation)]
      case .undoneBefore: throw .undoneBefore("The decision was undone before the evaluation.")
      case .evaluated, .answered, .recorded: throw .exists(name)
      case .withdrawn: throw .gone("The decision was withdrawn; another one needs a new reservation.")
      }
    case .answer(let answer):
      let evaluation = try decision.present()
      guard decision.status == .evaluated, !evaluation.reasons.isEmpty else {
        let why =
          evaluation.reasons.isEmpty ? "passed, so it needs no answer" : "is already \(decision.status.rawValue)"
        throw wrongState("Sample \(evaluation.barcode) \(why).")
      }
      return [.answered(answer)]
    case .record:
      let evaluation = try decision.present()
      guard decision.status != .recorded else {
        throw wrongState("The decision on sample \(evaluation.barcode) is already recorded.")
      }
      return [.recorded(decision.outcome(of: evaluation))]
    case .withdraw:
      _ = try decision.present()
      return [.withdrawn]
    }
  }

  private static func wrongState(_ message: String) -> LabRefusal {
    LabRefusal(LabErrorCode.qcState, status: 409, message)
  }

  private func present() throws(LabRefusal) -> Evaluation {
    switch status {
    case .undoneBefore: throw .gone("The decision was undone before the evaluation.")
    case .withdrawn: throw .gone("The decision is withdrawn.")
    case .absent, .evaluated, .answered, .recorded: break
    }
    guard let evaluation else {
      throw LabRefusal(LabErrorCode.unknown, status: 404, "The sample was not evaluated.")
    }
    return evaluation
  }

  private func outcome(of evaluation: Evaluation) -> Outcome {
    if evaluation.reasons.isEmpty { return .passed }
    return switch answer {
    case .proceed: .atRisk
    case .replace: .replace
    case .cancel: .cancelled
    case nil: .onHold
    }
  }

  static func evolve(_ decision: QualityDecision, _ event: DecisionEvent) -> QualityDecision {
    var decision = decision
    switch event {
    case .evaluated(let evaluation):
      decision.status = .evaluated
      decision.evaluation = evaluation
    case .undoneBefore: decision.status = .undoneBefore
    case .answered(let answer):
      decision.status = .answered
      decision.answer = answer
    case .recorded(let outcome):
      decision.status = .recorded
      decision.outcome = outcome
    case .withdrawn: decision.status = .withdrawn
    case .undoNoted: break
    }
    return decision
  }

  /// The form in which a decision is shown.
  var json: JSON {
    guard let evaluation else { return ["status": .string(status.rawValue)] }
    var json = evaluation.json
    json["verdict"] = .string(evaluation.verdict)
    if let mass = evaluation.reading.massMillionths { json["massNg"] = Measurement.Reading.massJSON(mass) }
    json["answer"] = .text(answer?.rawValue)
    json["outcome"] = .text(outcome?.rawValue)
    json["status"] = .string(status.rawValue)
    return .object(json)
  }
}

extension QualityDecision.Evaluation {
  fileprivate var json: JSONObject {
    var json =
      JSON.members(
        ("reservationId", .text(reservationID)), ("barcode", .string(barcode)), ("plate", .string(plate)),
        ("type", .string(type.rawValue))
      ).objectValue ?? [:]
    for (name, value) in reading.json { json[name] = value }
    json["reasons"] = .array(reasons.map { .string($0) })
    return json
  }
}

/// An event of a decision.
enum DecisionEvent: CreatingEvent {
  case evaluated(QualityDecision.Evaluation)
  case undoneBefore
  case answered(QualityDecision.Answer)
  case recorded(QualityDecision.Outcome)
  case withdrawn
  /// An undo came before its command. The command is refused from now on.
  case undoNoted(command: String)

  var type: String {
    switch self {
    case .evaluated: "decision.evaluated"
    case .undoneBefore: "decision.undoneBefore"
    case .answered: "decision.answered"
    case .recorded: "decision.recorded"
    case .withdrawn: "decision.withdrawn"
    case .undoNoted: "decision.undoNoted"
    }
  }

  var data: JSON {
    switch self {
    case .evaluated(let evaluation): .object(evaluation.json)
    case .undoneBefore, .withdrawn: [:]
    case .answered(let answer): ["answer": .string(answer.rawValue)]
    case .recorded(let outcome): ["outcome": .string(outcome.rawValue)]
    case .undoNoted(let command): ["command": .string(command)]
    }
  }

  init(type: String, data: JSON) throws(UnreadableEvent) {
    let members = StoredMembers(data, of: type)
    switch type {
    case "decision.evaluated":
      self = .evaluated(
        QualityDecision.Evaluation(
          reservationID: try members.id("reservationId"), barcode: try members.string("barcode"),
          plate: try members.string("plate"), type: try members.word("type"),
          reading: try Measurement.Reading(members), reasons: try members.strings("reasons")))
    case "decision.undoneBefore": self = .undoneBefore
    case "decision.answered": self = .answered(try members.word("answer"))
    case "decision.recorded": self = .recorded(try members.word("outcome"))
    case "decision.withdrawn": self = .withdrawn
    case "decision.undoNoted": self = .undoNoted(command: try members.string("command"))
    default: throw UnreadableEvent(type: type, missing: nil)
    }
  }

  var claims: [LabClaim] { [] }
  var releases: [LabClaim] { [] }
}
