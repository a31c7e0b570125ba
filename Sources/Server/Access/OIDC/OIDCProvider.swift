import HTTP
import JSON
import Runtime
import Synchronization
import Values

/// Recognises callers by the tokens of an OpenID provider, and signs the console in there.
///
/// `run` reads the provider's public keys every five minutes, so a key that the provider has taken out of its set no
/// longer counts. A token with an unknown key makes it read them at once, at most every ten seconds. When the provider
/// can't be reached, the keys that were read last count for twelve hours, and `/readyz` and `problem` report it.
public final class OIDCProvider: Authenticator {
  public typealias Send = @Sendable (HTTPClientRequest) async throws(HTTPClientError) -> HTTPClientResponse

  /// The time between two readings of the keys.
  static let refreshTime = Duration.seconds(300)
  /// The same after a reading that failed.
  static let retryTime = Duration.seconds(30)
  /// The shortest time between two readings, however many unknown keys tokens name.
  static let restTime = Duration.seconds(10)
  /// How long keys count that can't be read again.
  static let longestAway = Duration.seconds(12 * 3_600)
  private static let timeout = Duration.seconds(10)
  private static let mostBytes = 256 << 10

  /// The addresses of a provider for the sign-in of people.
  struct Endpoints: Sendable {
    let authorization: String
    let token: String
  }

  private struct State {
    var keys: TokenKeySet?
    var endpoints: Endpoints?
    /// When the keys were read last.
    var readAt: Timestamp?
    /// When the last reading began.
    var triedAt: Timestamp?
    /// Since when readings have failed.
    var failingSince: Timestamp?
    var problem: AccessRefusal?
    var reading: Task<Void, Never>?
  }

  let settings: OIDCSettings
  let environment: Environment
  let log: Log
  /// Makes the values of a sign-in from its cookie, so that the engine keeps nothing of a sign-in that has only begun.
  let secret: [UInt8]
  private let send: Send
  private let state = Mutex(State())

  /// - Parameters:
  ///   - send: makes one HTTP call to the provider.
  ///   - environment: the time for what is read again, and the wall clock's for what expires.
  public init(_ settings: OIDCSettings, environment: Environment, log: Log = .silent, send: @escaping Send) {
    self.settings = settings
    self.environment = environment
    self.log = log
    self.send = send
    secret = Array(AccessKey.random(words: 4, environment).utf8)
  }

  /// Reads the provider's keys again and again, until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      await read()
      do { try await environment.sleep(for: problem == nil ? Self.refreshTime : Self.retryTime) } catch { return }
    }
  }

  // MARK: Callers

  public var problem: AccessRefusal? { state.withLock { $0.problem } }

  public var provider: OIDCProvider? { self }
  public var hasKeys: Bool { false }

  public func caller(bearer: String, now: Timestamp) async throws -> Caller {
    do {
      let claims = try await claims(of: bearer)
      try claims.check(issuer: settings.issuer, audience: settings.audience, now: now, skew: settings.clockSkew)
      return try settings.caller(claims, expiresAt: (claims.expiresAt ?? now) + settings.clockSkew)
    } catch let fault as TokenFault {
      log.info("A token was refused", ("fault", fault.rawValue))
      throw fault == .expired
        ? AccessRefusal(ServerErrorCode.tokenExpired, "The token has expired. Get another one from the provider.")
        : AccessRefusal(
          ServerErrorCode.tokenInvalid, "The token does not count here. The engine's log says why.")
    }
  }

  public func current(_ caller: Caller, now: Timestamp) -> Caller? {
    guard caller.subject != nil, let expiresAt = caller.expiresAt, now < expiresAt else { return nil }
    return caller
  }

  /// Returns the claims of a token whose signature is right.
  /// - Throws: `TokenFault`, or `AccessRefusal` `access.providerUnavailable` when no keys are known.
  func claims(of text: String) async throws -> TokenClaims {
    let token = try SignedToken(text)
    if let key = try await keys().key(token.keyID, token.algorithm) { return try token.claims(verifiedBy: key) }
    // The provider may have a new key.
    await readUnlessJustTried()
    guard let key = try await keys().key(token.keyID, token.algorithm) else { throw TokenFault.keyUnknown }
    return try token.claims(verifiedBy: key)
  }

  /// Returns the provider's keys as they were read last.
  private func keys() async throws(AccessRefusal) -> TokenKeySet {
    if let keys = knownKeys() { return keys }
    await readUnlessJustTried()
    guard let keys = knownKeys() else { throw unavailable() }
    return keys
  }

  private func knownKeys() -> TokenKeySet? {
    let now = environment.now()
    return state.withLock { state in
      guard let readAt = state.readAt, now - readAt < Self.longestAway else { return nil }
      return state.keys
    }
  }

  func unavailable() -> AccessRefusal {
    AccessRefusal(
      ServerErrorCode.providerUnavailable,
      "The OpenID provider can't be reached, so the engine can't check tokens. Keys of the engine still count.")
  }

  // MARK: The provider's documents

  /// Returns the addresses for the sign-in of people.
  func endpoints() async throws(AccessRefusal) -> Endpoints {
    if let endpoints = state.withLock({ $0.endpoints }) { return endpoints }
    await readUnlessJustTried()
    guard let endpoints = state.withLock({ $0.endpoints }) else { throw unavailable() }
    return endpoints
  }

  private func readUnlessJustTried() async {
    let now = environment.now()
    let task = state.withLock { state -> Task<Void, Never>? in
      // A reading under way may have begun before the new key came, but it is too early for another one.
      if let reading = state.reading { return reading }
      if let triedAt = state.triedAt, now - triedAt < Self.restTime { return nil }
      return begin(&state)
    }
    await task?.value
  }

  /// Reads the provider's addresses and keys. Two readings at a time are one.
  func read() async {
    let task = state.withLock { state in state.reading ?? begin(&state) }
    await task.value
  }

  private func begin(_ state: inout State) -> Task<Void, Never> {
    state.triedAt = environment.now()
    let task = Task(executorPreference: environment.executor) { [self] in
      let result: Result<(Endpoints?, TokenKeySet), Fault>
      do throws(Fault) { result = .success(try await documents()) } catch { result = .failure(error) }
      note(result)
    }
    state.reading = task
    return task
  }

  private func note(_ result: Result<(Endpoints?, TokenKeySet), Fault>) {
    let now = environment.now()
    let wasFailing = state.withLock { state in
      state.reading = nil
      let wasFailing = state.problem != nil
      switch result {
      case .success((let endpoints, let keys)):
        state.endpoints = endpoints
        state.keys = keys
        state.readAt = now
        state.failingSince = nil
        state.problem = nil
      case .failure(let fault):
        let since = state.failingSince ?? now
        state.failingSince = since
        let end = state.readAt.map { "; the keys that were read before count until \($0 + Self.longestAway)" } ?? ""
        state.problem = AccessRefusal(
          ServerErrorCode.providerUnavailable,
          "The OpenID provider \(settings.issuer) can't be read since \(since): \(fault.message)\(end).")
      }
      return wasFailing
    }
    // Once for each failure, however often it is tried again.
    switch result {
    case .success:
      if wasFailing { log.warning("The OpenID provider can be read again", ("issuer", settings.issuer)) }
    case .failure(let fault):
      if !wasFailing {
        log.error(
          "Could not read the OpenID provider; will retry, and keys that are known count meanwhile",
          ("issuer", settings.issuer), ("error", fault.message))
      }
    }
  }

  private struct Fault: Error { let message: String }

  private func documents() async throws(Fault) -> (Endpoints?, TokenKeySet) {
    var base = settings.issuer[...]
    while base.hasSuffix("/") { base.removeLast() }
    let discovery = try await document("\(base)/.well-known/openid-configuration")
    // Another issuer's document would bring another issuer's keys (OpenID Connect Discovery §4.3).
    guard let issuer = discovery["issuer"]?.stringValue, issuer.hasSameScalars(as: settings.issuer) else {
      throw Fault(message: "its document names another issuer")
    }
    func address(_ name: String) throws(Fault) -> String {
      guard let url = discovery[name]?.stringValue, ProviderURL.isAllowed(url, besides: settings.issuer) else {
        throw Fault(message: "its \(name) is missing or not an https URL")
      }
      return url
    }
    let endpoints =
      settings.clientID == nil
      ? nil
      : Endpoints(
        authorization: try address("authorization_endpoint"), token: try address("token_endpoint"))
    guard let keys = TokenKeySet(try await document(try address("jwks_uri"))) else {
      throw Fault(message: "it has no key for RS256, ES256 or EdDSA")
    }
    return (endpoints, keys)
  }

  private func document(_ url: String) async throws(Fault) -> JSON {
    let response: HTTPClientResponse
    do {
      response = try await send(
        HTTPClientRequest(
          url: url, headers: ["Accept": "application/json"], timeout: Self.timeout, maxResponseBytes: Self.mostBytes))
    } catch {
      throw Fault(message: "\(error.code) at \(url)")
    }
    guard response.status == 200 else { throw Fault(message: "status \(response.status) at \(url)") }
    guard let json = try? JSON(parsing: response.body, limits: JSONLimits(maxDepth: 32)), json.objectValue != nil else {
      throw Fault(message: "the answer of \(url) is not a JSON object")
    }
    return json
  }

  /// Posts a form to the provider.
  /// - Returns: the answer's status and its JSON; null when it is something else.
  func post(_ form: [(String, String)], to url: String, authorization: String?) async throws(AccessRefusal) -> (
    status: Int, json: JSON
  ) {
    var headers: HTTPHeaders = [
      "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded",
    ]
    if let authorization { headers["Authorization"] = authorization }
    let response: HTTPClientResponse
    do {
      response = try await send(
        HTTPClientRequest(
          method: "POST", url: url, headers: headers, body: Array(Self.form(form).utf8), timeout: Self.timeout,
          maxResponseBytes: Self.mostBytes))
    } catch {
      log.warning("The OpenID provider did not answer a sign-in", ("error", error.code))
      throw unavailable()
    }
    return (response.status, (try? JSON(parsing: response.body, limits: JSONLimits(maxDepth: 32))) ?? .null)
  }

  static func form(_ members: [(String, String)]) -> String {
    members.map { "\($0.0.percentEncoded)=\($0.1.percentEncoded)" }.joined(separator: "&")
  }
}
