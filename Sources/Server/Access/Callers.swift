import Values

/// Recognises callers by the keys of a file, by the tokens of an OpenID provider, or by both.
public struct Callers: Authenticator {
  private let keys: any Authenticator
  private let tokens: OIDCProvider

  public init(keys: any Authenticator, tokens: OIDCProvider) {
    self.keys = keys
    self.tokens = tokens
  }

  public var provider: OIDCProvider? { tokens }

  public var problem: AccessRefusal? { problems.first }
  public var problems: [AccessRefusal] { keys.problems + tokens.problems }

  public func caller(bearer: String, now: Timestamp) async throws -> Caller {
    // A token has dots, and a key has none.
    try await (SignedToken.isLike(bearer) ? tokens : keys).caller(bearer: bearer, now: now)
  }

  public func current(_ caller: Caller, now: Timestamp) -> Caller? {
    (caller.subject == nil ? keys : tokens).current(caller, now: now)
  }
}
