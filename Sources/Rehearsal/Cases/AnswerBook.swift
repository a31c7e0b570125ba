import JSON
import SagaCore
import Values
import Workflows

/// The participants of a case: they answer as the case says.
struct AnswerBook {
  let test: TestCase
  private(set) var unanswered: [UnansweredCall] = []
  private var calls: [CallName: Int] = [:]

  private struct CallName: Hashable {
    let step: String
    let phase: StepPhase
  }

  init(test: TestCase) { self.test = test }

  mutating func answer(_ call: VirtualCall) -> PlannedAnswer {
    let name = CallName(step: call.call.step, phase: call.call.phase)
    let number = calls[name, default: 0]
    calls[name] = number + 1
    guard let answer = test.answers.answer(name.step, name.phase, call: number) else {
      return none(call, because: nil)
    }
    if let problem = answer.problem(for: call.call) { return none(call, because: problem) }
    return answer.planned(for: call.call, at: call.at, keepsTombstones: test.keepsTombstones)
  }

  private mutating func none(_ call: VirtualCall, because: String?) -> PlannedAnswer {
    unanswered.append(
      UnansweredCall(step: call.call.step, phase: call.call.phase, at: call.at, because: because))
    return .neverAnswers(happens: false)
  }
}

extension UnansweredCall {
  var difference: Difference {
    let member = phase == .forward ? "answers" : "undo"
    let what = phase == .forward ? "the step \(step)" : "the undo of the step \(step)"
    return Difference(
      "\(member).\(step)", expected: "an answer for \(what)",
      seen: because ?? "none, and the saga calls it [\(RehearsalErrorCode.testsNoAnswer)]",
      details: [
        "add to \"\(member)\":",
        because == nil
          ? "  \"\(step)\": { \"status\": \(phase == .forward ? "200, \"body\": {}" : "204") }"
          : "  \"\(step)\": { \"output\": {} }",
      ])
  }
}

extension CaseAnswer {
  /// Why the answer can't be given to a call; nil when it can. The reader finds this for answers that name their step.
  func problem(for call: StepCall) -> String? {
    let how: String
    switch call.action {
    case .http: return isUntaken ? "no worker for \"\(CaseAnswers.everyStep)\", and the step is called over HTTP" : nil
    case .kafka: how = "is called over Kafka"
    case .task: how = "is a task"
    case .workflow: how = "starts a child saga"
    }
    switch content {
    case .status, .refusedConnection:
      return "an answer over HTTP for \"\(CaseAnswers.everyStep)\", and the step \(how)"
    case .output, .failure, .unknown, .silence: return nil
    }
  }

  /// Returns what the participant of a call does.
  package func planned(for call: StepCall, at time: Timestamp, keepsTombstones: Bool) -> PlannedAnswer {
    let usual = min(PlannedAnswer.usualTime, call.timeout / 2)
    let after = self.after ?? (isLate ? call.timeout + .seconds(1) : usual)
    let outcome = outcome(for: call, at: time + after, keepsTombstones: keepsTombstones)
    let happens: Bool
    switch outcome {
    case .succeeded, .succeededUnread, .answered: happens = happened ?? true
    case .failed, .unknown, .notSent, nil: happens = happened ?? false
    }
    var planned = PlannedAnswer(outcome, after: after, effect: happens ? (outcome == nil ? usual : after) : nil)
    planned.isLast = isLast
    planned.isTaken = !isUntaken
    return planned
  }

  private func outcome(for call: StepCall, at time: Timestamp, keepsTombstones: Bool) -> StepOutcome? {
    switch content {
    case .output(let output): return call.success(output)
    case .failure(var failure):
      failure.keepsTombstones = keepsTombstones && failure.isGone
      return .failed(failure)
    case .unknown(let failure): return .unknown(failure)
    case .silence: return nil
    case .refusedConnection:
      return HTTPOutcome.unanswered(
        HTTPErrorCode.connectionRefused, "The connection was refused.", wasSent: false, service: service(of: call))
    case .status(let status, let body, let headers):
      guard case .http(let http) = call.action else { return nil }
      let (bytes, type) = Self.bytes(of: body, headers)
      let fields = headers.map { (name: $0.name, value: $0.value) }
      let answer = HTTPAnswer(
        sender: HTTPAnswer.Sender(name: http.service, keepsTombstones: keepsTombstones), status: status, body: bytes,
        fields: fields + (type.map { [(name: "Content-Type", value: $0)] } ?? []))
      return HTTPOutcome.of(answer, success: http.success, now: time, limit: Self.longestBody)
    }
  }

  /// The longest body that the engine reads.
  private static let longestBody = 1 << 20

  /// Returns the bytes of a body, and their type when the headers don't say it. A string is sent as it is when the
  /// headers say that it is not JSON.
  private static func bytes(of body: JSON?, _ headers: [Header]) -> (bytes: [UInt8], type: String?) {
    guard let body else { return ([], nil) }
    let type = headers.first { $0.name.lowercased() == "content-type" }?.value.lowercased()
    if let type, !type.contains("json"), case .string(let text) = body { return (Array(text.utf8), nil) }
    return (body.bytes(), "application/json")
  }

  private func service(of call: StepCall) -> String {
    switch call.action {
    case .http(let http): http.service
    case .kafka(let kafka): kafka.service
    case .task(let task): task.queue
    case .workflow(let workflow): workflow.name
    }
  }
}
