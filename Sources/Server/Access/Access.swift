import HTTP
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine
import Workflows

/// Who may do what: recognises the caller of each request, and compares their roles with what the route asks.
struct Access: Sendable {
  /// Nil when the engine has no keys. Then every caller may do everything.
  let authenticator: (any Authenticator)?
  let sessions = Sessions()
  let refusals = RefusalCounts()

  static let cookie = "saga_session"

  init(_ authenticator: (any Authenticator)? = nil) { self.authenticator = authenticator }

  /// How a caller was recognised.
  enum SignIn: String, Sendable { case notNeeded, key, token, session }

  /// Recognises the caller of a request: by the header `Authorization`, or else by the console's cookie.
  /// - Throws: a problem with status 401, or `http.crossSite` for a cookie in a request that no page sends.
  func caller(
    of request: HTTPServerRequest, _ environment: Environment
  ) async throws -> (caller: Caller, by: SignIn) {
    guard let authenticator else { return (.anyone, .notNeeded) }
    let cookie: String
    switch try Self.credential(of: request) {
    case .bearer(let bearer):
      let caller = try await authenticator.caller(bearer: bearer, now: environment.wallNow())
      return (caller, caller.subject == nil ? .key : .token)
    case .session(let text): cookie = text
    case nil:
      throw AccessRefusal(
        ServerErrorCode.keyMissing,
        authenticator.hasKeys
          ? "This engine asks for a key: send the header “Authorization: Bearer KEY”."
          : "This engine asks for a token of its OpenID provider: send the header “Authorization: Bearer TOKEN”.")
    }
    guard let first = sessions.caller(cookie, now: environment.now()),
      let caller = authenticator.current(first, now: environment.wallNow())
    else {
      throw AccessRefusal(ServerErrorCode.sessionEnded, "The session has ended. Sign in again.")
    }
    // A browser sends a cookie by itself, so a change needs the browser's word that the engine's own page asks for it.
    // The gate has compared both headers with the engine's address.
    if request.method != "GET", request.method != "HEAD", !request.headers.contains("Origin"),
      !request.headers.contains("Sec-Fetch-Site")
    {
      throw Refusals.problem(
        HTTPErrorCode.crossSite, "A request with a session must come from the console: it has no Origin.")
    }
    return (caller, .session)
  }

  /// Whether the caller of an answer that goes on, such as a live stream, is still recognised and may still do this.
  /// - Parameter request: the request that is answered. Its session may have ended.
  func stillMay(
    _ permission: Permission, _ caller: Caller, in request: HTTPServerRequest, _ environment: Environment
  ) -> Bool {
    guard let authenticator else { return true }
    if case .session(let cookie)? = try? Self.credential(of: request),
      sessions.caller(cookie, now: environment.now()) == nil
    {
      return false
    }
    return authenticator.current(caller, now: environment.wallNow())?.reach(of: permission) == .all
  }

  private enum Credential {
    case bearer(String)
    case session(String)
  }

  /// Returns what a request says of its caller; nil when it says nothing.
  private static func credential(of request: HTTPServerRequest) throws(AccessRefusal) -> Credential? {
    let given = request.headers.all("Authorization")
    let cookie = sessionCookie(of: request)
    // A proxy in front may ask browsers for a password of its own, and pass that on.
    let isOfAProxy = cookie != nil && given.allSatisfy { $0.lowercased().hasPrefix("basic ") }
    if given.isEmpty || isOfAProxy { return cookie.map { .session($0) } }
    guard given.count == 1, let bearer = bearer(given[0]) else {
      throw AccessRefusal(
        ServerErrorCode.keyUnknown, "The header Authorization must come once, as “Bearer” and a key or token.")
    }
    return .bearer(bearer)
  }

  /// Reads `Bearer TEXT`. The scheme is compared without case (RFC 9110 §11.1).
  private static func bearer(_ value: String) -> String? {
    let parts = value.split(separator: " ", omittingEmptySubsequences: true)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return String(parts[1])
  }

  static func sessionCookie(of request: HTTPServerRequest) -> String? { cookie(cookie, of: request) }

  static func cookie(_ name: String, of request: HTTPServerRequest) -> String? {
    for header in request.headers.all("Cookie") {
      for pair in header.split(separator: ";") {
        let pair = pair.drop { $0 == " " }
        if pair.hasPrefix("\(name)=") { return String(pair.dropFirst(name.count + 1)) }
      }
    }
    return nil
  }
}

/// The number of requests that were refused, by code, since the process began.
final class RefusalCounts: Sendable {
  private let counts = Mutex<[String: Int64]>([:])

  func count(_ code: String) { counts.withLock { $0[code, default: 0] += 1 } }

  /// Every code with its count, also those that never occurred.
  var all: [(code: String, count: Int64)] {
    let counts = counts.withLock { $0 }
    return (ServerErrorCode.ofAccess + [EngineErrorCode.signalRoleMissing]).map { ($0, counts[$0] ?? 0) }
  }
}

extension API {
  /// Recognises the caller of a request, and compares their roles with what the route asks.
  /// - Throws: a problem with status 401 or 403.
  func admit(_ route: Route, _ request: HTTPServerRequest, _ path: PathParameters) async throws -> Caller {
    let permission = route.facts.asks
    if permission == .open { return (try? await access.caller(of: request, environment).caller) ?? .unknown }
    do {
      let caller = try await access.caller(of: request, environment).caller
      try await require(permission, caller, path, needsEngine: route.facts.needsEngine)
      return caller
    } catch {
      if let code = (error as? any CodedError)?.code ?? (error as? Problem)?.code,
        ServerErrorCode.ofAccess.contains(code)
      {
        access.refusals.count(code)
        log.info(
          "A caller was refused", ("code", code), ("method", request.method), ("path", request.loggedPath),
          ("address", request.remoteAddress))
      }
      throw error
    }
  }

  private func require(
    _ permission: Permission, _ caller: Caller, _ path: PathParameters, needsEngine: Bool
  ) async throws {
    // A person whom a provider knows may have no role here. They may still ask who they are.
    if permission == .signedIn { return }
    switch caller.reach(of: permission) {
    case .all: return
    case .none: throw Self.lacks(permission, caller)
    // An answer to a task needs the lease, which only a poll of the queue gives.
    case .only where permission == .work && path["queue"] == nil: return
    case .only(let names):
      if needsEngine { try requireReady() }
      let name = try await subject(of: permission, path)
      guard names.contains(name) else { throw Self.lacks(permission, caller, of: name) }
    }
  }

  /// Returns the name of the queue or of the workflow that a request is about.
  private func subject(of permission: Permission, _ path: PathParameters) async throws -> String {
    if permission == .work { return try path.value("queue") }
    // The name behind a saga's id is that of a signal.
    if path["id"] == nil { return try path.value("name") }
    return try await engine.saga(path.sagaID()).state.start.workflow
  }

  private static func lacks(_ permission: Permission, _ caller: Caller, of name: String? = nil) -> AccessRefusal {
    let roles = Role.allCases.filter(permission.roles.contains).map(\.rawValue)
    let subject = name.map { " of \(quoted($0))" } ?? ""
    let key = caller.keyID.map { "The key \($0) of \(caller.person)" } ?? caller.person
    return AccessRefusal(
      ServerErrorCode.roleMissing,
      "\(key) may not \(permission.words)\(subject). The roles that may: \(roles.joined(separator: ", ")).")
  }
}

extension Caller {
  /// A caller of a route that asks nothing, who was not recognised.
  static let unknown = Caller(
    person: anyone.person, roles: [], labRoles: [], maySpeakForOthers: false, keyID: nil, expiresAt: nil)
}

extension HTTPServerRequest {
  /// The path for the log. A person may have put a key or a token into it by mistake.
  var loggedPath: String {
    path.split(separator: "/", omittingEmptySubsequences: false)
      .map { AccessKey.isText(String($0)) || $0.hasPrefix("eyJ") ? Secrets.mask : String($0) }
      .joined(separator: "/")
  }
}

extension Call {
  /// Returns the person for the history: the caller, or the person that the caller speaks for.
  /// - Throws: 403 `access.otherPerson` when `Saga-User` names another person than the caller, who may not do that.
  func user() throws -> String {
    guard let named = try request.namedUser() else { return caller.person }
    if caller.maySpeakForOthers { return named }
    // Another spelling of the caller's own name is not another person. The history keeps the key's spelling.
    if PersonName(named).looksLike(PersonName(caller.person)) { return caller.person }
    throw AccessRefusal(
      ServerErrorCode.otherPerson,
      "The \(caller.subject == nil ? "key" : "token") belongs to \(caller.person) and may not act for \(quoted(named)). Leave Saga-User out."
    )
  }

  /// Returns the way that a request came, for the audit: the program that sent it, its address, and the caller's key or
  /// name at the OpenID provider.
  func origin() throws(Problem) -> String {
    let origin = try request.origin()
    if let subject = caller.subject { return "\(origin) oidc \(subject)" }
    guard let key = caller.keyID else { return origin }
    return "\(origin) key \(key)" + (caller.maySpeakForOthers ? " (\(caller.person))" : "")
  }
}
