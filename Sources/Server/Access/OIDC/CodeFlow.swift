import Foundation
import JSON
import Runtime
import Values

// The sign-in of the console: the authorization code flow of OpenID Connect with PKCE (RFC 7636, method S256).
//
// The engine keeps nothing between the two requests. The browser has a cookie that no script can read, and state, nonce
// and verifier follow from it and from a secret of the process. So another page, or another browser, can't end a sign-in
// that this browser has begun; and requests that only begin one use no memory.
extension OIDCProvider {
  /// The cookie of a sign-in that has begun.
  static let cookie = "saga_signin"
  /// How long a person may take at the provider.
  static let longestSignIn = Duration.seconds(600)

  private enum Part: String { case state, nonce, verifier }

  private func derived(_ part: Part, _ cookie: String) -> String {
    Base64URL.encode(Digest.hmacSHA256(Array("\(part.rawValue).\(cookie)".utf8), key: secret))
  }

  /// Whether people can sign in here.
  var signsIn: Bool { settings.clientID != nil }

  private static func redirect(_ origin: String) -> String { "\(origin)/" }

  /// Begins a sign-in.
  /// - Parameter origin: of the console's page, as `https://saga.lab.example`.
  /// - Returns: the provider's page for the browser, and the cookie's value.
  func begin(origin: String) async throws(AccessRefusal) -> (location: String, cookie: String) {
    guard let client = settings.clientID else { throw Self.off }
    let page = try await endpoints().authorization
    let cookie = "\(environment.now().milliseconds)-\(AccessKey.random(words: 4, environment))"
    let challenge = Base64URL.encode(Digest.sha256(Array(derived(.verifier, cookie).utf8)))
    let query = Self.form([
      ("response_type", "code"), ("client_id", client), ("redirect_uri", Self.redirect(origin)),
      ("scope", settings.scopes.joined(separator: " ")), ("state", derived(.state, cookie)),
      ("nonce", derived(.nonce, cookie)), ("code_challenge", challenge), ("code_challenge_method", "S256"),
    ])
    return ("\(page)\(page.contains("?") ? "&" : "?")\(query)", cookie)
  }

  /// Ends a sign-in: exchanges the code for a token, and checks that.
  /// - Parameter cookie: the value that `begin` gave; nil when the browser has none.
  /// - Throws: `AccessRefusal` `access.signInFailed`, `access.roleMissing` for a person who has no role here, or
  ///   `access.providerUnavailable`.
  func finish(code: String, state: String, cookie: String?, origin: String) async throws(AccessRefusal) -> Caller {
    guard let client = settings.clientID else { throw Self.off }
    guard let cookie, let begun = cookie.split(separator: "-").first.flatMap({ Int64($0) }),
      AccessKey.areSame(Array(derived(.state, cookie).utf8), Array(state.utf8)),
      environment.now() < Timestamp(milliseconds: begun) + Self.longestSignIn
    else { throw failed("state") }
    var form = [
      ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", Self.redirect(origin)),
      ("client_id", client), ("code_verifier", derived(.verifier, cookie)),
    ]
    var authorization: String?
    if let secret = settings.clientSecret {
      // The client's name comes in the header instead (RFC 6749 §2.3.1).
      form.removeAll { $0.0 == "client_id" }
      let pair = "\(client.percentEncoded):\(secret.percentEncoded)"
      authorization = "Basic \(Data(pair.utf8).base64EncodedString())"
    }
    let answer = try await post(form, to: try await endpoints().token, authorization: authorization)
    guard answer.status == 200, let token = answer.json["id_token"]?.stringValue else {
      // Another text than a word of the standard may repeat what was sent.
      let word = answer.json["error"]?.stringValue.flatMap { Self.refusals.contains($0) ? $0 : nil }
      throw failed("provider", word ?? "status \(answer.status)")
    }
    let now = environment.wallNow()
    let caller: Caller
    do {
      let claims = try await claims(of: token)
      try claims.check(issuer: settings.issuer, audience: client, now: now, skew: settings.clockSkew)
      try claims.check(nonce: derived(.nonce, cookie), client: client)
      caller = try settings.caller(claims, expiresAt: now + settings.session)
    } catch let refusal as AccessRefusal {
      throw refusal
    } catch {
      throw failed((error as? TokenFault)?.rawValue ?? "\(error)")
    }
    guard !caller.roles.isEmpty else {
      throw AccessRefusal(
        ServerErrorCode.roleMissing,
        "The provider knows \(caller.person), and no rule of this engine gives \(caller.person) a role.")
    }
    return caller
  }

  /// The words with which a provider refuses a code (RFC 6749 §5.2).
  private static let refusals: Set<String> = [
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope",
  ]

  private func failed(_ fault: String, _ detail: String = "") -> AccessRefusal {
    log.info("A sign-in at the OpenID provider failed", ("fault", fault), ("detail", detail))
    return AccessRefusal(
      ServerErrorCode.signInFailed, "The sign-in did not succeed. Begin it again. The engine's log says why.")
  }

  static let off = AccessRefusal(
    ServerErrorCode.providerOff, "The console of this engine does not sign in at an OpenID provider.")
}
