import JSON
import Values

/// Reads the action of a step or of its compensation, and records the values that its expressions read.
struct ActionReader {
  let report: Report
  let services: KnownServices
  let role: Use.Role
  private(set) var uses: [Use] = []

  /// The actions by which the engine calls a participant.
  static let callKinds = ["http", "kafka"]
  /// The actions that are done in attempts by others.
  static let attemptKinds = callKinds + ["task"]
  /// The actions that a compensation may be.
  static let undoKinds = attemptKinds + ["signal", "workflow"]
  static let kinds = attemptKinds + ["workflow", "signal", "delay", "fail"]

  init(role: Use.Role, services: KnownServices, report: Report) {
    self.role = role
    self.services = services
    self.report = report
  }

  /// Reads exactly one action of the given kinds.
  mutating func action(in reader: ObjectReader, of what: String, kinds: [String]) -> Action? {
    let named = reader.members.keys.filter(Self.kinds.contains)
    guard let kind = named.first else {
      let list = kinds.map { "\"\($0)\"" }.joined(separator: ", ")
      report.error(
        WorkflowErrorCode.noAction, "\(what) needs an action: \(kinds.count == 1 ? list : "one of \(list)")",
        at: reader.pointer)
      return nil
    }
    for other in named.dropFirst() {
      report.error(
        WorkflowErrorCode.manyActions, "\(what) has exactly one action, and \"\(kind)\" is one already",
        at: reader.pointer(to: other), .name)
    }
    var result: Action?
    for name in named where kinds.contains(name) {
      guard let json = reader.members[name] else { continue }
      let action = action(name, json, at: reader.pointer(to: name))
      if name == kind { result = action }
    }
    return result
  }

  private mutating func action(_ kind: String, _ json: JSON, at pointer: JSONPointer) -> Action? {
    switch kind {
    case "http": http(json, at: pointer).map { .http($0) }
    case "kafka": kafka(json, at: pointer).map { .kafka($0) }
    case "task": task(json, at: pointer).map { .task($0) }
    case "workflow": workflow(json, at: pointer).map { .workflow($0) }
    case "signal": signal(json, at: pointer).map { .signal($0) }
    case "fail": fail(json, at: pointer).map { .fail($0) }
    default: delay(json, at: pointer).map { .delay($0) }
    }
  }

  // MARK: signal, delay and fail

  private mutating func signal(_ json: JSON, at pointer: JSONPointer) -> SignalAction? {
    guard
      let reader = ObjectReader(
        json, at: pointer, what: "a signal", keys: ["name", "roles", "schema", "accept"], meant: Meant.signal,
        report: report)
    else { return nil }
    let name = reader.name("name", of: "a signal")
    let roles = reader.texts("roles")
    let schema = Self.schema("schema", in: reader)
    let accept = condition("accept", in: reader, role: role.undoOutcomes.map { .undoAccept($0) } ?? .accept)
    return name.map { SignalAction(name: $0, roles: (roles ?? []).map(\.text), schema: schema, accept: accept) }
  }

  private mutating func delay(_ json: JSON, at pointer: JSONPointer) -> DelayAction? {
    guard
      let reader = ObjectReader(
        json, at: pointer, what: "a delay", keys: ["for", "until"], meant: Meant.delay, report: report)
    else { return nil }
    let duration = reader.duration("for", positive: false)
    let until = text("until", in: reader)
    if let until, until.parts.count == 1, let expression = until.expressions.first, expression.isNumber {
      report.warning(
        WorkflowErrorCode.neverHolds,
        "${\(expression.text)} is a number, and \"until\" needs a date-time: write timestamp(seconds(…) + duration('1h'))",
        at: reader.pointer(to: "until"))
    }
    if let until, until.expressions.isEmpty, Timestamp(until.source) == nil {
      report.rule(
        WorkflowErrorCode.badValue,
        "\"until\" is a date-time, as 2026-03-01T08:15:30Z, or a ${…} that has one; \"for\" takes a duration",
        at: reader.pointer(to: "until"))
    }
    switch (reader.has("for"), reader.has("until")) {
    case (true, true):
      report.error(
        WorkflowErrorCode.badValue, "a delay has \"for\" or \"until\", not both", at: reader.pointer(to: "until"), .name
      )
      return nil
    case (false, false):
      reader.missing("for\" or \"until", of: "a delay")
      return nil
    case (true, false): return duration.map { .for($0) }
    case (false, true): return until.map { .until($0) }
    }
  }

  private mutating func fail(_ json: JSON, at pointer: JSONPointer) -> FailAction? {
    guard
      let reader = ObjectReader(
        json, at: pointer, what: "a fail action", keys: ["code", "message"], meant: Meant.fail, report: report)
    else { return nil }
    let code = reader.name("code", of: "a fail action")
    return code.map { FailAction(code: $0, message: text("message", in: reader)) }
  }

  // MARK: Expressions

  mutating func condition(_ name: String, in reader: ObjectReader, role: Use.Role) -> JSONPathCondition? {
    let pointer = reader.pointer(to: name)
    if case .bool? = reader.members[name] {
      report.error(
        WorkflowErrorCode.wrongType,
        "\"\(name)\" is a condition in a string, as \"$.input.priority == 'urgent'\": leave it out where it always holds",
        at: pointer)
      return nil
    }
    guard let text = reader.text(name) else { return nil }
    do {
      let condition = try JSONPathCondition(text)
      for fault in condition.patternFaults { report.rule(fault.code, fault.message, at: pointer, .inside(fault.at)) }
      uses.append(
        Use(
          role: role, condition: condition.condition, reads: condition.referencedQueries.map(QueryRead.init),
          pointer: pointer,
          offset: 0))
      return condition
    } catch {
      report.error(error.code, error.message, at: pointer, .inside(error.at))
      return nil
    }
  }

  /// Reads a text that must have a value.
  mutating func text(_ name: String, in reader: ObjectReader, isPath: Bool = false) -> TextTemplate? {
    let pointer = reader.pointer(to: name)
    guard let text = reader.text(name), let template = self.text(text, at: pointer, isPath: isPath) else { return nil }
    if template.mayBeLeftOut {
      report.rule(
        JSONPathErrorCode.type, "\"\(name)\" can't be left out: write a value behind ??, not nothing",
        at: pointer)
    }
    return template
  }

  /// - Parameter role: the purpose of the text, when it is not the reader's own.
  mutating func text(
    _ text: String, at pointer: JSONPointer, isPath: Bool = false, role: Use.Role? = nil
  ) -> TextTemplate? {
    warnOfForeignExpressions(in: .string(text), at: pointer, isPath: isPath)
    warnOfSecrets(in: .string(text), at: pointer)
    do {
      let template = try TextTemplate(text)
      for expression in template.expressions { note(expression, at: pointer, role) }
      return template
    } catch {
      report.error(error.code, error.message, at: pointer, .inside(error.offset))
      return nil
    }
  }

  /// - Parameters:
  ///   - role: the purpose of the template, when it is not the reader's own.
  ///   - takesMany: true when a query that is the whole template may find several values.
  mutating func template(
    _ json: JSON, at pointer: JSONPointer, role: Use.Role? = nil, takesMany: Bool = false
  ) -> Template? {
    warnOfForeignExpressions(in: json, at: pointer)
    warnOfSecrets(in: json, at: pointer)
    do {
      let template = try Template(json)
      for (inner, expression) in template.expressions {
        note(expression, at: pointer.appending(inner), role, takesMany: takesMany && template.isOneExpression)
      }
      return template
    } catch {
      // `Template` stops at its first mistake. The checker reports all mistakes and still checks the readable
      // expressions.
      for mistake in Template.mistakes(in: json) {
        report.error(mistake.code, mistake.message, at: pointer.appending(mistake.pointer), .inside(mistake.offset))
      }
      for (inner, expression) in Template.expressions(in: json) {
        note(expression, at: pointer.appending(inner), role)
      }
      return nil
    }
  }

  private mutating func note(
    _ expression: Expression, at pointer: JSONPointer, _ role: Use.Role?, takesMany: Bool = false
  ) {
    if expression.takesAll, !takesMany {
      report.warning(
        WorkflowErrorCode.takesMany,
        "${\(expression.text)} finds each of several values, and one is needed: list(…) takes all of them, first(…) the "
          + "first", at: pointer, .inside(expression.offset))
    }
    if expression.joinsTests {
      report.warning(
        WorkflowErrorCode.existence,
        "${\(expression.text)} is true or false: it asks whether one of them is there. For the first value that is there, "
          + "write ?? instead of ||", at: pointer, .inside(expression.offset))
    }
    if expression.negatesTest {
      report.warning(
        WorkflowErrorCode.existence,
        "${\(expression.text)} asks whether it is missing, and is false also for a value that is false: compare it with "
          + "== false", at: pointer, .inside(expression.offset))
    }
    for fault in expression.patternFaults {
      report.rule(fault.code, fault.message, at: pointer, .inside(max(0, expression.offset + fault.at)))
    }
    uses.append(
      Use(
        role: role ?? self.role, condition: nil, reads: expression.referencedQueries.map(QueryRead.init),
        pointer: pointer,
        offset: expression.offset))
  }

  /// Reads and compiles a JSON Schema. The mistakes of a stored one are not reported; it is not enforced.
  static func schema(_ name: String, in reader: ObjectReader) -> WorkflowSchema? {
    guard let json = reader.members[name] else { return nil }
    switch json {
    case .object, .bool:
      let schema = WorkflowSchema(json)
      for finding in schema.findings { reader.report.add(finding, of: reader.pointer(to: name)) }
      return schema
    case .null, .number, .string, .array:
      reader.wrongType(name, "a JSON Schema, which is an object", json)
      return nil
    }
  }
}
