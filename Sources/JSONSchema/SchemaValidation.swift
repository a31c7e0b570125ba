import JSON

/// One run of a schema over a value.
struct SchemaValidation {
  let schema: JSONSchema
  let meter: SchemaMeter
  /// Whether violations are recorded. Otherwise a schema ends at its first violation.
  var isCollecting: Bool
  /// The resources that are under way, from the outermost.
  private var scope: [Int] = []
  /// The way to the value that is being checked.
  var path: [JSONPointer.Token] = []
  /// Whether the value that is being checked is the name of a member.
  var isName = false
  private(set) var violations: [SchemaViolation] = []
  /// The number of violations, with those that are not kept.
  private var count = 0

  /// The name of the whole value in messages.
  private let whole: String

  init(_ schema: JSONSchema, subject: String, budget: SchemaBudget, isCollecting: Bool) {
    self.schema = schema
    whole = subject
    self.isCollecting = isCollecting
    meter = SchemaMeter(budget)
  }

  mutating func verdict(on value: JSON) throws(SchemaBudgetExceeded) -> SchemaVerdict {
    var evaluated = EvaluatedParts(isNeeded: false)
    let isValid = evaluate(schema.root, value, &evaluated)
    if let exceeded = meter.exceeded { throw exceeded }
    return SchemaVerdict(
      violations: violations, omitted: count - violations.count, isValid: isValid, steps: meter.steps)
  }

  /// Checks a value against a schema.
  /// - Parameter evaluated: gets the parts of the value that the schema evaluates.
  /// - Returns: whether the value meets the schema. False when the budget is used up.
  mutating func evaluate(_ node: Int, _ value: JSON, _ evaluated: inout EvaluatedParts) -> Bool {
    guard meter.enter() else { return false }
    defer { meter.leave() }
    let resource = schema.nodes[node].resource
    let isEntering = scope.last != resource
    if isEntering { scope.append(resource) }
    defer { if isEntering { scope.removeLast() } }

    guard schema.nodes[node].asksForEvaluated else { return applyRules(of: node, value, &evaluated) }
    // What other schemas have evaluated is not visible inside this one.
    var own = EvaluatedParts(isNeeded: true)
    let isValid = applyRules(of: node, value, &own)
    if evaluated.isNeeded {
      guard meter.charge(own.weight) else { return false }
      evaluated.formUnion(own)
    }
    return isValid
  }

  /// Checks a value apart from the others: nothing is recorded, and it ends at the first violation.
  mutating func accepts(_ node: Int, _ value: JSON, _ evaluated: inout EvaluatedParts) -> Bool {
    let wasCollecting = isCollecting
    isCollecting = false
    defer { isCollecting = wasCollecting }
    return evaluate(node, value, &evaluated)
  }

  private mutating func applyRules(of node: Int, _ value: JSON, _ evaluated: inout EvaluatedParts) -> Bool {
    var isValid = true
    for position in schema.nodes[node].rules.indices {
      guard meter.charge(1) else { return false }
      if !apply(position, of: node, value, &evaluated) {
        isValid = false
        if !isCollecting { return false }
      }
    }
    return isValid
  }

  private mutating func apply(
    _ position: Int, of node: Int, _ value: JSON, _ evaluated: inout EvaluatedParts
  ) -> Bool {
    switch schema.nodes[node].rules[position] {
    case .nothing: return refuse(node, nil) { "\($0) is not allowed here" }
    case .type(let types):
      return types.contain(value)
        || refuse(node, "type") { "\($0) is \(SchemaText.kind(of: value)); the schema allows only \(types.words)" }
    case .constant(let constant):
      return (meter.charge(constant.weight) && constant.value == value)
        || refuse(node, "const") {
          "\($0) is \(SchemaText.shown(value)); the schema allows only \(SchemaText.shown(constant.value))"
        }
    case .oneOfValues(let values):
      return values.contain(value, meter)
        || refuse(node, "enum") {
          "\($0) is \(SchemaText.shown(value)); the schema allows only \(SchemaText.choice(values.all))"
        }
    case .number(let rule):
      guard case .number(let number) = value else { return true }
      return check(number, rule, node)
    case .text(let rule):
      guard case .string(let text) = value else { return true }
      return check(text, rule, node)
    case .array(let rule):
      guard case .array(let values) = value else { return true }
      return check(values, rule, node, &evaluated)
    case .object(let rule):
      guard case .object(let members) = value else { return true }
      return check(members, rule, node, &evaluated)
    case .inPlace(let rule): return check(value, rule, node, &evaluated)
    case .unevaluatedItems(let other):
      guard case .array(let values) = value else { return true }
      return checkUnevaluated(values, other, &evaluated)
    case .unevaluatedProperties(let other):
      guard case .object(let members) = value else { return true }
      return checkUnevaluated(members, other, &evaluated)
    }
  }

  /// Returns the node to which a dynamic reference leads: the outermost resource with the anchor decides.
  func target(of node: Int, anchor: ScalarKey?) -> Int {
    guard let anchor else { return node }
    for resource in scope {
      if let target = schema.resources[resource].dynamicAnchors[anchor] { return target }
    }
    return node
  }

  // MARK: Violations

  /// The steps that a violation costs, because its place and its words are composed.
  private static let violationWork = 32

  /// Records a violation of a keyword by the value that is being checked.
  /// - Parameter message: makes the message with the name of the value.
  /// - Returns: false.
  mutating func refuse(_ node: Int, _ keyword: String?, _ message: (String) -> String) -> Bool {
    guard isCollecting, meter.charge(Self.violationWork) else { return false }
    count += 1
    if violations.count < SchemaVerdict.most {
      violations.append(
        SchemaViolation(
          instance: JSONPointer(path), keyword: schema.location(of: node, keyword), message: message(subject)))
    }
    return false
  }

  /// The violations so far.
  struct Record {
    fileprivate let kept: Int
    fileprivate let count: Int
  }

  var record: Record { Record(kept: violations.count, count: count) }

  /// Forgets the violations since a record, and returns those of them that were kept.
  mutating func takeBack(to record: Record) -> [SchemaViolation] {
    let since = Array(violations[record.kept...])
    violations.removeSubrange(record.kept...)
    count = record.count
    return since
  }

  mutating func add(_ more: [SchemaViolation]) {
    count += more.count
    violations += more.prefix(SchemaVerdict.most - violations.count)
  }

  // MARK: Words

  /// The name of the value that is being checked, for a message.
  var subject: String {
    if isName, case .name(let name)? = path.last { return "the name \"\(SchemaText.shortened(name))\"" }
    switch path.last {
    case nil: return whole
    case .name(let name): return SchemaText.shortened(name)
    case .index(let index):
      if path.count > 1, case .name(let list) = path[path.count - 2] {
        return "element \(index) of \(SchemaText.shortened(list))"
      }
      return "element \(index)"
    }
  }
}
