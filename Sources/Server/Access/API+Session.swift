import HTTP
import JSON
import Runtime
import Values
import Wire

// Who the caller is, and the sessions of the console: a browser signs in once, with a key or at the OpenID provider, and
// then sends a cookie that no script can read.
extension API {
  var sessionRoutes: [Route] {
    [
      Route(.whoAmI, whoAmI),
      Route(.showSignIn, showSignIn),
      Route(.signIn, signIn),
      Route(.signOut, signOut),
      Route(.beginSignIn, beginSignIn),
      Route(.finishSignIn, finishSignIn),
    ]
  }

  private func whoAmI(_ call: Call) async throws -> HTTPServerResponse {
    let (caller, way) = try await access.caller(of: call.request, environment)
    return .json(CallerResponse(caller, way).json, headers: ["Cache-Control": "no-store"])
  }

  private func signIn(_ call: Call) async throws -> HTTPServerResponse {
    var body = try BodyReader(call.request)
    let key = body.text("key", isRequired: true, atMost: 4_096)
    try body.finish()
    guard let authenticator = access.authenticator else {
      return .json(CallerResponse(.anyone, .notNeeded).json, headers: ["Cache-Control": "no-store"])
    }
    let caller: Caller
    do {
      caller = try await authenticator.caller(bearer: key ?? "", now: environment.wallNow())
    } catch let refusal as AccessRefusal {
      access.refusals.count(refusal.code)
      log.info("A sign-in was refused", ("code", refusal.code), ("address", call.request.remoteAddress))
      throw refusal
    }
    return begin(caller, call.request, for: Sessions.length)
  }

  /// Begins a session, and answers its cookie.
  private func begin(_ caller: Caller, _ request: HTTPServerRequest, for length: Duration) -> HTTPServerResponse {
    // A browser that signs in again leaves its earlier session.
    if let old = Access.sessionCookie(of: request) { access.sessions.end(old) }
    let cookie = access.sessions.begin(caller, environment)
    return .json(
      CallerResponse(caller, .session).json,
      headers: [
        "Set-Cookie": Self.cookie(cookie, for: request, seconds: length.components.seconds),
        "Cache-Control": "no-store",
      ])
  }

  // MARK: At the OpenID provider

  private func showSignIn(_ call: Call) -> HTTPServerResponse {
    let authenticator = access.authenticator
    let provider = authenticator?.provider.flatMap { $0.signsIn ? $0.settings.issuer : nil }
    return .json(
      SignInOptionsResponse(
        needed: authenticator != nil, key: authenticator?.hasKeys ?? false, provider: provider
      ).json,
      headers: ["Cache-Control": "no-store"])
  }

  private func provider() throws(AccessRefusal) -> OIDCProvider {
    guard let provider = access.authenticator?.provider else { throw OIDCProvider.off }
    return provider
  }

  private func beginSignIn(_ call: Call) async throws -> HTTPServerResponse {
    if !call.request.body.isEmpty {
      let body = try BodyReader(call.request)
      try body.finish()
    }
    let (location, cookie) = try await provider().begin(origin: try Self.page(of: call.request))
    return .json(
      SignInBegunResponse(location: location).json,
      headers: [
        "Set-Cookie": Self.cookie(
          cookie, for: call.request, seconds: OIDCProvider.longestSignIn.components.seconds, named: OIDCProvider.cookie),
        "Cache-Control": "no-store",
      ])
  }

  private func finishSignIn(_ call: Call) async throws -> HTTPServerResponse {
    var body = try BodyReader(call.request)
    let code = body.text("code", isRequired: true, atMost: 4_096)
    let state = body.text("state", isRequired: true, atMost: 4_096)
    try body.finish()
    let provider = try provider()
    let caller: Caller
    do {
      caller = try await provider.finish(
        code: code ?? "", state: state ?? "", cookie: Access.cookie(OIDCProvider.cookie, of: call.request),
        origin: try Self.page(of: call.request))
    } catch let refusal as AccessRefusal {
      access.refusals.count(refusal.code)
      log.info("A sign-in was refused", ("code", refusal.code), ("address", call.request.remoteAddress))
      throw refusal
    }
    var response = begin(caller, call.request, for: provider.settings.session)
    response.headers.add("Set-Cookie", Self.cookie("", for: call.request, seconds: 0, named: OIDCProvider.cookie))
    return response
  }

  /// Returns the origin of the console's page. The gate has compared it with the engine's address.
  private static func page(of request: HTTPServerRequest) throws(Problem) -> String {
    guard let origin = request.headers["Origin"] else {
      throw Refusals.problem(
        HTTPErrorCode.crossSite, "Only the console signs in at the provider: the header Origin is missing.")
    }
    return origin
  }

  private func signOut(_ call: Call) throws(Problem) -> HTTPServerResponse {
    if !call.request.body.isEmpty {
      let body = try BodyReader(call.request)
      try body.finish()
    }
    if let cookie = Access.sessionCookie(of: call.request) { access.sessions.end(cookie) }
    return .json(
      ["signedOut": true],
      headers: ["Set-Cookie": Self.cookie("", for: call.request, seconds: 0), "Cache-Control": "no-store"])
  }

  /// Returns the header that sets the console's cookie. `Strict`: the browser sends it for the engine's own pages only.
  private static func cookie(
    _ value: String, for request: HTTPServerRequest, seconds: Int64, named name: String = Access.cookie
  ) -> String {
    // The browser names the page's scheme. The server itself doesn't know it behind a proxy that speaks TLS.
    let isSecure = request.isEncrypted || (request.headers["Origin"]?.hasPrefix("https://") ?? false)
    return
      "\(name)=\(value); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Strict\(isSecure ? "; Secure" : "")"
  }
}

extension CallerResponse {
  fileprivate init(_ caller: Caller, _ way: Access.SignIn) {
    self.init(
      signIn: way.rawValue, person: caller.person, key: caller.keyID, subject: caller.subject,
      roles: caller.roles.map(\.description), labRoles: caller.labRoles ?? [],
      speaksForOthers: caller.maySpeakForOthers, expiresAt: caller.expiresAt)
  }
}
