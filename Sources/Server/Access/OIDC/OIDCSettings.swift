import Foundation
import JSON
import Runtime
import Values

/// The OpenID provider whose tokens an engine takes: the file of `saga serve --oidc`.
public struct OIDCSettings: Sendable, Hashable {
  /// Gives a role to the persons whose claim has a value.
  struct Rule: Sendable, Hashable {
    enum Gift: Sendable, Hashable {
      /// A role at the engine.
      case role(GrantedRole)
      /// A role in the laboratory.
      case labRole(String)
    }
    let claim: String
    let value: String
    let gives: Gift
  }

  /// The provider's address, exactly as its tokens name it.
  public let issuer: String
  /// The name of the engine's API at the provider, which tokens must have as `aud`.
  let audience: String
  /// The console's name at the provider; nil when the console does not sign in there.
  public let clientID: String?
  /// The console's secret at the provider; nil for a public client.
  let clientSecret: String?
  /// What the console asks for.
  let scopes: [String]
  /// The claim that names the person for the history; nil for the first that a token has of `usualPersons`.
  public let personClaim: String?
  let rules: [Rule]
  /// By how much the clocks of the provider and the engine may differ.
  let clockSkew: Duration
  /// How long the console's session lasts.
  let session: Duration

  static let usualPersons = ["preferred_username", "email", "sub"]
  static let mostSkew = Duration.seconds(60)
  static let mostRules = 1_000
  private static let mostBytes = 1 << 20

  /// Reads the file.
  /// - Parameter variables: the environment, for a secret of the form `env:NAME`.
  /// - Throws: `AccessRefusal` `access.oidcUnreadable` with the first mistake.
  public init(path: String, variables: [String: String]) throws(AccessRefusal) {
    let bytes: [UInt8]
    do {
      bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw Self.wrong(path, error.localizedDescription)
    }
    guard bytes.count <= Self.mostBytes else { throw Self.wrong(path, "it is larger than \(Self.mostBytes) bytes") }
    try self.init(parsing: bytes, of: path, variables: variables)
  }

  init(parsing bytes: [UInt8], of path: String, variables: [String: String] = [:]) throws(AccessRefusal) {
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch {
      throw Self.wrong(path, error.withoutContent)
    }
    guard let object = json.objectValue else { throw Self.wrong(path, "it is not an object") }
    let known = [
      "issuer", "audience", "clientId", "clientSecret", "scopes", "person", "roles", "clockSkew", "session",
    ]
    if let name = object.keys.first(where: { !known.contains($0) }) {
      let near = NearNames.nearest(to: name, among: known, completes: true).map { "; did you mean \($0)?" } ?? ""
      throw Self.wrong(path, "the setting \(quoted(name)) is unknown\(near)")
    }
    do throws(Mistake) {
      let reader = MemberReader<Mistake>(json, of: "settings")
      issuer = try reader.required("issuer", "the provider's https URL; http is allowed for a loopback address only") {
        $0.stringValue.flatMap { ProviderURL.isAllowed($0, besides: nil) && !$0.contains("?") ? $0 : nil }
      }
      audience = try reader.required("audience", "a text", Self.word)
      clientID = try reader.optional("clientId", "a text", Self.word)
      clientSecret = try reader.optional("clientSecret", "“env:NAME” or “file:PATH” with a secret there") {
        $0.stringValue.flatMap { Self.secret($0, variables) }
      }
      scopes =
        try reader.optional("scopes", "a list of words with “openid”") { json in
          json.elements { json in Self.word(json).flatMap { $0.contains(" ") ? nil : $0 } }
            .flatMap { $0.contains("openid") && $0.count <= 50 ? $0 : nil }
        } ?? ["openid", "profile", "email"]
      personClaim = try reader.optional("person", "the name of a claim", Self.word)
      rules = try reader.required(
        "roles", "a list of {claim, value, role} or {claim, value, labRole} with 1 to \(Self.mostRules) rules"
      ) { json in
        json.elements(Self.rule).flatMap { (1...Self.mostRules).contains($0.count) ? $0 : nil }
      }
      clockSkew =
        try reader.optional("clockSkew", "a duration of at most 60s") { json in
          json.stringValue.flatMap { DurationText.parse($0) }.flatMap { $0 <= Self.mostSkew ? $0 : nil }
        } ?? Self.mostSkew
      session =
        try reader.optional("session", "a duration from 5m to 12h") { json in
          json.stringValue.flatMap { DurationText.parse($0) }
            .flatMap { (.seconds(300)...Sessions.length).contains($0) ? $0 : nil }
        } ?? .seconds(8 * 3_600)
    } catch {
      throw Self.wrong(path, error.message)
    }
    guard clientID != nil || clientSecret == nil else {
      throw Self.wrong(path, "clientSecret belongs to clientId, which is missing")
    }
  }

  private struct Mistake: MemberError {
    let message: String
    init(_ member: String, of owner: String, wanted: String) { message = "\(member) is not \(wanted)" }
  }

  private static func wrong(_ path: String, _ why: String) -> AccessRefusal {
    AccessRefusal(ServerErrorCode.oidcUnreadable, "The settings of OpenID in \(path) can't be read: \(why).")
  }

  private static func word(_ json: JSON) -> String? {
    json.stringValue.flatMap { text in
      (1...500).contains(text.utf8.count) && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        ? text : nil
    }
  }

  private static func rule(_ json: JSON) -> Rule? {
    guard let object = json.objectValue, object.count == 3, let claim = json["claim"].flatMap(word),
      let value = json["value"].flatMap(word)
    else { return nil }
    if let role = json["role"]?.stringValue.flatMap({ GrantedRole($0) }) {
      return Rule(claim: claim, value: value, gives: .role(role))
    }
    guard let role = json["labRole"]?.stringValue, LabRole.fault(in: role) == nil else { return nil }
    return Rule(claim: claim, value: value, gives: .labRole(role))
  }

  /// Returns the secret that `env:NAME` or `file:PATH` names; nil without one.
  private static func secret(_ place: String, _ variables: [String: String]) -> String? {
    var text: String?
    if place.hasPrefix("env:") { text = variables[String(place.dropFirst(4))] }
    if place.hasPrefix("file:") {
      text = try? String(contentsOf: URL(fileURLWithPath: String(place.dropFirst(5))), encoding: .utf8)
    }
    let secret = text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    return (1...1_000).contains(secret.utf8.count) ? secret : nil
  }

  /// Returns the caller whom claims name.
  /// - Parameter expiresAt: until when the caller is recognised.
  func caller(_ claims: TokenClaims, expiresAt: Timestamp) throws(TokenFault) -> Caller {
    guard let subject = claims.subject, VisibleText.fault(in: subject) == nil else { throw .claims }
    let names = personClaim.map { [$0] } ?? Self.usualPersons
    // A person can give any address that the provider has not verified.
    let name = names.filter { $0 != "email" || !claims.hasUnverifiedEmail }.lazy.compactMap { claims.text($0) }.first
    guard let name, AccessKey.fault(inName: name) == nil else { throw .claims }
    var roles: [GrantedRole] = []
    var labRoles: [String] = []
    for rule in rules where claims.has(rule.claim, rule.value) {
      switch rule.gives {
      case .role(let role): if !roles.contains(role) { roles.append(role) }
      case .labRole(let role): if labRoles.count < LabRole.most, !labRoles.contains(role) { labRoles.append(role) }
      }
    }
    return Caller(
      person: name, roles: roles, labRoles: labRoles, maySpeakForOthers: false, keyID: nil, subject: subject,
      expiresAt: expiresAt)
  }
}

/// The rule for the addresses of a provider.
enum ProviderURL {
  /// Whether the engine may use an address: with https, or with http on a loopback address.
  /// - Parameter issuer: the provider's own address. If that has https, all its addresses must have it. Nil for that
  ///   address itself.
  static func isAllowed(_ url: String, besides issuer: String?) -> Bool {
    guard url.utf8.count <= 2_000, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !url.contains("#") else {
      return false
    }
    func host(behind scheme: String) -> Substring? {
      guard url.hasPrefix(scheme) else { return nil }
      let host = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
      return host.isEmpty || host.contains("@") || host.contains("\\") ? nil : host
    }
    if host(behind: "https://") != nil { return true }
    guard let host = host(behind: "http://"), issuer?.hasPrefix("https://") != true else { return false }
    let name = host.hasPrefix("[") ? host.prefix { $0 != "]" } + "]" : host.prefix { $0 != ":" }
    return ["localhost", "127.0.0.1", "[::1]"].contains(name)
  }
}
