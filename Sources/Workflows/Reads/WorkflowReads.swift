import JSON

/// What all expressions of a workflow read of its input and of its steps' outputs. A rehearsal makes the input, the
/// answers and the signals from it, so that later steps find what they read.
package struct WorkflowReads {
  /// The values that may be chosen, in the order of the file.
  package let choices: [ReadChoice]
  private let samples: [ReadPlace.Root: JSON]

  package init(_ definition: WorkflowDefinition) {
    var collector = ReadCollector()
    if let concurrency = definition.concurrency { collector.collect(key: concurrency.key) }
    for step in definition.steps { collector.collect(step) }
    if let output = definition.output { collector.collect(output) }
    var choices: [ReadChoice] = []
    var samples: [ReadPlace.Root: JSON] = [:]
    for (root, shape) in collector.roots {
      shape.addChoices(to: &choices)
      samples[root] = shape.sample(named: shape.place.name)
    }
    self.choices = choices
    self.samples = samples
  }

  /// Returns a value with every part that the expressions read; nil when they read nothing of it.
  package func sample(of root: ReadPlace.Root) -> JSON? { samples[root] }
}

/// Walks through the expressions of a workflow.
private struct ReadCollector {
  private(set) var roots: [(root: ReadPlace.Root, shape: ReadShape)] = []
  /// The step whose condition is read.
  private var reader: String?
  /// The body of the signal whose `accept` is read.
  private var signal: ReadPlace.Root?
  /// The step whose `poll` is read.
  private var answered: String?
  /// The shapes of the items of steps with `forEach`, by the ids of the steps.
  private var items: [String: ReadShape] = [:]
  /// The name of the item and its shape, in the step that is read.
  private var item: (name: String, shape: ReadShape?)?

  mutating func collect(_ step: Step) {
    if let when = step.when {
      reader = step.id
      collect(when.condition, nil)
      reader = nil
    }
    if let concurrency = step.concurrency { collect(key: concurrency.key) }
    if let forEach = step.forEach {
      items[step.id] = elements(of: forEach.items)
      item = (forEach.name, items[step.id])
      if let key = forEach.key { collect(key, .text) }
    }
    defer { item = nil }
    collect(step.action, of: step.id, body: .output(step.id))
    if let poll = step.poll {
      (reader, answered) = (step.id, step.id)
      collect(poll.until.condition, nil)
      if let failWhen = poll.failWhen { collect(failWhen.condition, nil) }
      (reader, answered) = (nil, nil)
    }
    if let undo = step.undo { collect(undo.action, of: step.id, body: .undoSignal(step.id)) }
  }

  /// - Parameter body: where the body of a signal is.
  private mutating func collect(_ action: Action, of step: String, body: ReadPlace.Root) {
    switch action {
    case .http(let http):
      for text in [http.path] + (http.headers + http.query).map(\.value) { collect(text) }
      if let body = http.body { collect(body) }
    case .kafka(let kafka):
      for header in kafka.headers { collect(header.value) }
      if let body = kafka.body { collect(body) }
    case .task(let task): if let input = task.input { collect(input) }
    case .workflow(let workflow):
      if let input = workflow.input { collect(input) }
      if let key = workflow.key { collect(key, .text) }
    case .signal(let wait):
      guard let accept = wait.accept else { return }
      (reader, signal) = (step, body)
      collect(accept.condition, nil)
      (reader, signal) = (nil, nil)
    case .delay(.for), .group: break
    case .delay(.until(let text)): collect(text, .time)
    case .fail(let fail): if let message = fail.message { collect(message) }
    }
  }

  mutating func collect(_ template: Template) {
    for (_, expression) in template.expressions { collect(expression, nil) }
  }

  mutating func collect(key: Template) {
    for (_, expression) in key.expressions { collect(expression, .text) }
  }

  private mutating func collect(_ text: TextTemplate, _ kind: ReadShape.Kind? = nil) {
    // Only a text that is one expression alone needs that kind.
    let expressions = text.expressions
    for expression in expressions { collect(expression, text.parts.count == 1 ? kind : nil) }
  }

  private mutating func collect(_ expression: Expression, _ kind: ReadShape.Kind?) {
    switch expression.body {
    case .query(let sub): if let kind { shape(of: sub, nil)?.kinds.insert(kind) } else { _ = shape(of: sub, nil) }
    case .value(let operand, let mayBeLeftOut):
      for leaf in leaves(of: operand, nil) {
        if let kind { leaf.kinds.insert(kind) }
        if mayBeLeftOut { leaf.mayBeMissing = true }
      }
    }
  }

  /// Returns the shape of one item; nil when the items are not values of the input or of a step's output.
  private mutating func elements(of template: Template) -> ReadShape? {
    guard template.isOneExpression, let expression = template.expressions.first?.expression else {
      collect(template)
      return nil
    }
    switch expression.body {
    case .query(let sub): return sub.tokens == nil ? shape(of: sub, nil) : shape(of: sub, nil)?.element()
    case .value(.computed(.call(.list, let arguments)), _), .value(.computed(.call(.distinct, let arguments)), _):
      guard case .nodes(let sub)? = arguments.first else { return nil }
      return shape(of: sub, nil)
    case .value(let operand, _): return leaves(of: operand, nil).first?.element()
    }
  }

  // MARK: Queries

  private mutating func root(_ root: ReadPlace.Root) -> ReadShape {
    if let known = roots.first(where: { $0.root == root }) { return known.shape }
    let shape = ReadShape(ReadPlace(root))
    roots.append((root, shape))
    return shape
  }

  /// Returns the shape of what a query finds; nil for a part of the document that the engine itself makes.
  /// - Parameter current: the node of the filter in which the query is; nil outside filters.
  private mutating func shape(of sub: SubQuery, _ current: ReadShape?) -> ReadShape? {
    var segments = sub.query.segments[...]
    var shape: ReadShape
    if let current, !sub.query.isAbsolute {
      shape = current
    } else {
      guard case .name(let first)? = segments.first?.singularToken else { return nil }
      segments = segments.dropFirst()
      switch first {
      case "input": shape = root(.input)
      case "signal":
        guard let signal else { return nil }
        shape = root(signal)
      case "answer":
        guard let answered, case .name("body")? = segments.first?.singularToken else { return nil }
        segments = segments.dropFirst()
        shape = root(.output(answered))
      case let name where name == item?.name:
        guard let found = item?.shape else { return nil }
        shape = found
      case "steps":
        if let found = shapeOfItems(&segments) {
          shape = found
          break
        }
        guard case .name(let step)? = segments.first?.singularToken else { return nil }
        switch segments.dropFirst().first?.singularToken {
        case .name("output")?: shape = root(.output(step))
        case .name("answer")?: shape = root(.answer(step))
        case .name, .index, nil: return nil
        }
        segments = segments.dropFirst(2)
      default: return nil
      }
    }
    for segment in segments {
      guard let selector = segment.selectors.first else { continue }
      switch selector {
      case .name(let name): shape = shape.member(name)
      case .index(let index): shape = shape.element(atLeast: index >= 0 ? index + 1 : -index)
      case .slice, .wildcard: shape = shape.element()
      case .filter(let condition):
        shape = shape.element()
        collect(condition, shape)
      }
    }
    if let reader { shape.readers.insert(reader) }
    return shape
  }

  /// Returns the shape of `steps.ID.items[*].output` and of `steps.ID.items[*].item`; nil for every other query. It takes
  /// these segments away.
  private mutating func shapeOfItems(_ segments: inout ArraySlice<Query.Segment>) -> ReadShape? {
    let first = Array(segments.prefix(4))
    guard first.count == 4, case .name(let step)? = first[0].singularToken,
      case .name("items")? = first[1].singularToken
    else { return nil }
    if case .filter(let condition)? = first[2].selectors.first {
      let state = itemState(of: step)
      collect(condition, state)
    }
    switch first[3].singularToken {
    case .name("output"):
      segments = segments.dropFirst(4)
      return root(.output(step))
    case .name("item"):
      segments = segments.dropFirst(4)
      return items[step]
    case .name, .index, nil: return nil
    }
  }

  /// Returns the shape of one of `steps.ID.items`, for the conditions of filters.
  private mutating func itemState(of step: String) -> ReadShape {
    let state = ReadShape(ReadPlace(.output(step)))
    state.adopt("output", root(.output(step)))
    if let item = items[step] { state.adopt("item", item) }
    return state
  }

  // MARK: Conditions

  private mutating func collect(_ condition: Condition, _ current: ReadShape?) {
    switch condition {
    case .any(let parts), .all(let parts): for part in parts { collect(part, current) }
    case .not(let inner): collect(inner, current)
    case .exists(let sub): shape(of: sub, current)?.mayBeMissing = true
    case .matches(let test):
      for leaf in leaves(of: test.text, current) { leaf.kinds.insert(.text) }
      if case .computed(let pattern) = test.pattern { _ = leaves(of: pattern, current) }
    case .comparison(let left, let comparison, let right):
      compare(left, comparison, right, current)
      compare(right, comparison, left, current)
    }
  }

  private mutating func compare(
    _ one: Operand, _ comparison: Comparison, _ other: Operand, _ current: ReadShape?
  ) {
    if case .count(let sub) = one {
      guard let shape = shape(of: sub, current)?.place else { return }
      if case .literal(let value) = other, let count = value.intValue { list(of: shape)?.counts.append(count) }
      return
    }
    let leaves = leaves(of: one, current)
    for value in Self.literals(in: other) {
      for leaf in leaves { leaf.compare(comparison, with: value) }
    }
    for place in self.leaves(of: other, current).map(\.place) {
      for leaf in leaves { leaf.link(to: place) }
    }
  }

  /// Returns the literals that an operand may be: itself, or a default such as `75` in `input.least ?? 75`.
  private static func literals(in operand: Operand) -> [JSON] {
    switch operand {
    case .literal(let value): [value]
    case .computed(.firstOf(let parts)): parts.flatMap(literals)
    case .computed, .node, .value, .count, .length: []
    }
  }

  /// Returns the innermost list on the path to a place.
  private mutating func list(of place: ReadPlace) -> ReadShape? {
    var shape = root(place.root)
    var list: ReadShape?
    for part in place.path {
      switch part {
      case .member(let name): shape = shape.member(name)
      case .elements:
        list = shape
        shape = shape.element()
      }
    }
    return list
  }

  /// Returns the shapes on which an operand's value depends.
  private mutating func leaves(of operand: Operand, _ current: ReadShape?) -> [ReadShape] {
    switch operand {
    case .literal: []
    case .node(let sub), .value(let sub): shape(of: sub, current).map { [$0] } ?? []
    case .count(let sub): shape(of: sub, current).map { _ in [] } ?? []
    case .length(let inner): leaves(of: inner, current).filter { _ in false }
    case .computed(let computation): leaves(of: computation, current)
    }
  }

  private mutating func leaves(of computation: Computation, _ current: ReadShape?) -> [ReadShape] {
    switch computation {
    case .one(let sub): return shape(of: sub, current).map { [$0] } ?? []
    case .negated(let inner): return leaves(of: [inner], .number, current)
    case .sum(let first, let rest): return leaves(of: [first] + rest.map(\.number), .number, current)
    case .product(let first, let rest): return leaves(of: [first] + rest.map(\.number), .number, current)
    case .firstOf(let parts):
      let leaves = leaves(of: parts, nil, current)
      for leaf in leaves { leaf.mayBeMissing = true }
      return leaves
    case .truth(let condition):
      collect(condition, current)
      return []
    case .call(let function, let arguments):
      var leaves: [ReadShape] = []
      for argument in arguments {
        switch argument {
        case .value(let operand), .elements(let operand): leaves += self.leaves(of: operand, current)
        case .nodes(let sub): if let shape = shape(of: sub, current) { leaves.append(shape) }
        }
      }
      if let kind = function.kindOfArgument { for leaf in leaves { leaf.kinds.insert(kind) } }
      return leaves
    }
  }

  private mutating func leaves(
    of operands: [Operand], _ kind: ReadShape.Kind?, _ current: ReadShape?
  ) -> [ReadShape] {
    var all: [ReadShape] = []
    for operand in operands { all += leaves(of: operand, current) }
    if let kind { for leaf in all { leaf.kinds.insert(kind) } }
    return all
  }
}

extension ExpressionFunction {
  /// The kind of value that the function takes; nil when it takes several.
  fileprivate var kindOfArgument: ReadShape.Kind? {
    switch self {
    case .sum, .min, .max, .avg, .round, .floor, .ceil, .abs, .timestamp: .number
    case .upper, .lower, .trim, .replace, .split, .join: .text
    case .number: .numberText
    case .seconds: .time
    case .duration: .durationText
    case .list, .first, .distinct, .text: nil
    }
  }
}
