import Foundation
import HTTP
import JSON
import Runtime
import Synchronization
import TestSupport
import Values

@testable import Server

/// As much of an OpenID provider as the tests of the server need: its documents, tokens signed with Ed25519, and a token
/// endpoint that checks the verifier. It is our own, so it agrees with us; the test in a browser has a real provider.
final class StandInProvider: Sendable {
  private struct State {
    var issuer = "https://login.lab.example"
    var keys: [(id: String, key: SigningKey)] = []
    var isAway = false
    var requests: [String] = []
    var discovery: JSONObject = [:]
    /// What the next token of a sign-in says besides.
    var claims: JSONObject = [:]
    var codes: [String: [String: String]] = [:]
    var authorization: String?
  }
  private let state = Mutex(State())
  private let clock: FakeClock

  init(_ clock: FakeClock) {
    self.clock = clock
    rotate("first")
  }

  var issuer: String { state.withLock { $0.issuer } }
  /// The paths that were asked for.
  var requests: [String] { state.withLock { $0.requests } }
  /// The header `Authorization` of the last exchange of a code.
  var authorization: String? { state.withLock { $0.authorization } }

  func isAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }
  func listens(on port: Int) { state.withLock { $0.issuer = "http://127.0.0.1:\(port)" } }
  /// Changes members of the discovery document.
  func says(_ members: JSONObject) { state.withLock { $0.discovery = members } }
  func nextTokenSays(_ claims: JSONObject) { state.withLock { $0.claims = claims } }

  /// Adds a key, with which tokens are signed from now on.
  func rotate(_ id: String) {
    guard let key = SigningKey.generate() else { return }
    state.withLock { $0.keys.append((id, key)) }
  }

  func remove(_ id: String) { state.withLock { state in state.keys.removeAll { $0.id == id } } }

  // MARK: Tokens

  /// Returns a token of anna, who is an operator, with other claims in place of hers. Null leaves a claim out.
  func token(_ changes: JSONObject = [:], keyID: String? = nil) -> String {
    let now = clock.now().milliseconds / 1_000
    var claims: JSONObject = [
      "iss": .string(issuer), "aud": "saga", "sub": "248289761001", "preferred_username": "anna",
      "groups": ["lab-ops"], "iat": .number(JSONNumber(now)), "exp": .number(JSONNumber(now + 300)),
    ]
    for (name, value) in changes { claims[name] = value.isNull ? nil : value }
    guard let (id, key) = state.withLock({ $0.keys.last }) else { return "" }
    let header: JSON = ["alg": "EdDSA", "kid": .string(keyID ?? id)]
    let signed = "\(Base64URL.encode(header.bytes())).\(Base64URL.encode(JSON.object(claims).bytes()))"
    return "\(signed).\(Base64URL.encode(key.sign(Array(signed.utf8)) ?? []))"
  }

  private static func jwk(_ id: String, _ key: SigningKey) -> JSON {
    let text = String(decoding: key.publicKey.pem ?? [], as: UTF8.self)
    let base64 = text.split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
    // The last 32 bytes of the form in PEM are the key.
    let bytes = [UInt8](Data(base64Encoded: base64) ?? Data()).suffix(32)
    return ["kty": "OKP", "crv": "Ed25519", "kid": .string(id), "x": .string(Base64URL.encode(Array(bytes)))]
  }

  // MARK: Requests

  var send: OIDCProvider.Send {
    { [self] (request) throws(HTTPClientError) in
      guard !state.withLock({ $0.isAway }), request.url.hasPrefix(issuer) else {
        throw HTTPClientError(code: HTTPErrorCode.connectionRefused, message: "away", sent: false)
      }
      state.withLock { $0.authorization = request.headers["Authorization"] ?? $0.authorization }
      let (status, json) = answer(String(request.url.dropFirst(issuer.count)), request.body)
      return HTTPClientResponse(status: status, body: json.bytes())
    }
  }

  func answer(_ path: String, _ body: [UInt8]) -> (status: Int, json: JSON) {
    let issuer = issuer
    let (keys, members) = state.withLock { state in
      state.requests.append(path)
      return (state.keys, state.discovery)
    }
    switch path {
    case "/.well-known/openid-configuration":
      var document: JSONObject = [
        "issuer": .string(issuer), "jwks_uri": .string("\(issuer)/jwks"),
        "authorization_endpoint": .string("\(issuer)/authorize"), "token_endpoint": .string("\(issuer)/token"),
      ]
      for (name, value) in members { document[name] = value.isNull ? nil : value }
      return (200, .object(document))
    case "/jwks": return (200, ["keys": .array(keys.map { Self.jwk($0.id, $0.key) })])
    case "/token": return exchange(Self.form(String(decoding: body, as: UTF8.self)))
    default: return (404, [:])
    }
  }

  /// What a person does at the provider's page: agrees, and is sent back.
  /// - Returns: the parameters that the provider adds to the console's address.
  func agree(to location: String) -> (code: String, state: String) {
    let asked = Self.form(String(location.split(separator: "?", maxSplits: 1)[1]))
    let code = state.withLock { state in
      let code = "code-\(state.codes.count)"
      state.codes[code] = asked
      return code
    }
    return (code, asked["state"] ?? "")
  }

  private func exchange(_ form: [String: String]) -> (status: Int, json: JSON) {
    // A code counts once.
    let asked = form["code"].flatMap { code in state.withLock { $0.codes.removeValue(forKey: code) } }
    guard let asked, form["grant_type"] == "authorization_code", form["redirect_uri"] == asked["redirect_uri"],
      asked["code_challenge_method"] == "S256",
      asked["code_challenge"] == Base64URL.encode(Digest.sha256(Array((form["code_verifier"] ?? "").utf8)))
    else { return (400, ["error": "invalid_grant"]) }
    var claims = state.withLock { $0.claims }
    if claims["nonce"] == nil { claims["nonce"] = asked["nonce"].map { .string($0) } }
    if claims["aud"] == nil { claims["aud"] = asked["client_id"].map { .string($0) } }
    return (200, ["access_token": "opaque", "token_type": "Bearer", "id_token": .string(token(claims))])
  }

  static func form(_ text: String) -> [String: String] {
    let pairs = text.split(separator: "&").map { $0.split(separator: "=", omittingEmptySubsequences: false) }
    return Dictionary(
      pairs.map { (String($0[0]), $0.count > 1 ? String($0[1]).removingPercentEncoding ?? "" : "") },
      uniquingKeysWith: { first, _ in first })
  }

  // MARK: An engine's side

  static let rules = """
    "roles": [{"claim": "groups", "value": "lab-ops", "role": "operator"},
      {"claim": "realm_access.roles", "value": "lims", "role": "starter:store-sample"}]
    """

  /// The engine's view of this provider.
  /// - Parameter more: further members of the settings, with a comma behind each.
  func known(
    _ environment: Environment, _ more: String = #""clientId": "console","#, log: Log = .silent,
    send: OIDCProvider.Send? = nil
  ) throws -> OIDCProvider {
    let text = #"{"issuer": "\#(issuer)", "audience": "saga", \#(more) \#(Self.rules)}"#
    let settings = try OIDCSettings(
      parsing: Array(text.utf8), of: "oidc.json", variables: ["CONSOLE_SECRET": "s3cret/&"])
    return OIDCProvider(settings, environment: environment, log: log, send: send ?? self.send)
  }
}
