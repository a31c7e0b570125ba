import JSON
import SagaCore
import Values
import Workflows

/// Reads the `expect` of a case.
struct ExpectationReader {
  let names: CaseNames

  private static let code = RehearsalErrorCode.testsInvalid
  private var report: Report { names.report }

  init(names: CaseNames) { self.names = names }

  func expectation(in reader: ObjectReader) -> Expectation {
    var expected = Expectation()
    guard let json = reader.members["expect"] else {
      reader.missing("expect", of: "a case")
      return expected
    }
    let keys = [
      "status", "refused", "failedStep", "error", "steps", "undone", "remains", "sent", "output", "takes",
    ]
    guard
      let inner = ObjectReader(
        json, at: reader.pointer(to: "expect"), what: "\"expect\"", keys: keys, meant: TestWords.expectation,
        report: report)
    else { return expected }
    if !keys.contains(where: { inner.has($0) }) {
      report.error(Self.code, "\"expect\" is empty: a case without an expectation tests nothing", at: inner.pointer)
    }
    expected.status = inner.word("status", of: SagaStatus.self)
    expected.refused = inner.text("refused")
    if inner.has("refused") {
      for other in keys where other != "refused" && inner.has(other) {
        report.error(
          Self.code, "a saga whose start is refused has no \"\(other)\"", at: inner.pointer(to: other), .name)
      }
    }
    expected.failedStep = inner.text("failedStep")
    if let step = expected.failedStep { names.requireStep(step, at: inner.pointer(to: "failedStep")) }
    expected.error = inner.text("error")
    expected.steps = steps(in: inner)
    expected.undone = stepList("undone", in: inner)
    expected.remains = stepList("remains", in: inner)
    sent(in: inner, &expected)
    expected.output = template("output", in: inner)
    expected.takes = timeLimit(in: inner)
    return expected
  }

  private func stepList(_ name: String, in reader: ObjectReader) -> [String]? {
    reader.texts(name)?.map { text, pointer in
      names.requireStep(text, at: pointer)
      return text
    }
  }

  private func steps(in reader: ObjectReader) -> [(id: String, expected: StepExpectation)] {
    guard let json = reader.members["steps"] else { return [] }
    guard case .object(let members) = json else {
      reader.wrongType("steps", "an object with the expected status by step", json)
      return []
    }
    return members.compactMap { id, value in
      let pointer = reader.pointer(to: "steps").appending(id)
      names.requireStep(id, at: pointer, .name)
      var expected = StepExpectation()
      if case .string(let word) = value {
        expected.status = ObjectReader.word(word, of: StepStatus.self, named: id, at: pointer, report: report)
        return (id, expected)
      }
      guard
        let inner = ObjectReader(
          value, at: pointer, what: "the expectation of a step",
          keys: ["status", "attempts", "undoAttempts", "outcome", "error", "output"], meant: TestWords.step,
          report: report)
      else { return nil }
      let meaning = "a whole number from 0"
      expected.status = inner.word("status", of: StepStatus.self)
      expected.attempts = inner.integer("attempts", in: 0...1_000_000, meaning: meaning)
      expected.undoAttempts = inner.integer("undoAttempts", in: 0...1_000_000, meaning: meaning)
      expected.outcome = inner.word("outcome", of: RoundOutcome.self)
      expected.error = inner.text("error")
      expected.output = template("output", in: inner)
      return (id, expected)
    }
  }

  private func timeLimit(in reader: ObjectReader) -> TimeLimit? {
    guard let text = reader.text("takes") else { return nil }
    var rest = Substring(text)
    let comparison = TimeLimit.Comparison.allCases.first { rest.hasPrefix($0.rawValue) }
    if let comparison { rest.removeFirst(comparison.rawValue.count) }
    while rest.first == " " { rest.removeFirst() }
    switch DurationText.read(String(rest)) {
    case .success(let duration): return TimeLimit(comparison: comparison ?? .exactly, duration: duration)
    case .failure(let refusal):
      report.error(
        Self.code, "\"takes\" is a limit as \"<= 3h\", \"> 10m\" or \"5m\", not \"\(text)\": \(refusal.reason)",
        at: reader.pointer(to: "takes"))
      return nil
    }
  }

  // MARK: Calls

  private func sent(in reader: ObjectReader, _ expected: inout Expectation) {
    let pointer = reader.pointer(to: "sent")
    switch reader.members["sent"] {
    case nil: return
    case .array(let values):
      guard values.count <= TestFile.maxItems else {
        report.error(
          Self.code, "\"sent\" has \(values.count) items, \(TestFile.maxItems) are the most", at: pointer)
        return
      }
      expected.sent = values.enumerated().compactMap { call($1, at: pointer.appending($0), step: nil) }
    case .object(let members):
      expected.sentBySteps = members.compactMap { step, value in
        sentByStep(step, value, at: pointer.appending(step))
      }
    case .some(let json): reader.wrongType("sent", "a list of calls, or an object with the calls by step", json)
    }
  }

  private func sentByStep(_ step: String, _ json: JSON, at pointer: JSONPointer) -> SentByStep? {
    names.requireCall(of: step, .forward, at: pointer, .name)
    switch json {
    case .number(let number):
      guard let count = number.intValue, (0...1_000_000).contains(count) else {
        report.error(Self.code, "the number of calls is a whole number from 0", at: pointer)
        return nil
      }
      return SentByStep(step: step, count: count, calls: [])
    case .object:
      return SentByStep(step: step, count: nil, calls: call(json, at: pointer, step: step).map { [$0] } ?? [])
    case .array(let values):
      guard values.count <= TestFile.maxItems else {
        report.error(
          Self.code, "a list of calls has at most \(TestFile.maxItems) of them, not \(values.count)", at: pointer)
        return nil
      }
      let calls = values.enumerated().compactMap { call($1, at: pointer.appending($0), step: step) }
      return SentByStep(step: step, count: nil, calls: calls)
    case .null, .bool, .string:
      report.error(
        Self.code,
        "the calls of a step are a number, a call, or a list of calls, not \(ObjectReader.withArticle(json))",
        at: pointer)
      return nil
    }
  }

  /// - Parameter known: the step of the call, when the place in the file says it.
  private func call(_ json: JSON, at pointer: JSONPointer, step known: String?) -> CallExpectation? {
    let what = "an expected call"
    let keys = [
      "undo", "attempt", "service", "method", "path", "command", "queue", "query", "headers", "body", "bodyIncludes",
      "key",
      "at",
    ]
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: (known == nil ? ["step"] : []) + keys, meant: TestWords.call,
        report: report)
    else { return nil }
    let step: String
    if let known {
      step = known
    } else {
      guard reader.has("step") else {
        reader.missing("step", of: what)
        return nil
      }
      guard let text = reader.text("step") else { return nil }
      step = text
    }
    var call = CallExpectation(step: step)
    call.isUndo = reader.bool("undo") ?? false
    if known == nil || call.isUndo {
      names.requireCall(
        of: step, call.isUndo ? .undo : .forward, at: known == nil ? reader.pointer(to: "step") : reader.pointer)
    }
    call.attempt = reader.integer("attempt", in: 1...1_000_000, meaning: "a whole number from 1")
    call.service = reader.text("service")
    call.method = reader.text("method")
    call.path = textTemplate("path", in: reader)
    call.command = reader.text("command")
    call.queue = reader.text("queue")
    call.query = textTemplates("query", in: reader)
    call.headers = textTemplates("headers", in: reader)
    call.body = template("body", in: reader)
    call.bodyIncludes = template("bodyIncludes", in: reader)
    call.key = textTemplate("key", in: reader)
    call.at = reader.duration("at", positive: false)
    return call
  }

  // MARK: Templates

  private func template(_ name: String, in reader: ObjectReader) -> Template? {
    guard let json = reader.members[name] else { return nil }
    do {
      return try Template(json)
    } catch {
      // `init` stops at the first mistake.
      for mistake in Template.mistakes(in: json) {
        report.error(
          mistake.code, mistake.message, at: reader.pointer(to: name).appending(mistake.pointer),
          .inside(mistake.offset))
      }
      return nil
    }
  }

  private func textTemplate(_ name: String, in reader: ObjectReader) -> TextTemplate? {
    reader.text(name).flatMap { textTemplate($0, at: reader.pointer(to: name)) }
  }

  private func textTemplate(_ text: String, at pointer: JSONPointer) -> TextTemplate? {
    do {
      return try TextTemplate(text)
    } catch {
      report.error(error.code, error.message, at: pointer, .inside(error.offset))
      return nil
    }
  }

  private func textTemplates(_ name: String, in reader: ObjectReader) -> [(name: String, value: TextTemplate)] {
    guard let json = reader.members[name] else { return [] }
    guard case .object(let members) = json else {
      reader.wrongType(name, "an object", json)
      return []
    }
    return members.compactMap { member, value in
      let pointer = reader.pointer(to: name).appending(member)
      if case .string(let text) = value { return textTemplate(text, at: pointer).map { (member, $0) } }
      report.error(Self.code, "\"\(member)\" is a string, not \(ObjectReader.withArticle(value))", at: pointer)
      return nil
    }
  }
}
