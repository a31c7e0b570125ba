import JSON

/// A JSON value whose strings may contain `${…}`.
///
/// If a whole string is one `${…}`, its JSON value replaces it, with its type. If other text surrounds it, the value is
/// turned into text. `${… ?? nothing}` leaves its member or element out when there is no value. Member names are never
/// templates.
public struct Template: Sendable {
  /// The template as the file writes it.
  public let source: JSON
  private let root: Node
  let expressions: [(pointer: JSONPointer, expression: Expression)]

  /// The most nested levels of a template.
  static let maxDepth = 64

  private indirect enum Node: Sendable {
    case constant(JSON)
    case value(Expression)
    case text([TextPart])
    case array([Node])
    case object([(name: String, node: Node)])
  }

  public init(_ json: JSON) throws(TemplateError) {
    var expressions: [(pointer: JSONPointer, expression: Expression)] = []
    root = try Self.node(json, at: .root, depth: 0, expressions: &expressions)
    source = json
    self.expressions = expressions
  }

  /// The queries that read the document, in the order of the file.
  public var referencedQueries: [ReferencedQuery] { expressions.flatMap(\.expression.referencedQueries) }

  /// The value, when the whole template is one literal; nil when it has a `${…}` or several values.
  var constant: JSON? { if case .constant(let json) = root { json } else { nil } }

  /// True when a part of the template may be left out: it is `${… ?? nothing}`.
  var mayBeLeftOut: Bool { expressions.contains(where: \.expression.mayBeLeftOut) }

  /// True when the whole template is one `${…}`.
  var isOneExpression: Bool { if case .value = root { true } else { false } }

  /// Returns the value with every `${…}` replaced by the value that it finds in the document.
  /// - Parameter meter: counts the work and the output, together with other templates that use the same meter.
  /// - Returns: nil when the whole template is one `${…}` that is left out.
  public func render(in document: JSON, meter: Meter = Meter()) throws(ExpressionError) -> JSON? {
    try Self.render(root, in: document, meter)
  }

  /// Returns a list of values: all values that a query finds, or the elements of the template's list.
  /// - Parameter most: the search ends behind this number of values, so that a caller sees that there are more.
  /// - Returns: nil when the template has one value that is not a list.
  func allValues(in document: JSON, atMost most: Int, meter: Meter) throws(ExpressionError) -> [JSON]? {
    if case .value(let expression) = root { return try expression.allValues(in: document, atMost: most, meter) }
    return try render(in: document, meter: meter)?.arrayValue
  }

  /// Returns the value as `render` does, but with null for each string whose `${…}` cannot be rendered.
  /// - Parameter meter: counts the work of all strings together. Strings after the end of its budget fail.
  /// - Returns: the value and the failures, at most `maxFailures`, in the order of the file.
  public func renderMembers(in document: JSON, meter: Meter = Meter()) -> (value: JSON, failures: [MemberFailure]) {
    var failures: [MemberFailure] = []
    let value = Self.renderMembers(root, at: .root, in: document, meter, &failures)
    return (value ?? .null, failures)
  }

  /// A string of a template that cannot be rendered.
  public struct MemberFailure: Sendable, Hashable {
    /// The path of the string, from the template's own root.
    public let pointer: JSONPointer
    public let error: ExpressionError
  }

  /// The most failures that `renderMembers` lists.
  public static let maxFailures = 1_000

  private static func renderMembers(
    _ node: Node, at pointer: JSONPointer, in document: JSON, _ meter: Meter, _ failures: inout [MemberFailure]
  ) -> JSON? {
    switch node {
    case .constant, .value, .text:
      do {
        return try render(node, in: document, meter)
      } catch {
        if failures.count < maxFailures { failures.append(MemberFailure(pointer: pointer, error: error)) }
        return .null
      }
    case .array(let nodes):
      return .array(
        nodes.enumerated().compactMap { index, node in
          renderMembers(node, at: pointer.appending(.index(index)), in: document, meter, &failures)
        })
    case .object(let nodes):
      var members = JSONObject()
      for (name, node) in nodes {
        members[name] = renderMembers(node, at: pointer.appending(.name(name)), in: document, meter, &failures)
      }
      return .object(members)
    }
  }

  private static func node(
    _ json: JSON, at pointer: JSONPointer, depth: Int,
    expressions: inout [(pointer: JSONPointer, expression: Expression)]
  ) throws(TemplateError) -> Node {
    guard depth <= maxDepth else { throw .tooDeep(at: pointer) }
    switch json {
    case .null, .bool, .number: return .constant(json)
    case .string(let text):
      let parts: [TextPart]
      do {
        parts = try TextPart.parts(of: text)
      } catch {
        throw TemplateError(code: error.code, message: error.message, pointer: pointer, offset: error.offset)
      }
      for case .expression(let expression) in parts { expressions.append((pointer, expression)) }
      if parts.count == 1 {
        switch parts[0] {
        case .literal(let text): return .constant(.string(text))
        case .expression(let expression): return .value(expression)
        }
      }
      return .text(parts)
    case .array(let values):
      var nodes: [Node] = []
      for (index, value) in values.enumerated() {
        nodes.append(
          try node(value, at: pointer.appending(.index(index)), depth: depth + 1, expressions: &expressions))
      }
      return .array(nodes)
    case .object(let members):
      var nodes: [(name: String, node: Node)] = []
      for (name, value) in members {
        nodes.append(
          (name, try node(value, at: pointer.appending(.name(name)), depth: depth + 1, expressions: &expressions)))
      }
      return .object(nodes)
    }
  }

  private static func render(_ node: Node, in document: JSON, _ meter: Meter) throws(ExpressionError) -> JSON? {
    switch node {
    case .constant(let json): return json
    case .value(let expression):
      guard let value = try expression.value(in: document, meter) else { return nil }
      // The value is shared in memory, but the written text contains its whole length each time.
      if !meter.produce(value), let exceeded = meter.exceeded { throw expression.exceeded(exceeded) }
      return value
    case .text(let parts): return try TextTemplate.join(parts, in: document, encoding: .none, meter).map { .string($0) }
    case .array(let nodes):
      var values: [JSON] = []
      values.reserveCapacity(nodes.count)
      for node in nodes { if let value = try render(node, in: document, meter) { values.append(value) } }
      return .array(values)
    case .object(let nodes):
      var members = JSONObject()
      for (name, node) in nodes { members[name] = try render(node, in: document, meter) }
      return .object(members)
    }
  }
}

extension Template: Hashable {
  public static func == (left: Template, right: Template) -> Bool { left.source == right.source }
  public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}
