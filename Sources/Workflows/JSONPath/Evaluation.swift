import JSON
import Patterns

/// One run of a query or condition over a document.
///
/// The evaluation passes each node on when it finds it. So a test for existence stops at the first node, and no list of
/// a middle segment is kept. A descendant segment uses its own stack. The remaining recursion goes one level down the
/// document for each segment, or one filter deeper into the query.
///
/// Every visit is charged to the meter. When the budget is used up, every visit answers that no more nodes are wanted,
/// so the evaluation ends immediately. Then its result is meaningless, and the caller must call `meter.check()`.
final class Evaluation {
  /// The path to a node, shared by the nodes below it.
  final class Way {
    private let parent: Way?
    private let token: JSONPointer.Token

    init(_ parent: Way?, _ token: JSONPointer.Token) {
      self.parent = parent
      self.token = token
    }

    var tokens: [JSONPointer.Token] {
      var tokens: [JSONPointer.Token] = []
      var way: Way? = self
      while let here = way {
        tokens.append(here.token)
        way = here.parent
      }
      return tokens.reversed()
    }
  }

  /// Takes a node. Returns false when no more nodes are wanted.
  typealias Visitor = (JSON, Way?) -> Bool

  let root: JSON
  let meter: Meter
  private let keepsPaths: Bool
  /// The patterns that were compiled last. A filter mostly uses the same patterns again.
  var patterns: [(text: String, compiled: IRegexp?)] = []

  /// The first reason why a value could not be computed.
  var fault: ExpressionFault?
  /// The first query that found nothing where a value was needed.
  var missing: Query?

  init(root: JSON, keepsPaths: Bool, meter: Meter) {
    self.root = root
    self.keepsPaths = keepsPaths
    self.meter = meter
  }

  func visit(_ query: Query, from node: JSON, _ visitor: Visitor) {
    _ = visit(query.segments[...], node, nil, keepsPaths, visitor)
  }

  /// Visits the nodes of a query inside a filter. Their paths are not needed.
  func visitInner(_ query: Query, from node: JSON, _ visitor: Visitor) {
    _ = visit(query.segments[...], query.isAbsolute ? root : node, nil, false, visitor)
  }

  private func visit(
    _ segments: ArraySlice<Query.Segment>, _ node: JSON, _ way: Way?, _ keeps: Bool, _ visitor: Visitor
  ) -> Bool {
    guard meter.enter() else {
      meter.leave()
      return false
    }
    defer { meter.leave() }
    // Names and indexes lead to at most one node, so they need no recursion.
    var (segments, node, way) = (segments, node, way)
    while let token = segments.first?.singularToken {
      guard let (next, found) = follow(token, from: node) else { return meter.exceeded == nil }
      if keeps { way = Way(way, found) }
      node = next
      segments = segments.dropFirst()
    }
    guard let segment = segments.first else { return visitor(node, way) }
    let rest = segments.dropFirst()
    guard segment.isDescendant else { return select(segment, rest, node, way, keeps, visitor) }

    // A node comes before its descendants, and an element before the next one. So the stack receives the children in
    // reverse order.
    var waiting = [(node, way)]
    while let (node, way) = waiting.popLast() {
      if !select(segment, rest, node, way, keeps, visitor) { return false }
      switch node {
      case .array(let values):
        guard meter.charge(1 + values.count) else { return false }
        for index in values.indices.reversed() {
          waiting.append((values[index], keeps ? Way(way, .index(index)) : nil))
        }
      case .object(let members):
        guard meter.charge(1 + members.count) else { return false }
        for position in members.indices.reversed() {
          let member = members[position]
          waiting.append((member.value, keeps ? Way(way, .name(member.name)) : nil))
        }
      case .null, .bool, .number, .string: break
      }
    }
    return true
  }

  private func select(
    _ segment: Query.Segment, _ rest: ArraySlice<Query.Segment>, _ node: JSON, _ way: Way?, _ keeps: Bool,
    _ visitor: Visitor
  ) -> Bool {
    for selector in segment.selectors {
      guard meter.charge() else { return false }
      let goesOn =
        switch node {
        case .array(let values): select(selector, rest, values, way, keeps, visitor)
        case .object(let members): select(selector, rest, members, way, keeps, visitor)
        case .null, .bool, .number, .string: true
        }
      if !goesOn { return false }
    }
    return true
  }

  private func select(
    _ selector: Selector, _ rest: ArraySlice<Query.Segment>, _ values: [JSON], _ way: Way?, _ keeps: Bool,
    _ visitor: Visitor
  ) -> Bool {
    func take(_ index: Int) -> Bool {
      visit(rest, values[index], keeps ? Way(way, .index(index)) : nil, keeps, visitor)
    }
    switch selector {
    case .name: return true
    case .index(let index):
      guard let index = Self.position(index, in: values) else { return true }
      return take(index)
    case .slice(let start, let end, let step):
      return Self.slice(values.count, start, end, step).allSatisfy(take)
    case .wildcard: return values.indices.allSatisfy(take)
    case .filter(let condition):
      return values.indices.allSatisfy { index in
        meter.charge() && (!holds(condition, for: values[index]) || take(index))
      }
    }
  }

  private func select(
    _ selector: Selector, _ rest: ArraySlice<Query.Segment>, _ members: JSONObject, _ way: Way?, _ keeps: Bool,
    _ visitor: Visitor
  ) -> Bool {
    func take(_ name: String, _ value: JSON) -> Bool {
      visit(rest, value, keeps ? Way(way, .name(name)) : nil, keeps, visitor)
    }
    switch selector {
    case .name(let name):
      guard meter.charge(text: name.utf8.count) else { return false }
      return members[name].map { take(name, $0) } ?? true
    case .index, .slice: return true
    case .wildcard: return members.allSatisfy(take)
    case .filter(let condition):
      return members.allSatisfy { member in
        meter.charge() && (!holds(condition, for: member.value) || take(member.name, member.value))
      }
    }
  }

  /// Returns the node at a name or an index, and the token of its path. In the token, an index counts from the start.
  private func follow(_ token: JSONPointer.Token, from node: JSON) -> (JSON, JSONPointer.Token)? {
    switch (token, node) {
    case (.name(let name), .object(let members)):
      guard meter.charge(text: name.utf8.count), let value = members[name] else { return nil }
      return (value, token)
    case (.index(let index), .array(let values)):
      guard meter.charge(), let position = Self.position(index, in: values) else { return nil }
      return (values[position], .index(position))
    case (.name, _), (.index, _): return nil
    }
  }

  // MARK: Indexes

  /// Returns the value at the end of names and indexes, without a search.
  static func follow(_ tokens: [JSONPointer.Token], from node: JSON, _ meter: Meter) -> JSON? {
    var value = node
    for token in tokens {
      switch (token, value) {
      case (.name(let name), .object(let members)):
        guard meter.charge(text: name.utf8.count), let next = members[name] else { return nil }
        value = next
      case (.index(let index), .array(let values)):
        guard meter.charge(), let index = position(index, in: values) else { return nil }
        value = values[index]
      case (.name, _), (.index, _): return nil
      }
    }
    return value
  }

  /// Returns the position of an index in an array. A negative index counts from the end.
  private static func position(_ index: Int, in values: [JSON]) -> Int? {
    let position = index < 0 ? values.count + index : index
    return values.indices.contains(position) ? position : nil
  }

  /// Returns the positions that a slice selects (RFC 9535 §2.3.4.2.2).
  private static func slice(_ count: Int, _ start: Int?, _ end: Int?, _ step: Int) -> StrideTo<Int> {
    func normal(_ index: Int) -> Int { index >= 0 ? index : count + index }
    if step > 0 {
      let lower = min(max(normal(start ?? 0), 0), count)
      let upper = min(max(normal(end ?? count), 0), count)
      return stride(from: lower, to: upper, by: step)
    }
    let upper = min(max(start.map(normal) ?? count - 1, -1), count - 1)
    let lower = min(max(end.map(normal) ?? -1, -1), count - 1)
    // A step of zero selects nothing.
    return step == 0 ? stride(from: 0, to: 0, by: 1) : stride(from: upper, to: lower, by: step)
  }
}
