import Runtime
import Values

/// Finds the handler of a request by its method and path.
///
/// A pattern is a path of literal segments and parameters: `/v1/sagas/{id}`. Where several patterns fit, the one with
/// a literal at the first segment in which they differ wins, for every method: the path is that pattern's, and takes
/// its methods only. `HEAD` is answered by the handler of `GET`, its body left out by the server.
public struct Router: Sendable {
  /// Answers a request. An error that it throws becomes a problem.
  public typealias Handler = @Sendable (HTTPServerRequest, PathParameters) async throws -> HTTPServerResponse

  private struct Node: Sendable {
    var literals: [String: Node] = [:]
    /// None or one: a struct can't hold itself, but an array of it can.
    var parameter: [Node] = []
    var handlers: [String: Route] = [:]
  }

  private struct Route: Sendable {
    let pattern: String
    let parameterNames: [String]
    let handler: Handler
  }

  private var root = Node()
  private let failed: @Sendable (any Error, HTTPServerRequest) -> Void
  private let answered: Answered?

  /// Gets the pattern of the route that answered, or nil when the path or its method has none, and the time until the
  /// answer began.
  public typealias Answered = @Sendable (HTTPServerRequest, String?, HTTPServerResponse, Duration) -> Void

  /// Every route in the order it was added.
  public private(set) var routes: [(method: String, pattern: String)] = []

  /// - Parameters:
  ///   - failed: called with each error that isn't a `Problem`, for the log. The client learns only that something went
  ///     wrong.
  ///   - answered: called with each answer, for the metrics.
  public init(
    failed: @escaping @Sendable (any Error, HTTPServerRequest) -> Void = { _, _ in }, answered: Answered? = nil
  ) {
    self.answered = answered
    self.failed = failed
  }

  /// Adds a route. A route of the same method and pattern is replaced.
  public mutating func on(_ method: String, _ pattern: String, _ handler: @escaping Handler) {
    precondition(pattern.hasPrefix("/"), "A pattern begins with a slash: \(pattern)")
    let parts = pattern == "/" ? [] : pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    let names = parts.filter { $0.hasPrefix("{") && $0.hasSuffix("}") }.map { String($0.dropFirst().dropLast()) }
    precondition(Set(names).count == names.count, "A parameter's name comes twice: \(pattern)")
    Self.insert(
      Route(pattern: pattern, parameterNames: names, handler: handler), for: method, at: parts[...], in: &root)
    routes.removeAll { $0.method == method && $0.pattern == pattern }
    routes.append((method, pattern))
  }

  /// Answers a request; never fails.
  public func handle(_ request: HTTPServerRequest) async -> HTTPServerResponse {
    let watch = Stopwatch()
    var pattern: String?
    let response = await answer(request, by: &pattern)
    answered?(request, pattern, response, watch.elapsed)
    return response
  }

  /// - Parameter pattern: is set to that of the route.
  private func answer(_ request: HTTPServerRequest, by pattern: inout String?) async -> HTTPServerResponse {
    // About the server as a whole.
    if request.path == "*" { return HTTPServerResponse(status: 204, headers: ["Allow": allowed(routes.map(\.method))]) }
    do {
      let (route, values) = try find(request)
      pattern = route.pattern
      let pairs = zip(route.parameterNames, values).map { ($0, $1) }
      return try await route.handler(request, PathParameters(pairs))
    } catch var problem as Problem {
      if problem.instance == nil { problem.instance = request.path }
      return .problem(problem)
    } catch {
      failed(error, request)
      return .problem(
        Problem(
          500, HTTPErrorCode.internalError, detail: "Something went wrong inside the server; its log says what.",
          instance: request.path))
    }
  }

  private func find(_ request: HTTPServerRequest) throws(Problem) -> (Route, [String]) {
    guard let (node, values) = Self.node(for: request.segments[...], in: root, values: []) else {
      throw Problem(404, HTTPErrorCode.notFound, detail: "There is nothing at \(request.path).")
    }
    let route = node.handlers[request.method] ?? (request.method == "HEAD" ? node.handlers["GET"] : nil)
    if let route { return (route, values) }
    let allowed = allowed(Array(node.handlers.keys))
    throw Problem(
      405, HTTPErrorCode.methodNotAllowed,
      detail: "\(request.path) takes \(allowed), not \(request.method).", headers: ["Allow": allowed])
  }

  private func allowed(_ methods: [String]) -> String {
    var methods = Set(methods)
    if methods.contains("GET") { methods.insert("HEAD") }
    return methods.sorted().joined(separator: ", ")
  }

  /// The most literal node with handlers that fits the path.
  private static func node(
    for segments: ArraySlice<String>, in node: Node, values: [String]
  ) -> (Node, [String])? {
    guard let segment = segments.first else { return node.handlers.isEmpty ? nil : (node, values) }
    let rest = segments.dropFirst()
    if let next = node.literals[segment], let found = Self.node(for: rest, in: next, values: values) { return found }
    guard !segment.isEmpty, let next = node.parameter.first else { return nil }
    return Self.node(for: rest, in: next, values: values + [segment])
  }

  private static func insert(
    _ route: Route, for method: String, at parts: ArraySlice<Substring>, in node: inout Node
  ) {
    guard let part = parts.first else {
      node.handlers[method] = route
      return
    }
    if part.hasPrefix("{"), part.hasSuffix("}") {
      var next = node.parameter.first ?? Node()
      insert(route, for: method, at: parts.dropFirst(), in: &next)
      node.parameter = [next]
    } else {
      insert(route, for: method, at: parts.dropFirst(), in: &node.literals[String(part), default: Node()])
    }
  }
}

/// The decoded values of a pattern's parameters in a path.
public struct PathParameters: Sendable {
  private let pairs: [(String, String)]

  public init(_ pairs: [(String, String)]) { self.pairs = pairs }

  /// The value of a parameter; nil when the pattern has none of this name.
  public subscript(name: String) -> String? { pairs.first { $0.0 == name }?.1 }

  /// The value of a parameter that the pattern has.
  /// - Throws: a `Problem` with status 404 when the pattern has none of this name.
  public func value(_ name: String) throws(Problem) -> String {
    guard let value = self[name] else {
      throw Problem(404, HTTPErrorCode.notFound, detail: "The path has no \(name).")
    }
    return value
  }
}
