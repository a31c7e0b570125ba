import JSON

/// Warns of two steps, or undos, that wait for signals with the same name when their conditions do not separate the
/// signals.
struct SignalCheck {
  let definition: WorkflowDefinition
  let report: Report

  func check() {
    let waits = definition.steps.flatMap(waits)
    for (position, wait) in waits.enumerated() {
      warnOfItems(of: wait)
      let other = waits[..<position].first {
        $0.signal.name.hasSameScalars(as: wait.signal.name) && !isToldApart($0.signal, wait.signal)
      }
      guard let other else { continue }
      report.warning(
        WorkflowErrorCode.signalsAlike,
        "\(other.name) and \(wait.name) both wait for the signal \"\(wait.signal.name)\", and their \"accept\"s don't "
          + "tell whose a signal is: each takes the next that comes, also two of one person. Write conditions of which "
          + "only one holds for a signal, or use two names",
        at: wait.pointer)
    }
  }

  /// A step, or its undo, that waits for a signal.
  private struct Wait {
    let step: Step
    let signal: SignalAction
    /// The name of what waits, in messages.
    let name: String
    let pointer: JSONPointer
  }

  private func waits(of step: Step) -> [Wait] {
    var waits: [Wait] = []
    if case .signal(let signal) = step.action {
      waits.append(Wait(step: step, signal: signal, name: step.id, pointer: step.pointer.appending("signal")))
    }
    if let signal = step.undoSignal {
      let pointer = step.pointer.appending("compensation").appending("signal")
      waits.append(Wait(step: step, signal: signal, name: "the undo of \(step.id)", pointer: pointer))
    }
    return waits
  }

  /// Warns of a `forEach` whose items all take the same signals.
  private func warnOfItems(of wait: Wait) {
    let signal = wait.signal
    guard let forEach = wait.step.forEach else { return }
    let names = [forEach.name, ForEach.indexName]
    let readsItem = signal.accept?.referencedQueries.contains { query in
      switch query.leadingTokens.first {
      case .name(let name): names.contains(name)
      case .index, nil: true
      }
    }
    if readsItem == true { return }
    report.warning(
      WorkflowErrorCode.signalsAlike,
      "every item of \(wait.name) waits for the signal \"\(signal.name)\", and the first waiting item takes the next that "
        + "comes: write an \"accept\" that compares the signal with \(forEach.name)",
      at: wait.pointer)
  }

  /// Returns true when the steps may be meant for different signals: no body meets both schemas, or both conditions read
  /// the signal and neither is plainly a case of the other.
  private func isToldApart(_ left: SignalAction, _ right: SignalAction) -> Bool {
    if let schema = left.schema, let other = right.schema, schema.source.plainlyExcludes(other.source) { return true }
    guard let left = left.accept, let right = right.accept, readsSignal(left), readsSignal(right) else { return false }
    return !left.plainlyOverlaps(right)
  }

  private func readsSignal(_ condition: JSONPathCondition) -> Bool {
    condition.referencedQueries.contains { query in
      switch query.leadingTokens.first {
      case .name(let name): name.hasSameScalars(as: "signal")
      // The index may refer to the signal.
      case .index, nil: true
      }
    }
  }
}

extension JSON {
  /// Returns true when, by their form alone, no value meets both schemas: both require a member, and the values that they
  /// allow for it are listed and have none in common. False proves nothing.
  fileprivate func plainlyExcludes(_ other: JSON) -> Bool {
    guard let required = self["required"]?.arrayValue, let otherRequired = other["required"]?.arrayValue else {
      return false
    }
    // Without the type, a body that is no object meets both.
    guard self["type"] == "object" || other["type"] == "object" else { return false }
    return required.contains { name in
      guard let name = name.stringValue, otherRequired.contains(.string(name)),
        let values = self["properties"]?[name]?.listedValues, let others = other["properties"]?[name]?.listedValues
      else { return false }
      return Set(values).isDisjoint(with: others)
    }
  }

  /// The values that a schema allows, when it lists them.
  fileprivate var listedValues: [JSON]? { self["const"].map { [$0] } ?? self["enum"]?.arrayValue }
}

extension JSONPathCondition {
  /// Returns true when, by their form alone, a signal can match both conditions. Either one requires everything that
  /// the other requires, or both share an alternative. False proves nothing.
  func plainlyOverlaps(_ other: JSONPathCondition) -> Bool {
    let (all, otherAll) = (Set(condition.conjuncts.map(\.form)), Set(other.condition.conjuncts.map(\.form)))
    if all.isSubset(of: otherAll) || otherAll.isSubset(of: all) { return true }
    return !Set(condition.disjuncts.map(\.form)).isDisjoint(with: other.condition.disjuncts.map(\.form))
  }
}

extension Condition {
  fileprivate var conjuncts: [Condition] {
    if case .all(let parts) = self { parts.flatMap(\.conjuncts) } else { [self] }
  }
  fileprivate var disjuncts: [Condition] {
    if case .any(let parts) = self { parts.flatMap(\.disjuncts) } else { [self] }
  }

  /// A text that is equal for conditions that differ only in blanks, quotes and order.
  fileprivate var form: String {
    switch self {
    case .any: return "(\(disjuncts.map(\.form).sorted().joined(separator: " || ")))"
    case .all: return "(\(conjuncts.map(\.form).sorted().joined(separator: " && ")))"
    case .not(let inner): return "!\(inner.form)"
    case .exists(let sub): return sub.query.form
    case .comparison(let left, let comparison, let right):
      let (left, right) = (left.form, right.form)
      switch comparison {
      case .equal, .notEqual: return [left, right].sorted().joined(separator: " \(comparison.rawValue) ")
      case .less, .lessOrEqual: return "\(left) \(comparison.rawValue) \(right)"
      case .greater: return "\(right) < \(left)"
      case .greaterOrEqual: return "\(right) <= \(left)"
      }
    case .matches(let test):
      let pattern =
        switch test.pattern {
        case .literal(let regexp): "\(String(describing: regexp))"
        case .computed(let operand): operand.form
        }
      return "\(test.isWhole ? "match" : "search")(\(test.text.form), \(pattern))"
    }
  }
}

extension Operand {
  fileprivate var form: String {
    switch self {
    case .literal(let value): value.text(.canonical)
    case .node(let sub): sub.query.form
    case .length(let inner): "length(\(inner.form))"
    case .count(let sub): "count(\(sub.query.form))"
    case .value(let sub): "value(\(sub.query.form))"
    case .computed(let computation): computation.form
    }
  }
}

extension Computation {
  fileprivate var form: String {
    switch self {
    case .one(let sub): sub.query.form
    case .negated(let inner): "-\(inner.form)"
    case .sum(let first, let rest):
      "(\(first.form)\(rest.map { ($0.isAdded ? " + " : " - ") + $0.number.form }.joined()))"
    case .product(let first, let rest):
      "(\(first.form)\(rest.map { " \($0.sign.rawValue) \($0.number.form)" }.joined()))"
    case .firstOf(let parts): "(\(parts.map(\.form).joined(separator: " ?? ")))"
    case .call(let function, let arguments):
      "\(function.rawValue)(\(arguments.map(\.form).joined(separator: ", ")))"
    case .truth(let condition): "(\(condition.form))"
    }
  }
}

extension Argument {
  fileprivate var form: String {
    switch self {
    case .value(let operand), .elements(let operand): operand.form
    case .nodes(let sub): sub.query.form
    }
  }
}

extension Query {
  /// In a condition on a whole document, `@` is the root, like `$`.
  fileprivate var form: String {
    "$"
      + segments.map { segment in
        (segment.isDescendant ? ".." : "") + "[\(segment.selectors.map(\.form).joined(separator: ","))]"
      }.joined()
  }
}

extension Selector {
  fileprivate var form: String {
    switch self {
    case .name(let name): JSON.string(name).text()
    case .index(let index): "\(index)"
    case .slice(let start, let end, let step):
      "\(start.map(String.init) ?? ""):\(end.map(String.init) ?? ""):\(step)"
    case .wildcard: "*"
    case .filter(let condition): "?\(condition.form)"
    }
  }
}
