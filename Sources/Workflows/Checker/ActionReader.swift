import JSON

/// Reads the action of a step or of its compensation, and records the values that its expressions read.
struct ActionReader {
  let report: Report
  let services: KnownServices
  let role: Use.Role
  private(set) var uses: [Use] = []

  /// The actions that are done in attempts. A compensation may only be one of these.
  static let callKinds = ["http", "kafka"]
  static let kinds = callKinds + ["signal", "delay"]
  static let laterKinds = ["task", "workflow"]

  init(role: Use.Role, services: KnownServices, report: Report) {
    self.role = role
    self.services = services
    self.report = report
  }

  /// Reads exactly one action of the given kinds.
  mutating func action(in reader: ObjectReader, of what: String, kinds: [String]) -> Action? {
    let named = reader.members.keys.filter { Self.kinds.contains($0) || Self.laterKinds.contains($0) }
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
    case "signal": signal(json, at: pointer).map { .signal($0) }
    default: delay(json, at: pointer).map { .delay($0) }
    }
  }

  // MARK: signal and delay

  private mutating func signal(_ json: JSON, at pointer: JSONPointer) -> SignalAction? {
    guard
      let reader = ObjectReader(
        json, at: pointer, what: "a signal", keys: ["name", "roles", "schema", "accept"], report: report)
    else { return nil }
    let name = reader.name("name", of: "a signal")
    let roles = reader.texts("roles")
    if roles != nil {
      report.warning(
        WorkflowErrorCode.notEnforced, "\"roles\" is kept and shown, but not enforced yet: anyone may send the signal",
        at: reader.pointer(to: "roles"), .name)
    }
    let schema = Self.schema("schema", in: reader)
    let accept = condition("accept", in: reader, role: .accept)
    return name.map { SignalAction(name: $0, roles: (roles ?? []).map(\.text), schema: schema, accept: accept) }
  }

  private mutating func delay(_ json: JSON, at pointer: JSONPointer) -> DelayAction? {
    guard let reader = ObjectReader(json, at: pointer, what: "a delay", keys: ["for", "until"], report: report) else {
      return nil
    }
    let duration = reader.duration("for", positive: false)
    let moment = text("until", in: reader)
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
    case (false, true): return moment.map { .until($0) }
    }
  }

  // MARK: Expressions

  mutating func condition(_ name: String, in reader: ObjectReader, role: Use.Role) -> JSONPathCondition? {
    guard let text = reader.text(name) else { return nil }
    let pointer = reader.pointer(to: name)
    do {
      let condition = try JSONPathCondition(text)
      for fault in condition.patternFaults { report.error(fault.code, fault.message, at: pointer, .inside(fault.at)) }
      uses.append(
        Use(
          role: role, isCondition: true, reads: condition.referencedQueries.map(QueryRead.init), pointer: pointer,
          offset: 0))
      return condition
    } catch {
      report.error(error.code, error.message, at: pointer, .inside(error.at))
      return nil
    }
  }

  mutating func text(_ name: String, in reader: ObjectReader) -> TextTemplate? {
    reader.text(name).flatMap { text($0, at: reader.pointer(to: name)) }
  }

  mutating func text(_ text: String, at pointer: JSONPointer) -> TextTemplate? {
    do {
      let template = try TextTemplate(text)
      for expression in template.expressions { note(expression, at: pointer) }
      return template
    } catch {
      report.error(error.code, error.message, at: pointer, .inside(error.offset))
      return nil
    }
  }

  mutating func template(_ json: JSON, at pointer: JSONPointer) -> Template? {
    do {
      let template = try Template(json)
      for (inner, expression) in template.expressions { note(expression, at: pointer.appending(inner)) }
      return template
    } catch {
      // `Template` stops at its first mistake. The checker reports all mistakes and still checks the readable
      // expressions.
      for mistake in Template.mistakes(in: json) {
        report.error(mistake.code, mistake.message, at: pointer.appending(mistake.pointer), .inside(mistake.offset))
      }
      for (inner, expression) in Template.expressions(in: json) {
        note(expression, at: pointer.appending(inner))
      }
      return nil
    }
  }

  private mutating func note(_ expression: Expression, at pointer: JSONPointer) {
    for fault in expression.path.patternFaults {
      report.error(fault.code, fault.message, at: pointer, .inside(max(0, expression.offset + fault.at)))
    }
    uses.append(
      Use(
        role: role, isCondition: false, reads: expression.path.referencedQueries.map(QueryRead.init), pointer: pointer,
        offset: expression.offset))
  }

  /// Reads a JSON Schema and keeps it unchanged.
  static func schema(_ name: String, in reader: ObjectReader) -> JSON? {
    guard let json = reader.members[name] else { return nil }
    switch json {
    case .object, .bool:
      reader.report.warning(
        WorkflowErrorCode.notEnforced, "\"\(name)\" is kept and shown, but not enforced yet: nothing is refused by it",
        at: reader.pointer(to: name), .name)
      return json
    case .null, .number, .string, .array:
      reader.wrongType(name, "a JSON Schema, which is an object", json)
      return nil
    }
  }
}
