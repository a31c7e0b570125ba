import JSON
import Values

// What expressions read of the input and of signals, beside what their schemas say.
extension ReferenceCheck {
  /// Reports a member that the schema of the input or of a signal does not have: an error where the schema is closed, a
  /// warning where it has a near name. Also warns of a property of lists in other languages, as `input.tubes.length`.
  /// - Parameters:
  ///   - schema: the schema of the value that the first tokens lead to.
  ///   - name: what the message calls the schema.
  ///   - value: what the message calls the value.
  ///   - start: the number of these tokens.
  func checkMembers(_ one: One, of schema: JSON?, named name: String, _ value: String, from start: Int) {
    var schema = schema
    for (depth, token) in one.read.tokens.enumerated().dropFirst(start) {
      guard case .name(let member) = token, let current = schema, !current.isOpenSchema else { return }
      let properties = current["properties"]?.objectValue
      if let next = properties?[member] {
        schema = next
        continue
      }
      if let meant = Self.ofLists[member], current["type"] == "array" || current["type"] == "string" {
        let text = one.read.tokens[..<depth].dropFirst().reduce(one.read.name(0) ?? "") { $0 + $1.shorthand }
        error(
          one, WorkflowErrorCode.unknownMember,
          "\(text) is \(current["type"] == "array" ? "a list" : "a text"), so it has no \"\(member)\": write "
            + meant.replacing("…", with: text), token: depth)
        return
      }
      guard let properties, current["patternProperties"]?.objectValue?.isEmpty ?? true else { return }
      let near = NearNames.nearest(to: member, among: properties.keys)
      let isClosed = current["additionalProperties"] == false || current["unevaluatedProperties"] == false
      let what = depth == start ? "the \(value)" : "this part of the \(value)"
      if isClosed {
        error(
          one, WorkflowErrorCode.unknownMember, "\(what) has no \"\(member)\": \"\(name)\" allows no such member",
          token: depth, near: near)
      } else if let near, current["additionalProperties"] == nil {
        let inside = one.read.offsets.indices.contains(depth) ? one.read.offsets[depth] : one.read.offset
        report.warning(
          WorkflowErrorCode.undeclaredInput,
          "\"\(name)\" does not declare \"\(member)\", but \"\(near)\": correct the name, or declare it",
          at: one.use.pointer, .inside(max(0, one.use.offset + inside)))
      }
      return
    }
  }

  /// What to write for a property of lists and texts in other languages.
  private static let ofLists = [
    "length": "length(…)", "size": "length(…)", "count": "length(…)", "first": "…[0]", "last": "…[-1]",
  ]

  /// Warns of an `accept` that reads nothing of the signal: it has one result for every signal.
  func warnOfBlindAccept(_ use: Use) {
    guard use.role.isAccept, !use.reads.contains(where: { $0.name(0) == "signal" || $0.tokens.isEmpty }) else {
      return
    }
    report.warning(
      WorkflowErrorCode.noEffect,
      "\"accept\" reads nothing of the signal, so it takes every signal or none: read $.signal", at: use.pointer)
  }

  /// Checks what `accept` reads of the signal. The whole signal is its body.
  func checkSignal(_ one: One) {
    var action = one.reader?.action
    if one.use.role.undoOutcomes != nil {
      action = if case .undo(let undo)? = one.reader?.compensation { undo.action } else { nil }
    }
    guard case .signal(let signal)? = action else { return }
    let schema = signal.schema?.source
    if let first = one.read.name(1), ["body", "payload"].contains(first), one.read.tokens.count > 2,
      schema?["properties"]?[first] == nil, schema?.isOpenSchema != true
    {
      report.warning(
        WorkflowErrorCode.undeclaredInput,
        "$.signal is the body itself: write $.signal\(one.read.tokens[2].shorthand), or declare \"\(first)\" in \"schema\"",
        at: one.use.pointer, .inside(max(0, one.use.offset + one.read.offset)))
      return
    }
    checkMembers(one, of: schema, named: "schema", "signal", from: 1)
  }

  /// Warns of a `${…}` that needs a value which a schema does not require. Where the value is missing, the step fails.
  /// - Parameters:
  ///   - schema: the schema of the value that the first tokens lead to.
  ///   - name: what the message calls the schema.
  ///   - start: the number of these tokens.
  func warnOfOptional(_ one: One, in schema: JSON?, of name: String, from start: Int) {
    guard one.use.condition == nil, !one.read.mayBeMissing, one.read.isPlain || one.use.role != .items else { return }
    // A title and a label that can't be made are left out.
    if one.use.role == .start, !one.use.pointer.description.hasPrefix("/concurrency") { return }
    guard let depth = optionalDepth(of: one.read, in: schema, from: start) else { return }
    let tokens = one.read.tokens[...depth]
    if isAskedFor(tokens, before: one) { return }
    guard case .name(let member) = tokens[depth] else { return }
    let text = tokens.dropFirst().reduce(one.read.name(0) ?? "") { $0 + $1.shorthand }
    let result =
      one.use.role == .output ? "the output has null there" : "this fails with \(WorkflowErrorCode.expressionEmpty)"
    let ask = one.reader == nil ? "" : ", ask for $.\(text) in \"when\""
    let inside = one.read.offsets.indices.contains(depth) ? one.read.offsets[depth] : one.read.offset
    report.warning(
      WorkflowErrorCode.optionalRead,
      "\(name) does not require \"\(member)\", and without it \(result): write \(text) ?? and another value\(ask), "
        + "or put \"\(member)\" into \"required\"",
      at: one.use.pointer, .inside(max(0, one.use.offset + inside)))
  }

  /// Returns the index of the first token that a schema declares and does not require; nil when there is none, and when
  /// the schema doesn't say it for certain.
  private func optionalDepth(of read: QueryRead, in schema: JSON?, from start: Int) -> Int? {
    var schema = schema
    for (depth, token) in read.tokens.enumerated().dropFirst(start) {
      guard case .name(let name) = token, let current = schema, !current.isOpenSchema,
        current["dependentRequired"] == nil, current["dependentSchemas"] == nil,
        let next = current["properties"]?[name]
      else { return nil }
      if current["required"]?.arrayValue?.contains(.string(name)) != true { return depth }
      schema = next
    }
    return nil
  }

  /// Returns true when a condition asks for a value before it is read: the `when` of the step or of a group around it, or
  /// that of a `fail` before the step.
  private func isAskedFor(_ tokens: ArraySlice<JSONPointer.Token>, before one: One) -> Bool {
    guard let reader = one.reader else { return false }
    var askers = [reader] + around(reader)
    if !graph.isUncertain[reader.index] {
      askers += drafts.filter { draft in
        guard case .fail? = draft.action else { return false }
        return graph.steps.ancestors[reader.index].contains(draft.index)
      }
    }
    return askers.contains { draft in
      draft.uses.contains { $0.role == .when && $0.reads.contains { $0.tokens.starts(with: tokens) } }
    }
  }

  /// Warns of a function over the values of a query that finds one value: `sum(input.x)` adds up one number, also when
  /// `x` is a list. `list` makes a list of one value on purpose.
  func warnOfListOfOne(_ one: One) {
    guard let function = one.read.collector, function != ExpressionFunction.list.rawValue, one.read.isPlain else {
      return
    }
    let isOnlyCounted = function == "count"
    let text = one.read.tokens.dropFirst().reduce(one.read.name(0) ?? "$") { $0 + $1.shorthand }
    report.warning(
      WorkflowErrorCode.takesOne,
      "\(function)(\(text)) \(isOnlyCounted ? "counts" : "takes") one value, also when it is a list: its elements are "
        + "\(text)[*]", at: one.use.pointer, .inside(max(0, one.use.offset + one.read.offset)))
  }
}
