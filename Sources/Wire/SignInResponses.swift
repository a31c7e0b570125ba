import JSON

/// The answer of `GET /v1/session`: how people sign in.
public struct SignInOptionsResponse: WireValue {
  /// Whether the engine asks its callers who they are.
  public let needed: Bool
  /// Whether a key of the engine counts.
  public let key: Bool
  /// The address of the OpenID provider at which the console signs in; nil without one.
  public let provider: String?

  public init(needed: Bool, key: Bool, provider: String?) {
    self.needed = needed
    self.key = key
    self.provider = provider
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    needed = try members.bool("needed")
    key = try members.bool("key")
    provider = try members.textIfAny("provider")
  }

  public var json: JSON {
    .members(["needed": .bool(needed), "key": .bool(key), "provider": .text(provider)])
  }
}

/// The answer to the begin of a sign-in at the OpenID provider: the page to which the browser has to go.
public struct SignInBegunResponse: WireValue {
  /// The provider's page, with what the sign-in needs in its query.
  public let location: String

  public init(location: String) { self.location = location }

  public init(_ members: Members) throws(UnexpectedMember) { location = try members.text("location") }

  public var json: JSON { .members(["location": .string(location)]) }
}
