import JSON
import SagaCore
import Values
import Workflows

/// Reads the answers of a case: `answers` and `undo`.
struct AnswerReader {
  let definition: WorkflowDefinition?
  let report: Report

  private static let code = RehearsalErrorCode.testsInvalid
  private static let kinds = ["status", "output", "fail", "unknown", "timeout", "late", "refusedConnection"]

  func answers(in reader: ObjectReader) -> CaseAnswers {
    var answers = CaseAnswers()
    answers.forward = self.answers(named: "answers", .forward, in: reader)
    answers.undo = self.answers(named: "undo", .undo, in: reader)
    return answers
  }

  private func answers(named name: String, _ phase: StepPhase, in reader: ObjectReader) -> [String: [CaseAnswer]] {
    guard let json = reader.members[name] else { return [:] }
    guard case .object(let members) = json else {
      reader.wrongType(name, "an object with the answers by step", json)
      return [:]
    }
    var answers: [String: [CaseAnswer]] = [:]
    for (step, value) in members {
      let pointer = reader.pointer(to: name).appending(step)
      var call: Call?
      if step != CaseAnswers.everyStep {
        let action = CaseNames(definition: definition, report: report).requireCall(of: step, phase, at: pointer, .name)
        call = action.flatMap { action in
          definition?.step(ItemID.step(of: step)).map {
            Call(step: $0, phase: phase, action: action, wait: definition?.timeout ?? CallRendering.defaultTimeout)
          }
        }
      }
      answers[step] = list(value, at: pointer, of: call)
    }
    return answers
  }

  /// The call that is answered; nil for the answers of every step.
  private struct Call {
    let step: Step
    let phase: StepPhase
    let action: Action
    /// The timeout of the workflow.
    let wait: Duration

    /// How the step is done, in the words of a mistake, when it is not called over HTTP.
    var other: String? {
      switch action {
      case .kafka: "a step over Kafka"
      case .task: "a task"
      case .workflow: "a child saga"
      case .http, .signal, .delay, .fail, .group: nil
      }
    }

    /// The class that the engine gives to a failure that is answered.
    var failureClass: String? {
      switch action {
      case .kafka: "kafka.answer"
      case .task: TaskAnswer.failureClass
      case .http, .workflow, .signal, .delay, .fail, .group: nil
      }
    }

    /// How long an attempt waits for its answer.
    var timeout: Duration {
      switch (phase, step.compensation) {
      case (.undo, .undo(let undo)): undo.timeout ?? CallRendering.defaultTimeout
      case (.forward, _), (.undo, _):
        step.poll?.lookTimeout ?? step.timeout ?? (action.isTask ? wait : CallRendering.defaultTimeout)
      }
    }
  }

  private func list(_ json: JSON, at pointer: JSONPointer, of call: Call?) -> [CaseAnswer] {
    guard case .array(let values) = json else {
      return answer(json, at: pointer, of: call).map { [$0] } ?? []
    }
    guard (1...TestFile.maxItems).contains(values.count) else {
      report.error(
        Self.code, "a list of answers has 1 to \(TestFile.maxItems) of them, not \(values.count)", at: pointer)
      return []
    }
    return values.enumerated().compactMap { answer($1, at: pointer.appending($0), of: call) }
  }

  private func answer(_ json: JSON, at pointer: JSONPointer, of call: Call?, isInner: Bool = false) -> CaseAnswer? {
    let own = isInner ? ["status", "output", "fail", "unknown"] : Self.kinds
    guard
      let reader = ObjectReader(
        json, at: pointer, what: isInner ? "a late answer" : "an answer",
        keys: own + ["body", "headers", "happened"] + (isInner ? [] : ["after"]), meant: TestWords.answer,
        report: report)
    else { return nil }
    let given = own.filter { reader.has($0) }
    guard given.count == 1, let kind = given.first else {
      let words = own.map { "\"\($0)\"" }.joined(separator: ", ")
      report.error(
        Self.code, "an answer has one of \(words)\(given.isEmpty ? "" : ", not \(given.count) of them")", at: pointer)
      return nil
    }
    refuseOthers(kind, reader)
    var answer: CaseAnswer?
    switch kind {
    case "status": answer = status(in: reader, of: call)
    case "output": answer = CaseAnswer(.output(reader.members["output"] ?? .null))
    case "fail": answer = failure("fail", in: reader, of: call).map { CaseAnswer(.failure($0)) }
    case "unknown": answer = failure("unknown", in: reader, of: call).map { CaseAnswer(.unknown($0)) }
    case "timeout": answer = silence(in: reader, of: call)
    case "late": answer = late(in: reader, of: call)
    default: answer = refusedConnection(in: reader, of: call)
    }
    if let after = reader.duration("after", positive: false) { answer?.after = after }
    if let happened = reader.bool("happened") { answer?.happened = happened }
    checkTime(of: answer, reader, call)
    return answer
  }

  /// Reports members that belong to another kind of answer.
  private func refuseOthers(_ kind: String, _ reader: ObjectReader) {
    let allowed: [String: Set<String>] = [
      "body": ["status"], "headers": ["status"], "happened": ["status", "unknown"],
      "after": ["status", "output", "fail", "unknown", "late"],
    ]
    for (member, kinds) in allowed.sorted(by: { $0.key < $1.key }) where reader.has(member) && !kinds.contains(kind) {
      report.error(
        Self.code, "an answer with \"\(kind)\" has no \"\(member)\"", at: reader.pointer(to: member), .name)
    }
  }

  private func status(in reader: ObjectReader, of call: Call?) -> CaseAnswer? {
    if let other = call?.other {
      report.error(
        Self.code, "\(other) gets no HTTP status: write \"output\", \"fail\" or \"unknown\"",
        at: reader.pointer(to: "status"), .name)
    }
    guard let status = reader.integer("status", in: 200...599, meaning: "an HTTP status from 200 to 599") else {
      return nil
    }
    return CaseAnswer(.status(status, body: reader.members["body"], headers: headers(in: reader)))
  }

  private func headers(in reader: ObjectReader) -> [CaseAnswer.Header] {
    guard let json = reader.members["headers"] else { return [] }
    guard case .object(let members) = json else {
      reader.wrongType("headers", "an object", json)
      return []
    }
    return members.compactMap { name, value in
      if case .string(let text) = value { return CaseAnswer.Header(name: name, value: text) }
      report.error(
        Self.code, "the value of a header is a string, not \(ObjectReader.withArticle(value))",
        at: reader.pointer(to: "headers").appending(name))
      return nil
    }
  }

  private func failure(_ name: String, in reader: ObjectReader, of call: Call?) -> StepFailure? {
    guard let json = reader.members[name],
      let inner = ObjectReader(
        json, at: reader.pointer(to: name), what: "\"\(name)\"",
        keys: ["code", "message", "retryable", "retryAfter", "gone"], meant: TestWords.failure, report: report)
    else { return nil }
    let (message, isRetryable) = (inner.text("message"), inner.bool("retryable"))
    let (retryAfter, isGone) = (inner.duration("retryAfter", positive: false), inner.bool("gone"))
    guard inner.has("code") else {
      inner.missing("code", of: "\"\(name)\"")
      return nil
    }
    guard let code = inner.text("code") else { return nil }
    guard (1...200).contains(code.unicodeScalars.count) else {
      report.error(Self.code, "\"code\" has 1 to 200 characters", at: inner.pointer(to: "code"))
      return nil
    }
    return StepFailure(
      code: code, classes: (call?.failureClass).map { [$0] } ?? [], message: message ?? code,
      isRetryable: isRetryable ?? (name == "unknown"), retryAfter: retryAfter, isGone: isGone ?? false)
  }

  private enum TimeoutWord: String, CaseIterable { case happened, lost, untaken }

  private func silence(in reader: ObjectReader, of call: Call?) -> CaseAnswer? {
    guard let word = reader.word("timeout", of: TimeoutWord.self) else { return nil }
    if word == .untaken, let call, !call.action.isTask {
      report.error(
        Self.code, "only a task is taken by a worker: write \"lost\"", at: reader.pointer(to: "timeout"))
    }
    var answer = CaseAnswer(.silence, happened: word == .happened)
    answer.isUntaken = word == .untaken
    return answer
  }

  private func late(in reader: ObjectReader, of call: Call?) -> CaseAnswer? {
    guard let json = reader.members["late"] else { return nil }
    if let call, call.action.isWorkflow {
      report.error(
        Self.code, "a child saga is never late, because its step waits for its end: write \"after\"",
        at: reader.pointer(to: "late"), .name)
    }
    guard var answer = answer(json, at: reader.pointer(to: "late"), of: call, isInner: true) else { return nil }
    answer.isLate = true
    return answer
  }

  private func refusedConnection(in reader: ObjectReader, of call: Call?) -> CaseAnswer? {
    guard let flag = reader.bool("refusedConnection") else { return nil }
    if !flag {
      report.error(
        Self.code, "\"refusedConnection\" is true, or it is left out", at: reader.pointer(to: "refusedConnection"))
    }
    if let other = call?.other {
      report.error(
        Self.code, "\(other) has no connection to its service: write \"timeout\"",
        at: reader.pointer(to: "refusedConnection"), .name)
    }
    return CaseAnswer(.refusedConnection)
  }

  /// Reports an `after` that contradicts the rest of the answer.
  private func checkTime(of answer: CaseAnswer?, _ reader: ObjectReader, _ call: Call?) {
    guard let answer, let call, !call.action.isWorkflow, let after = answer.after, reader.has("after") else { return }
    let timeout = "the attempt times out after \(DurationText.format(call.timeout))"
    if answer.isLate, after < call.timeout {
      report.error(
        Self.code, "this answer is not late: it comes after \(DurationText.format(after)), and \(timeout)",
        at: reader.pointer(to: "after"))
    } else if !answer.isLate, after >= call.timeout {
      report.error(
        Self.code, "this answer comes too late, because \(timeout): write it inside \"late\"",
        at: reader.pointer(to: "after"))
    }
  }
}
