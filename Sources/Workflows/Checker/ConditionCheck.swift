import JSON
import Values

/// Checks what conditions say: a comparison that has one result for every saga is an error, and a test for existence
/// where a value was probably meant is a warning.
struct ConditionCheck {
  let drafts: [StepDraft]
  /// The schema of the input, as the file has it.
  let inputSchema: JSON?
  let report: Report

  /// The statuses that a condition can read (`StepStatus` of the core; a test holds the two together).
  package static let statuses = [
    "pending", "running", "backingOff", "waiting", "succeeded", "failed", "skipped", "undoing", "undone", "undoFailed",
  ]

  /// The outcomes that a condition can read (`RoundOutcome` of the core).
  package static let outcomes = ["none", "succeeded", "failed", "unknown"]

  func check() {
    for draft in drafts {
      for use in draft.uses {
        guard let condition = use.condition else { continue }
        check(condition, of: use, in: draft)
        warnOfExistence(condition, of: use, in: draft)
      }
    }
  }

  // MARK: Comparisons

  private func check(_ condition: Condition, of use: Use, in draft: StepDraft) {
    switch condition {
    case .any(let parts): for part in parts { check(part, of: use, in: draft) }
    case .all(let parts):
      for part in parts { check(part, of: use, in: draft) }
      checkTogether(parts, of: use)
    case .not(let inner): check(inner, of: use, in: draft)
    case .exists, .matches: break
    case .comparison(let left, let comparison, let right): check(left, comparison, right, of: use, in: draft)
    }
  }

  private func check(_ left: Operand, _ comparison: Comparison, _ right: Operand, of use: Use, in draft: StepDraft) {
    var statuses: [ClosedRange<Int>]?
    if use.role == .poll, case .http(let http) = draft.action { statuses = http.success }
    let (known, other) = (KnownValues(left, inputSchema, statuses), KnownValues(right, inputSchema, statuses))
    // A query may find nothing, and then `!=` holds and the others do not.
    let result = comparison == .notEqual ? "is true for every value" : "never holds"
    let place = left.place ?? right.place ?? 0
    func report(_ message: String, near: String? = nil) {
      self.report.error(WorkflowErrorCode.neverHolds, message, at: use.pointer, .inside(place), near: near)
    }
    let isEquality = !comparison.needsOrder
    if isEquality, let literal = right.literalValue, let words = known.words {
      return check(literal, words, known.name, result, report)
    }
    if isEquality, let literal = left.literalValue, let words = other.words {
      return check(literal, words, other.name, result, report)
    }
    if !isEquality, neverHolds(known, comparison, right) || neverHolds(left, comparison, other) {
      let (name, words) = known.words.map { (known.name, $0) } ?? (other.name, other.words ?? [])
      return report("this never holds: \(name) is one of \(Self.list(words))")
    }
    if let kind = known.kind, let otherKind = other.kind, kind != otherKind {
      report("this \(result): \(known.name) is \(kind.shown), and \(other.name) is \(otherKind.shown)")
    } else if let kind = known.kind ?? other.kind, comparison.needsOrder, kind != .number, kind != .text {
      report(
        "this \(result): only two numbers or two texts have an order, and \(known.kind == nil ? other.name : known.name) is \(kind.shown)"
      )
    } else if case .literal(let one) = left, case .literal(let two) = right {
      let holds = holds(left, comparison, right)
      report("\(one.text()) \(comparison.rawValue) \(two.text()) is always \(holds): compare a query with a value")
    }
  }

  private func check(
    _ literal: JSON, _ words: [JSON], _ name: String, _ result: String,
    _ report: (String, String?) -> Void
  ) {
    guard !words.contains(literal) else { return }
    let near = literal.stringValue.flatMap { text in
      Self.synonyms[text].flatMap { words.contains(.string($0)) ? $0 : nil }
        ?? NearNames.nearest(to: text, among: words.compactMap(\.stringValue))
    }
    report("this \(result): \(name) is one of \(Self.list(words)), and never \(literal.text())", near)
  }

  private static func list(_ words: [JSON]) -> String {
    words.prefix(12).map { $0.text() }.joined(separator: ", ") + (words.count > 12 ? ", …" : "")
  }

  /// Returns true when an ordered comparison holds for none of the numbers that a query can find.
  private func neverHolds(_ known: KnownValues, _ comparison: Comparison, _ right: Operand) -> Bool {
    guard known.kind == .number, right.literalValue != nil, let numbers = known.words else { return false }
    return !numbers.contains { holds(.literal($0), comparison, right) }
  }

  private func neverHolds(_ left: Operand, _ comparison: Comparison, _ known: KnownValues) -> Bool {
    guard known.kind == .number, left.literalValue != nil, let numbers = known.words else { return false }
    return !numbers.contains { holds(left, comparison, .literal($0)) }
  }

  private func holds(_ left: Operand, _ comparison: Comparison, _ right: Operand) -> Bool {
    Evaluation(root: .null, keepsPaths: false, meter: Meter())
      .holds(.comparison(left, comparison, right), for: .null)
  }

  /// Words of other engines for the status of a step.
  private static let synonyms = [
    "success": "succeeded", "successful": "succeeded", "completed": "succeeded", "complete": "succeeded",
    "done": "succeeded", "ok": "succeeded", "failure": "failed", "error": "failed", "compensated": "undone",
    "rolledBack": "undone", "in_progress": "running", "active": "running",
  ]

  /// Reports two parts of which only one can hold, as `$.input.a == 1 && $.input.a == 2`.
  private func checkTogether(_ parts: [Condition], of use: Use) {
    var seen: [JSON: JSON] = [:]
    for part in parts {
      guard case .comparison(let left, .equal, let right) = part else { continue }
      guard let query = left.query ?? right.query, let value = right.literalValue ?? left.literalValue,
        let tokens = query.tokens
      else { continue }
      let key = JSON.array(tokens.map { .string("\($0)") } + [.bool(query.query.isAbsolute)])
      if let first = seen.updateValue(value, forKey: key), first != value {
        report.error(
          WorkflowErrorCode.neverHolds,
          "this never holds: one value can't be \(first.text()) and \(value.text()); join the two with ||",
          at: use.pointer, .inside(query.query.range.lowerBound))
      }
    }
  }

  // MARK: Existence

  /// Warns of a query alone where its value was probably meant: it asks whether something is there, also when it is
  /// false. It is probably meant as it is when the value is used, too: in the same condition or by the same step.
  private func warnOfExistence(_ condition: Condition, of use: Use, in draft: StepDraft) {
    var tested: [SubQuery] = []
    condition.collectTested(into: &tested)
    guard !tested.isEmpty else { return }
    let places = tested.map(\.query.range.lowerBound)
    let others = draft.uses.flatMap { other in
      other.pointer == use.pointer ? other.reads.filter { !places.contains($0.offset) } : other.reads
    }.map(\.tokens)
    for query in tested {
      guard let tokens = query.tokens, isValue(tokens, of: use.role) else { continue }
      if others.contains(where: { $0.starts(with: tokens) }) { continue }
      let text = "$" + tokens.map { $0.shorthand }.joined()
      report.warning(
        WorkflowErrorCode.existence,
        "\(text) alone asks whether it is there, and holds also when it is false or null: write \(text) == true, or "
          + "count(\(text)) == 1 where existence is meant", at: use.pointer, .inside(query.query.range.lowerBound))
    }
  }

  /// Returns true when a query leads to a value that can be false: a member of the input, of a signal or of an output.
  private func isValue(_ tokens: [JSONPointer.Token], of role: Use.Role) -> Bool {
    switch tokens.first {
    case .name("signal"): role == .accept && tokens.count > 1
    // A header may be there or not. The status and the body of an answer are always there.
    case .name("answer"): role == .poll && (tokens.count == 1 || tokens[1] != .name("headers"))
    case .name("input"):
      tokens.count > 1 && KnownValues.schema(of: tokens.dropFirst(), in: inputSchema)?["type"] == "boolean"
    case .name("steps"): tokens.count > 3 && tokens[2] == .name("output")
    case .name, .index, nil: false
    }
  }
}

/// What is known of an operand before any saga runs.
private struct KnownValues {
  enum Kind {
    case text, number, truth, null, list, object

    var shown: String {
      switch self {
      case .text: "a text"
      case .number: "a number"
      case .truth: "true or false"
      case .null: "null"
      case .list: "a list"
      case .object: "an object"
      }
    }
  }

  /// The operand in messages.
  let name: String
  private(set) var kind: Kind?
  /// All values that it can have; nil when they are not known.
  private(set) var words: [JSON]?

  /// - Parameter statuses: the statuses that an answer of the step's poll can have; nil where there is no answer.
  init(_ operand: Operand, _ inputSchema: JSON?, _ statuses: [ClosedRange<Int>]?) {
    switch operand {
    case .literal(let value):
      name = value.text()
      kind = Kind(of: value)
    case .length: (name, kind) = ("length(…)", .number)
    case .count: (name, kind) = ("count(…)", .number)
    case .value: (name, kind) = ("value(…)", nil)
    case .node(let sub):
      let tokens = sub.tokens ?? []
      name = "$" + tokens.map(\.shorthand).joined()
      read(tokens, inputSchema, statuses)
    case .computed(.sum), .computed(.product), .computed(.negated): (name, kind) = ("the computed value", .number)
    case .computed(.truth): (name, kind) = ("the condition", .truth)
    case .computed(.call(let function, _)):
      name = "\(function.rawValue)(…)"
      kind = Kind(of: function)
    case .computed(.one), .computed(.firstOf): (name, kind) = ("the value", nil)
    }
  }

  private mutating func read(
    _ tokens: [JSONPointer.Token], _ inputSchema: JSON?, _ statuses: [ClosedRange<Int>]?
  ) {
    guard tokens.count > 1, case .name(let root) = tokens[0] else { return }
    switch root {
    case "steps" where tokens.count == 3:
      guard case .name(let name) = tokens[2] else { return }
      switch StepMember(rawValue: name) {
      case .status:
        words = ConditionCheck.statuses.map { .string($0) }
        kind = .text
      case .outcome:
        words = ConditionCheck.outcomes.map { .string($0) }
        kind = .text
      case .by, .startedAt, .endedAt, .key, .uuid: kind = .text
      case .error, .answer, .outputError: kind = .object
      case .items: kind = .list
      case .output, nil: break
      }
    case "steps" where tokens.count == 4 && tokens[2] == .name("answer") && tokens[3] == .name("status"):
      kind = .number
    case "steps" where tokens.count == 5 && tokens[2] == .name("answer") && tokens[3] == .name("headers"):
      kind = .text
    case "answer" where tokens.count == 2 && tokens[1] == .name("status"):
      kind = .number
      // An answer with another status is a failed look, and no condition sees it.
      words = statuses.map { $0.flatMap { $0.map { .int($0) } } }
    case "answer" where tokens.count == 3 && tokens[1] == .name("headers"): kind = .text
    case "saga" where tokens.count == 2:
      guard case .name(let name) = tokens[1] else { return }
      switch SagaMember(rawValue: name) {
      case .version: kind = .number
      case .tags: kind = .list
      case .id, .key, .workflow, .startedAt, .startedBy: kind = .text
      case nil: break
      }
    case "input":
      guard let schema = Self.schema(of: tokens.dropFirst(), in: inputSchema) else { return }
      if let const = schema["const"] { words = [const] } else { words = schema["enum"]?.arrayValue }
      kind =
        switch schema["type"]?.stringValue {
        case "string": .text
        case "number", "integer": .number
        case "boolean": .truth
        default: nil
        }
    default: break
    }
  }

  /// Returns the schema of a member of the input; nil when the schema says nothing certain of it.
  static func schema(of tokens: ArraySlice<JSONPointer.Token>, in schema: JSON?) -> JSON? {
    var schema = schema
    for token in tokens {
      guard case .name(let name) = token, let current = schema, !current.isOpenSchema else { return nil }
      schema = current["properties"]?[name]
    }
    return schema.flatMap { $0.isOpenSchema ? nil : $0 }
  }
}

extension JSON {
  /// True for a schema whose own members do not say all that it allows.
  var isOpenSchema: Bool {
    ["$ref", "$dynamicRef", "anyOf", "oneOf", "allOf", "if"].contains { self[$0] != nil }
  }
}

extension KnownValues.Kind {
  fileprivate init(of value: JSON) {
    switch value {
    case .null: self = .null
    case .bool: self = .truth
    case .number: self = .number
    case .string: self = .text
    case .array: self = .list
    case .object: self = .object
    }
  }

  fileprivate init?(of function: ExpressionFunction) {
    switch function {
    case .sum, .avg, .number, .round, .floor, .ceil, .abs, .seconds, .duration: self = .number
    case .join, .upper, .lower, .trim, .replace, .text, .timestamp: self = .text
    case .list, .distinct, .split: self = .list
    case .first, .min, .max: return nil
    }
  }
}

extension Comparison {
  fileprivate var needsOrder: Bool {
    switch self {
    case .less, .lessOrEqual, .greater, .greaterOrEqual: true
    case .equal, .notEqual: false
    }
  }
}

extension Operand {
  fileprivate var literalValue: JSON? { if case .literal(let value) = self { value } else { nil } }
  fileprivate var query: SubQuery? { if case .node(let sub) = self { sub } else { nil } }
  fileprivate var place: Int? { query?.query.range.lowerBound }
}

extension Condition {
  /// Collects the queries that are a test of their own.
  fileprivate func collectTested(into tested: inout [SubQuery]) {
    switch self {
    case .any(let parts), .all(let parts): for part in parts { part.collectTested(into: &tested) }
    case .not(let inner): inner.collectTested(into: &tested)
    case .exists(let sub): tested.append(sub)
    case .comparison, .matches: break
    }
  }
}

extension JSONPointer.Token {
  /// The token as a query writes it.
  fileprivate var shorthand: String {
    switch self {
    case .index(let index): "[\(index)]"
    case .name(let name): NameRule.identifier.allows(name) ? ".\(name)" : "['\(name)']"
    }
  }
}
