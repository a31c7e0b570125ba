import JSON
import Values

/// The answer of `GET /v1/me` and of a sign-in: who the caller is.
public struct CallerResponse: WireValue {
  /// How the caller was recognised: `notNeeded`, `key`, `token` or `session`.
  public let signIn: String
  /// The name in the history.
  public let person: String
  /// The public part of the key; nil without one.
  public let key: String?
  /// The OpenID provider's own name of the person; nil for a caller without a token.
  public let subject: String?
  /// The roles, as `operator` or `starter:library-prep`.
  public let roles: [String]
  /// The roles in the laboratory, for signals that ask for one. An engine without keys compares none.
  public let labRoles: [String]
  /// Whether `Saga-User` may name another person.
  public let speaksForOthers: Bool
  /// When the key or token expires; nil without one.
  public let expiresAt: Timestamp?

  public init(
    signIn: String, person: String, key: String?, subject: String?, roles: [String], labRoles: [String] = [],
    speaksForOthers: Bool,
    expiresAt: Timestamp?
  ) {
    self.signIn = signIn
    self.person = person
    self.key = key
    self.subject = subject
    self.roles = roles
    self.labRoles = labRoles
    self.speaksForOthers = speaksForOthers
    self.expiresAt = expiresAt
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    signIn = try members.text("signIn")
    person = try members.text("person")
    key = try members.textIfAny("key")
    subject = try members.textIfAny("subject")
    roles = try members.texts("roles")
    labRoles = try members.textsIfAny("labRoles") ?? []
    speaksForOthers = try members.bool("speaksForOthers")
    expiresAt = try members.timeIfAny("expiresAt")
  }

  public var json: JSON {
    .members([
      "signIn": .string(signIn), "person": .string(person), "key": .text(key), "subject": .text(subject),
      "roles": .texts(roles), "labRoles": .textsIfAny(labRoles), "speaksForOthers": .bool(speaksForOthers),
      "expiresAt": .time(expiresAt),
    ])
  }
}
