import HTTP
import Persistence
import SagaCore
import Values
import WorkflowEngine

/// The facts of one route: its method and path, its statuses, and its error codes.
public struct RouteFacts: Sendable {
  /// What a route reads from the body of a request.
  enum Body: Sendable {
    /// The route reads no body.
    case none
    /// The body is an object with known members.
    case object
    /// The body is an object with known members, or empty.
    case optionalObject
    /// The body is any JSON value.
    case json
    /// The body is any JSON value, or empty.
    case optionalJSON
    /// The body is a workflow. Its mistakes are findings, not errors.
    case checked

    fileprivate var codes: [String] {
      switch self {
      case .none: []
      case .object:
        [
          HTTPErrorCode.emptyBody, ServerErrorCode.bodyMalformed, ServerErrorCode.memberInvalid,
          ServerErrorCode.memberMissing, ServerErrorCode.memberUnknown,
        ]
      case .optionalObject:
        [ServerErrorCode.bodyMalformed, ServerErrorCode.memberInvalid, ServerErrorCode.memberUnknown]
      case .json: [HTTPErrorCode.emptyBody, ServerErrorCode.bodyMalformed]
      case .optionalJSON: [ServerErrorCode.bodyMalformed]
      case .checked: [HTTPErrorCode.emptyBody]
      }
    }
  }

  /// What the route asks of its caller.
  public let asks: Permission
  public let method: String
  /// The path with its parameters in braces: `/v1/sagas/{id}`.
  public let path: String
  /// One line that says what the route does. Empty for a page, which the description of the API does not list.
  public let summary: String
  /// The names of the query parameters that the route takes.
  public let query: [String]
  /// Whether the route ignores parameters that it does not know.
  let takesAnyQuery: Bool
  /// The names of the request headers that the route reads.
  public let headers: [String]
  /// The statuses of a request that succeeds, in ascending order.
  public let answers: [Int]
  /// The error codes that only this route or few other routes answer. `codes` has all.
  private let own: [String]
  private let body: Body
  /// Whether the route needs an engine that has recovered every open saga.
  public let needsEngine: Bool

  private init(
    _ asks: Permission, _ method: String, _ path: String, _ summary: String, query: [String], headers: [String],
    body: Body,
    answers: [Int], needsEngine: Bool, own: [String], takesAnyQuery: Bool = false
  ) {
    self.asks = asks
    self.method = method
    self.path = path
    self.summary = summary
    self.query = query
    self.takesAnyQuery = takesAnyQuery
    self.headers = headers
    self.body = body
    self.answers = answers
    self.needsEngine = needsEngine
    self.own = own
  }

  /// The headers that name the person and the program behind a request.
  static let who = ["Saga-User", "Saga-Client"]
  /// The same, and the key that makes a repeated request harmless.
  static let whoAndKey = who + ["Idempotency-Key"]

  static func get(
    _ asks: Permission, _ path: String, _ summary: String, query: [String] = [], headers: [String] = [],
    needsEngine: Bool = true,
    refuses: [String] = []
  ) -> RouteFacts {
    RouteFacts(
      asks, "GET", path, summary, query: query, headers: headers, body: .none, answers: [200], needsEngine: needsEngine,
      own: refuses)
  }

  static func post(
    _ asks: Permission, _ path: String, _ summary: String, query: [String] = [], headers: [String] = [], body: Body,
    needsEngine: Bool = true, answers: [Int] = [200], refuses: [String] = []
  ) -> RouteFacts {
    RouteFacts(
      asks, "POST", path, summary, query: query, headers: headers, body: body, answers: answers,
      needsEngine: needsEngine,
      own: refuses)
  }

  /// A verb on one saga. With `--requires-approval` the verb waits for a second person: 202.
  static func verb(_ verb: OperatorVerb.Name, _ summary: String, refuses: [String]) -> RouteFacts {
    post(
      .operate, "/v1/sagas/{id}/\(verb.rawValue)", summary, headers: whoAndKey, body: .object, answers: [200, 202],
      refuses: [
        EngineErrorCode.commandReused, EngineErrorCode.operationNameless, EngineErrorCode.sagaChanged,
        EngineErrorCode.sagaEnded, EngineErrorCode.sagaReasonMissing,
      ] + refuses)
  }

  /// A page for people and editors. The description of the API does not list it.
  ///
  /// - Parameter takesAnyQuery: true where an OpenID provider sends people back, with parameters of its own choice.
  static func page(_ path: String, takesAnyQuery: Bool = false) -> RouteFacts {
    RouteFacts(
      .open, "GET", path, "", query: [], headers: [], body: .none, answers: [200], needsEngine: false, own: [],
      takesAnyQuery: takesAnyQuery)
  }

  /// Whether `docs/schema/openapi.json` describes the route.
  public var isDescribed: Bool { !summary.isEmpty }
  private var isVersioned: Bool { path.hasPrefix("/v1/") }
  /// Whether the path names a saga.
  var isAboutSaga: Bool { path == "/v1/sagas/{id}" || path.hasPrefix("/v1/sagas/{id}/") }
  /// Whether the path names a saga by the key that has started it.
  private var isAboutSagaOfKey: Bool { path.hasPrefix("/v1/workflows/{name}/keys/{key}") }
  private var isAboutOperation: Bool { path == "/v1/operations/{id}" || path.hasPrefix("/v1/operations/{id}/") }
  /// Whether the route does something to a saga. Its answers have the header `Saga-Seen`.
  var changesSaga: Bool { method == "POST" && isAboutSaga }

  /// The names of the path parameters, in order.
  public var pathParameters: [String] {
    path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
  }

  /// The path with values in place of its parameters, as segments that are not percent-encoded.
  /// - Parameter values: one value for each parameter, in order.
  public func segments(_ values: [String]) -> [String] {
    precondition(values.count == pathParameters.count, "\(path) takes \(pathParameters.count) values")
    var rest = values[...]
    return path.split(separator: "/").map { $0.hasPrefix("{") ? rest.removeFirst() : String($0) }
  }

  /// Every error code that the route can answer, besides those that any request can get (`Refusals.anyRequest`).
  public var codes: Set<String> {
    var codes: Set = [
      HTTPErrorCode.badRequest, HTTPErrorCode.internalError, HTTPErrorCode.shuttingDown,
      ServerErrorCode.parameterUnknown,
    ]
    codes.formUnion(own)
    codes.formUnion(body.codes)
    if !query.isEmpty { codes.insert(ServerErrorCode.parameterInvalid) }
    if query.contains("cursor") { codes.insert(ServerErrorCode.cursorMalformed) }
    if !headers.isEmpty { codes.insert(ServerErrorCode.headerInvalid) }
    if asks != .open { codes.formUnion(ServerErrorCode.ofAccess) }
    // Every caller that was recognised has this permission.
    if asks == .signedIn { codes.remove(ServerErrorCode.roleMissing) }
    if headers.contains("Saga-User") { codes.insert(ServerErrorCode.otherPerson) }
    if isVersioned, needsEngine {
      codes.formUnion([
        EngineErrorCode.engineDraining, EngineErrorCode.engineNotReady, StoreErrorCode.closed, StoreErrorCode.corrupt,
        StoreErrorCode.notOwner, StoreErrorCode.unavailable,
      ])
    }
    if method == "POST" {
      codes.formUnion([
        HTTPErrorCode.bodyTooLarge, HTTPErrorCode.unsupportedMediaType,
      ])
      if needsEngine { codes.insert(StoreErrorCode.outcomeUnknown) }
    }
    if isAboutSagaOfKey { codes.formUnion([EngineErrorCode.sagaNotFound, EngineErrorCode.sagaHeld]) }
    if isAboutSaga {
      codes.formUnion([ServerErrorCode.sagaIDMalformed, EngineErrorCode.sagaNotFound, EngineErrorCode.sagaHeld])
    }
    if isAboutSaga || isAboutSagaOfKey, method == "POST" { codes.insert(EngineErrorCode.sagaSealKeyMissing) }
    if isAboutOperation {
      codes.formUnion([ServerErrorCode.operationIDMalformed, EngineErrorCode.operationNotFound])
    }
    return codes
  }

  /// The codes by the status that they are answered with.
  public var refusals: [Int: [String]] {
    Dictionary(grouping: codes.sorted()) { Refusals.status(of: $0) ?? 500 }
  }
}
