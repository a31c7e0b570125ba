import HTTP
import JSON
import Runtime
import Values
import Wire

// Who the caller is, and the sessions of the console: a browser signs in with a key once, and then sends a cookie that
// no script can read.
extension API {
  var sessionRoutes: [Route] {
    [
      Route(.whoAmI, whoAmI),
      Route(.signIn, signIn),
      Route(.signOut, signOut),
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
    // A browser that signs in again leaves its earlier session.
    if let old = Access.sessionCookie(of: call.request) { access.sessions.end(old) }
    let cookie = access.sessions.begin(caller, environment)
    return .json(
      CallerResponse(caller, .session).json,
      headers: [
        "Set-Cookie": Self.cookie(cookie, for: call.request, seconds: Sessions.length.components.seconds),
        "Cache-Control": "no-store",
      ])
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
  private static func cookie(_ value: String, for request: HTTPServerRequest, seconds: Int64) -> String {
    // The browser names the page's scheme. The server itself doesn't know it behind a proxy that speaks TLS.
    let isSecure = request.headers["Origin"]?.hasPrefix("https://") ?? false
    return
      "\(Access.cookie)=\(value); Path=/; Max-Age=\(seconds); HttpOnly; SameSite=Strict\(isSecure ? "; Secure" : "")"
  }
}

extension CallerResponse {
  fileprivate init(_ caller: Caller, _ way: Access.SignIn) {
    self.init(
      signIn: way.rawValue, person: caller.person, key: caller.keyID, roles: caller.roles.map(\.description),
      speaksForOthers: caller.maySpeakForOthers, expiresAt: caller.expiresAt)
  }
}
