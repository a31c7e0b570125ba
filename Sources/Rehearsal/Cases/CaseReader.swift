import JSON
import SagaCore
import Values
import Workflows

/// Reads one case of a test file, or the defaults of all.
struct CaseReader {
  /// Nil when the workflow can't be used. Then names are not compared with it.
  let definition: WorkflowDefinition?
  let report: Report

  static let code = RehearsalErrorCode.testsInvalid

  /// What all cases of a file have in common.
  struct Defaults {
    var input: JSON = [:]
    var answers = CaseAnswers()
    var keepsTombstones = true
  }

  func defaults(in reader: ObjectReader) -> Defaults {
    var defaults = Defaults()
    guard let json = reader.members["defaults"],
      let inner = ObjectReader(
        json, at: reader.pointer(to: "defaults"), what: "\"defaults\"",
        keys: ["input", "answers", "undo", "tombstones"], meant: TestWords.testCase, report: report)
    else { return defaults }
    defaults.input = inner.members["input"] ?? [:]
    defaults.answers = AnswerReader(definition: definition, report: report).answers(in: inner)
    defaults.keepsTombstones = inner.bool("tombstones") ?? true
    return defaults
  }

  func read(_ json: JSON, at pointer: JSONPointer, line: Int, defaults: Defaults) -> TestCase? {
    let what = "a case"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what,
        keys: [
          "name", "description", "input", "key", "tags", "startAt", "answers", "undo", "tombstones", "signals",
          "operators", "crashes", "turnsNever", "expect",
        ], meant: TestWords.testCase, report: report)
    else { return nil }
    _ = reader.text("description")
    guard let name = name(in: reader) else { return nil }
    var test = TestCase(name: name, line: line)
    test.input = reader.members["input"].map { Self.merged($0, onto: defaults.input) } ?? defaults.input
    test.key = reader.text("key")
    test.tags = reader.texts("tags")?.map(\.text) ?? []
    test.startAt = timestamp("startAt", in: reader)
    let answers = AnswerReader(definition: definition, report: report).answers(in: reader)
    test.answers = defaults.answers.overridden(by: answers)
    test.answeredItems = answers.items
    test.keepsTombstones = reader.bool("tombstones") ?? defaults.keepsTombstones
    test.signals = list("signals", in: reader).compactMap { signal($0.json, at: $0.pointer) }
    test.operators = list("operators", in: reader).compactMap { act($0.json, at: $0.pointer) }
    test.crashes = list("crashes", in: reader).compactMap { crash($0.json, at: $0.pointer) }
    test.turnsNever = turnsNever(in: reader)
    test.expected = ExpectationReader(names: CaseNames(definition: definition, report: report)).expectation(in: reader)
    return test
  }

  private func name(in reader: ObjectReader) -> String? {
    guard reader.has("name") else {
      reader.missing("name", of: "a case")
      return nil
    }
    guard let name = reader.text("name") else { return nil }
    guard (1...200).contains(name.unicodeScalars.count) else {
      report.error(Self.code, "\"name\" has 1 to 200 characters", at: reader.pointer(to: "name"))
      return nil
    }
    return name
  }

  /// Returns a value changed by a patch (RFC 7396): members replace members, and null removes one.
  static func merged(_ patch: JSON, onto value: JSON) -> JSON {
    guard case .object(let changes) = patch else { return patch }
    var members = value.objectValue ?? [:]
    for (name, change) in changes {
      members[name] = change.isNull ? nil : merged(change, onto: members[name] ?? .null)
    }
    return .object(members)
  }

  /// Returns the items of a list with their places.
  private func list(_ name: String, in reader: ObjectReader) -> [(json: JSON, pointer: JSONPointer)] {
    guard let json = reader.members[name] else { return [] }
    guard case .array(let values) = json else {
      reader.wrongType(name, "a list", json)
      return []
    }
    guard values.count <= TestFile.maxItems else {
      report.error(
        Self.code, "\"\(name)\" has \(values.count) items, \(TestFile.maxItems) are the most",
        at: reader.pointer(to: name))
      return []
    }
    return values.enumerated().map { ($1, reader.pointer(to: name).appending($0)) }
  }

  private func timestamp(_ name: String, in reader: ObjectReader) -> Timestamp? {
    guard let text = reader.text(name) else { return nil }
    if let time = Timestamp(text) { return time }
    report.error(
      Self.code, "\"\(name)\" is a date-time as 2026-03-01T08:00:00Z, not \"\(text)\"", at: reader.pointer(to: name))
    return nil
  }

  // MARK: What happens to the saga

  /// Reads the steps whose turn never comes. Each has a turn of its own.
  private func turnsNever(in reader: ObjectReader) -> Set<String> {
    var steps: Set<String> = []
    for (step, pointer) in reader.texts("turnsNever") ?? [] {
      guard CaseNames(definition: definition, report: report).requireStep(step, at: pointer) != nil else { continue }
      if let known = definition?.step(step), known.concurrency == nil {
        report.error(Self.code, "\(step) has no \"concurrency\", so it waits for no turn", at: pointer)
      }
      steps.insert(step)
    }
    return steps
  }

  private func signal(_ json: JSON, at pointer: JSONPointer) -> CaseSignal? {
    let what = "a signal"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: ["at", "after", "name", "body", "by", "key", "refused"],
        meant: TestWords.signal, report: report)
    else { return nil }
    let (at, after) = (reader.duration("at", positive: false), reader.duration("after", positive: false))
    if reader.has("at"), reader.has("after") {
      report.error(
        Self.code,
        "a signal has \"at\", the time from the saga's start, or \"after\", the time from the begin of the wait",
        at: pointer)
    }
    let (key, refused) = (reader.text("key"), reader.text("refused"))
    let by = reader.text("by") ?? "tests"
    guard reader.has("name") else {
      reader.missing("name", of: what)
      return nil
    }
    guard let name = reader.text("name") else { return nil }
    CaseNames(definition: definition, report: report).requireSignal(name, at: reader.pointer(to: "name"))
    return CaseSignal(
      time: at.map { .at($0) } ?? .after(after ?? .zero), name: name, body: reader.members["body"] ?? .null, by: by,
      key: key, refused: refused)
  }

  private func act(_ json: JSON, at pointer: JSONPointer) -> CaseAct? {
    let what = "an operator's request"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what,
        keys: [
          "at", "verb", "step", "reason", "actor", "input", "output", "outcome", "by", "until", "expectedVersion",
          "refused",
        ], meant: TestWords.act, report: report)
    else { return nil }
    let (reason, refused) = (reader.text("reason"), reader.text("refused"))
    for name in ["at", "verb", "reason"] where !reader.has(name) { reader.missing(name, of: what) }
    let at = reader.duration("at", positive: false)
    let version = reader.integer("expectedVersion", in: 1...Int.max, meaning: "a whole number from 1")
    let verb = verb(in: reader)
    guard let at, let reason, let verb else { return nil }
    let act = OperatorAct(by: reader.text("actor") ?? "operator", reason: reason)
    return CaseAct(at: at, request: OperatorRequest(verb, by: act, expectedVersion: version), refused: refused)
  }

  /// Reads a verb in the words of the REST API.
  private func verb(in reader: ObjectReader) -> OperatorVerb? {
    guard let name = reader.word("verb", of: OperatorVerb.Name.self) else { return nil }
    let step = reader.text("step")
    if let step {
      CaseNames(definition: definition, report: report).requireStep(step, at: reader.pointer(to: "step"))
    }
    func needsStep() -> String? {
      if step == nil { reader.missing("step", of: "the verb \(name.rawValue)") }
      return step
    }
    let taken: Set<String>
    let verb: OperatorVerb?
    switch name {
    case .cancel: (verb, taken) = (.cancel, [])
    case .compensate: (verb, taken) = (.compensate, [])
    case .abandon: (verb, taken) = (.abandon, [])
    case .pause: (verb, taken) = (.pause, [])
    case .resume: (verb, taken) = (.resume, [])
    case .runNow: (verb, taken) = (.runNow(step: step), ["step"])
    case .retry: (verb, taken) = (.retry(step: step, input: reader.members["input"]), ["step", "input"])
    case .rewind: (verb, taken) = (needsStep().map { .rewind(step: $0) }, ["step"])
    case .skip:
      (verb, taken) = (needsStep().map { .skip(step: $0, output: reader.members["output"]) }, ["step", "output"])
    case .resolve: (verb, taken) = (resolve(needsStep(), reader), ["step", "outcome", "output"])
    case .extend: (verb, taken) = (extend(step, reader), ["step", "by", "until"])
    case .migrate:
      report.error(
        Self.code, "a case plays one version of a workflow, so it can't migrate", at: reader.pointer(to: "verb"))
      (verb, taken) = (nil, [])
    }
    for other in ["step", "input", "output", "outcome", "by", "until"] where reader.has(other) && !taken.contains(other)
    {
      report.error(
        Self.code,
        "the verb \(name.rawValue) takes no \"\(other)\""
          + (other == "by" ? "; the person is the \"actor\"" : ""), at: reader.pointer(to: other), .name)
    }
    return verb
  }

  private enum OutcomeWord: String, CaseIterable { case happened, didNotHappen, undone }

  private func resolve(_ step: String?, _ reader: ObjectReader) -> OperatorVerb? {
    guard reader.has("outcome") else {
      reader.missing("outcome", of: "the verb resolve")
      return nil
    }
    guard let word = reader.word("outcome", of: OutcomeWord.self), let step else { return nil }
    switch word {
    case .happened: return .resolve(step: step, .happened(output: reader.members["output"] ?? .null))
    case .didNotHappen: return .resolve(step: step, .didNotHappen)
    case .undone: return .resolve(step: step, .undone)
    }
  }

  private func extend(_ step: String?, _ reader: ObjectReader) -> OperatorVerb? {
    switch (reader.has("by"), reader.has("until")) {
    case (true, false): return reader.duration("by").map { .extend(step: step, .by($0)) }
    case (false, true): return timestamp("until", in: reader).map { .extend(step: step, .until($0)) }
    case (true, true), (false, false):
      report.error(Self.code, "the verb extend needs \"by\", as 2h, or \"until\", a date-time", at: reader.pointer)
      return nil
    }
  }

  private enum CrashWord: String, CaseIterable { case beforeRecord, afterRecord }

  private func crash(_ json: JSON, at pointer: JSONPointer) -> VirtualCrash? {
    let what = "a crash"
    guard
      let reader = ObjectReader(
        json, at: pointer, what: what, keys: ["at", "step", "undo", "attempt", "when", "downtime"],
        meant: TestWords.crash, report: report)
    else { return nil }
    let at = reader.duration("at", positive: false)
    let downtime = reader.duration("downtime") ?? .seconds(5)
    let isUndo = reader.bool("undo") ?? false
    let attempt = reader.integer("attempt", in: 1...1_000_000, meaning: "a whole number from 1") ?? 1
    let when = reader.word("when", of: CrashWord.self)
    if reader.has("at") {
      for other in ["step", "undo", "attempt", "when"] where reader.has(other) {
        report.error(
          Self.code, "a crash is \"at\" a time, or at an attempt of a \"step\"", at: reader.pointer(to: other), .name)
      }
      return at.map { VirtualCrash(.at($0), downtime: downtime) }
    }
    guard let step = reader.text("step") else {
      if !reader.has("step") { reader.missing("step", of: "a crash without \"at\"") }
      return nil
    }
    CaseNames(definition: definition, report: report)
      .requireCall(of: step, isUndo ? .undo : .forward, at: reader.pointer(to: "step"))
    guard let when else {
      if !reader.has("when") { reader.missing("when", of: "a crash at a step") }
      return nil
    }
    let phase = isUndo ? StepPhase.undo : .forward
    switch when {
    case .beforeRecord:
      return VirtualCrash(.beforeRecord(step: step, phase: phase, attempt: attempt), downtime: downtime)
    case .afterRecord: return VirtualCrash(.afterRecord(step: step, phase: phase, attempt: attempt), downtime: downtime)
    }
  }
}
