import JSON
import Values

/// Checks what conditions say: a comparison that has one result for every saga is an error, and a test for existence
/// where a value was probably meant is a warning.
struct ConditionCheck {
  let drafts: [StepDraft]
  /// The queries outside the steps: of `title`, `labels` and `output`.
  let usesOfWorkflow: [Use]
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
        checkFilters(of: use)
        guard let condition = use.condition else { continue }
        check(condition, of: use, in: draft)
        warnOfExistence(condition, of: use, in: draft)
        warnOfNull(condition, of: use)
      }
    }
    for use in usesOfWorkflow { checkFilters(of: use) }
  }

  // MARK: Comparisons

  private func check(_ condition: Condition, of use: Use, in draft: StepDraft) {
    switch condition {
    case .any(let parts):
      for part in parts { check(part, of: use, in: draft) }
      checkEither(parts, of: use)
    case .all(let parts):
      for part in parts { check(part, of: use, in: draft) }
      checkTogether(parts, of: use)
    case .not(let inner): check(inner, of: use, in: draft)
    case .exists, .matches: break
    case .comparison(let left, let comparison, let right): check(left, comparison, right, of: use, in: draft)
    }
  }

  private func check(_ left: Operand, _ comparison: Comparison, _ right: Operand, of use: Use, in draft: StepDraft) {
    if case .node(let one) = left, case .node(let two) = right, let tokens = one.tokens, tokens == two.tokens {
      let holds = [.equal, .lessOrEqual, .greaterOrEqual].contains(comparison)
      return self.report.error(
        WorkflowErrorCode.neverHolds,
        "this compares $\(tokens.map(\.shorthand).joined()) with itself: it \(holds ? "always" : "never") holds",
        at: use.pointer, .inside(two.query.range.lowerBound))
    }
    let document = document(of: use, in: draft)
    let (known, other) = (KnownValues(left, document), KnownValues(right, document))
    // A query may find nothing, and then `!=` holds and the others do not.
    let result = comparison == .notEqual ? "is true for every value" : "never holds"
    let place = left.place ?? right.place ?? 0
    func report(_ message: String, near: String? = nil) {
      self.report.error(WorkflowErrorCode.neverHolds, message, at: use.pointer, .inside(place), near: near)
    }
    let isEquality = !comparison.needsOrder
    if isEquality, let literal = right.literalValue, let words = known.words {
      return check(literal, words, known, result, report)
    }
    if isEquality, let literal = left.literalValue, let words = other.words {
      return check(literal, words, other, result, report)
    }
    if !isEquality, neverHolds(known, comparison, right) || neverHolds(left, comparison, other) {
      let (values, words) = known.words.map { (known, $0) } ?? (other, other.words ?? [])
      return report("this never holds: \(values.name) is one of \(Self.list(words))\(values.advice)")
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
    _ literal: JSON, _ words: [JSON], _ known: KnownValues, _ result: String,
    _ report: (String, String?) -> Void
  ) {
    guard !words.contains(literal) else { return }
    report(
      "this \(result): \(known.name) is one of \(Self.list(words)), and never \(literal.text())\(known.advice)",
      Self.near(literal, words))
  }

  private static func near(_ literal: JSON, _ words: [JSON]) -> String? {
    guard let text = literal.stringValue else { return nil }
    return synonyms[text].flatMap { words.contains(.string($0)) ? $0 : nil }
      ?? NearNames.nearest(to: text, among: words.compactMap(\.stringValue))
  }

  /// Returns what the file says of the document that an expression reads.
  private func document(of use: Use, in draft: StepDraft) -> KnownValues.Document {
    var document = KnownValues.Document(input: inputSchema)
    if use.role == .poll, case .http(let http) = draft.action { document.statuses = http.success }
    if use.role == .accept, case .signal(let signal) = draft.action { document.signal = signal.schema?.source }
    if use.role.undoOutcomes != nil, case .undo(let undo) = draft.compensation, case .signal(let signal) = undo.action {
      document.signal = signal.schema?.source
    }
    return document
  }

  /// Reports a status that no item can have, in a filter over the items of a step.
  private func checkFilters(of use: Use) {
    for read in use.reads where read.name(0) == "steps" && read.name(2) == "items" && read.tokens.count == 3 {
      for filter in read.filterReads where ItemMember(rawValue: filter.member) == .status {
        let words = Self.statuses.map { JSON.string($0) }
        guard let compared = filter.compared, !words.contains(compared) else { continue }
        report.error(
          WorkflowErrorCode.neverHolds,
          "this \(filter.isNotEqual ? "is true for every item" : "never holds"): the status of an item is one of "
            + "\(Self.list(words)), and never \(compared.text())", at: use.pointer,
          .inside(max(0, use.offset + filter.at)), near: Self.near(compared, words))
      }
    }
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
    checkPairs(parts, of: use) { first, second in
      guard first.excludes(second) else { return nil }
      let advice = "; if one is enough, join the two with ||"
      return first.comparison == .equal && second.comparison == .equal
        ? "this never holds: one value can't be \(first.value.text()) and \(second.value.text())\(advice)"
        : "this never holds: one value can't be \(first.shown) and \(second.shown)\(advice)"
    }
  }

  /// Reports two parts of which one always holds, as `$.input.a != 1 || $.input.a != 2`.
  private func checkEither(_ parts: [Condition], of use: Use) {
    checkPairs(parts, of: use) { first, second in
      guard first.comparison == .notEqual, second.comparison == .notEqual, first.value != second.value else {
        return nil
      }
      return "this is true for every value, because no value is \(first.value.text()) and \(second.value.text()): "
        + "join the two with &&"
    }
  }

  /// Reports the first pair of limits on one value that is a mistake.
  /// - Parameter mistake: returns what is wrong with two limits on one value.
  private func checkPairs(
    _ parts: [Condition], of use: Use, _ mistake: (ValueLimit, ValueLimit) -> String?
  ) {
    var seen: [JSON: [ValueLimit]] = [:]
    for part in parts {
      guard let limit = ValueLimit(part) else { continue }
      let others = seen[limit.key] ?? []
      for other in others {
        guard let message = mistake(other, limit) else { continue }
        return report.error(WorkflowErrorCode.neverHolds, message, at: use.pointer, .inside(limit.place))
      }
      if others.count < Self.mostLimits { seen[limit.key] = others + [limit] }
    }
  }

  /// The most limits on one value that are compared with each other.
  private static let mostLimits = 20

  // MARK: Existence

  /// Warns of `!= null` where the value may be missing: a missing value is not null, so the comparison holds for it.
  private func warnOfNull(_ condition: Condition, of use: Use) {
    var compared: [SubQuery] = []
    condition.collectNotNull(into: &compared)
    for sub in compared {
      guard let tokens = sub.tokens, let first = tokens.first, tokens.count > 1 else { continue }
      switch first {
      case .name("input") where !isRequired(tokens.dropFirst()): break
      case .name("signal") where use.role.isAccept: break
      case .name("answer") where use.role == .poll && tokens.count > 2 && tokens[1] == .name("body"): break
      case .name("steps") where tokens.count > 3 && tokens[2] == .name("output"): break
      case .name, .index: continue
      }
      // With a second look at the value, the condition says itself what a missing one means.
      let place = sub.query.range.lowerBound
      if use.reads.contains(where: { $0.offset != place && $0.tokens.starts(with: tokens) }) { continue }
      let text = "$" + tokens.map { $0.shorthand }.joined()
      report.warning(
        WorkflowErrorCode.existence,
        "\(text) != null holds also when it is missing: write \(text) && \(text) != null, or \(text) alone "
          + "if null may be there", at: use.pointer, .inside(place))
    }
  }

  /// Returns true when every input has a value at a place, as its schema says.
  private func isRequired(_ tokens: ArraySlice<JSONPointer.Token>) -> Bool {
    var schema = inputSchema
    for token in tokens {
      guard case .name(let name) = token, let current = schema,
        current["required"]?.arrayValue?.contains(.string(name)) == true
      else { return false }
      schema = current["properties"]?[name]
    }
    return true
  }

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
    case .name("signal"): role.isAccept && tokens.count > 1
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

  /// What the file says of the document that an expression reads.
  struct Document {
    /// The schema of the input.
    var input: JSON?
    /// The schema of the signal on which the condition decides.
    var signal: JSON?
    /// The statuses that an answer of the step's poll can have; nil where there is no answer.
    var statuses: [ClosedRange<Int>]?

    init(input: JSON?) { self.input = input }
  }

  /// The operand in messages.
  let name: String
  /// What the author probably needs instead, at the end of a message.
  private(set) var advice = ""
  private(set) var kind: Kind?
  /// All values that it can have; nil when they are not known.
  private(set) var words: [JSON]?

  init(_ operand: Operand, _ document: Document) {
    switch operand {
    case .literal(let value):
      name = value.text()
      kind = Kind(of: value)
    case .length: (name, kind) = ("length(…)", .number)
    case .count(let sub):
      kind = .number
      guard let tokens = sub.tokens else {
        name = "count(…)"
        return
      }
      // A query of names and indexes finds one value, a whole list, or nothing.
      let text = "$" + tokens.map(\.shorthand).joined()
      name = "count(\(text))"
      words = [0, 1]
      advice = "; the elements of a list are count(\(text)[*])"
    case .value: (name, kind) = ("value(…)", nil)
    case .node(let sub):
      let tokens = sub.tokens ?? []
      name = "$" + tokens.map(\.shorthand).joined()
      read(tokens, document)
    case .computed(.sum), .computed(.product), .computed(.negated): (name, kind) = ("the computed value", .number)
    case .computed(.truth): (name, kind) = ("the condition", .truth)
    case .computed(.call(let function, _)):
      name = "\(function.rawValue)(…)"
      kind = Kind(of: function)
    case .computed(.one), .computed(.firstOf): (name, kind) = ("the value", nil)
    }
  }

  private mutating func read(_ tokens: [JSONPointer.Token], _ document: Document) {
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
      words = document.statuses.map { $0.flatMap { $0.map { .int($0) } } }
    case "answer" where tokens.count == 3 && tokens[1] == .name("headers"): kind = .text
    case "saga" where tokens.count == 2:
      guard case .name(let name) = tokens[1] else { return }
      switch SagaMember(rawValue: name) {
      case .version: kind = .number
      case .tags: kind = .list
      case .id, .key, .workflow, .startedAt, .startedBy: kind = .text
      case nil: break
      }
    case "input", "signal":
      let whole = root == "input" ? document.input : document.signal
      guard let schema = Self.schema(of: tokens.dropFirst(), in: whole) else { return }
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

/// A comparison of one value of the document with a value of the file.
private struct ValueLimit {
  /// Names the value of the document.
  let key: JSON
  let comparison: Comparison
  let value: JSON
  /// The start of the query in the text.
  let place: Int

  /// Returns nil when the condition is another one.
  init?(_ condition: Condition) {
    guard case .comparison(let left, let comparison, let right) = condition else { return nil }
    guard let query = left.query ?? right.query, let value = right.literalValue ?? left.literalValue,
      let tokens = query.tokens
    else { return nil }
    key = JSON.array(tokens.map { .string("\($0)") } + [.bool(query.query.isAbsolute)])
    self.comparison = left.query == nil ? comparison.mirrored : comparison
    self.value = value
    place = query.query.range.lowerBound
  }

  var shown: String { "\(comparison.rawValue) \(value.text())" }

  /// Returns true when no value meets both limits.
  func excludes(_ other: ValueLimit) -> Bool {
    if comparison == .equal { return !other.allows(value) }
    if other.comparison == .equal { return !allows(other.value) }
    if comparison == .notEqual || other.comparison == .notEqual { return false }
    let isLower = comparison == .greater || comparison == .greaterOrEqual
    let otherIsLower = other.comparison == .greater || other.comparison == .greaterOrEqual
    // Numbers and texts have no order between them.
    guard isLower != otherIsLower else {
      return !Self.holds(value, .lessOrEqual, other.value) && !Self.holds(other.value, .lessOrEqual, value)
    }
    let (lower, upper) = isLower ? (self, other) : (other, self)
    let isInclusive = lower.comparison == .greaterOrEqual && upper.comparison == .lessOrEqual
    return !Self.holds(lower.value, isInclusive ? .lessOrEqual : .less, upper.value)
  }

  private func allows(_ candidate: JSON) -> Bool { Self.holds(candidate, comparison, value) }

  private static func holds(_ left: JSON, _ comparison: Comparison, _ right: JSON) -> Bool {
    Evaluation(root: .null, keepsPaths: false, meter: Meter())
      .holds(.comparison(.literal(left), comparison, .literal(right)), for: .null)
  }
}

extension Comparison {
  /// The comparison with its sides exchanged.
  fileprivate var mirrored: Comparison {
    switch self {
    case .equal, .notEqual: self
    case .less: .greater
    case .lessOrEqual: .greaterOrEqual
    case .greater: .less
    case .greaterOrEqual: .lessOrEqual
    }
  }

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

  /// Collects the queries that are compared with null by `!=`, where nothing else is an alternative.
  fileprivate func collectNotNull(into compared: inout [SubQuery]) {
    switch self {
    case .all(let parts): for part in parts { part.collectNotNull(into: &compared) }
    case .comparison(let left, .notEqual, let right):
      guard let query = left.query ?? right.query, (right.literalValue ?? left.literalValue) == .null else { return }
      compared.append(query)
    case .any, .not, .exists, .matches, .comparison: break
    }
  }
}

extension JSONPointer.Token {
  /// The token as a query writes it.
  var shorthand: String {
    switch self {
    case .index(let index): "[\(index)]"
    case .name(let name): NameRule.identifier.allows(name) ? ".\(name)" : "['\(name)']"
    }
  }
}
