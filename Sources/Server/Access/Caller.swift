import Values

/// Who sends a request, as an `Authenticator` recognised them.
public struct Caller: Sendable, Hashable {
  /// The name in the history: of a person, or of a program.
  public let person: String
  public let roles: [GrantedRole]
  /// The roles in the laboratory, for signals that ask for one. Nil on an engine that recognises no callers: then
  /// nothing is compared.
  public let labRoles: [String]?
  /// Whether `Saga-User` may name another person, as a gateway does for the people that it has authenticated.
  public let maySpeakForOthers: Bool
  /// The public part of the key; nil for a caller without a key.
  public let keyID: String?
  /// The OpenID provider's own name of the person, which never changes; nil for a caller without a token.
  public let subject: String?
  /// When the caller is no longer recognised; nil when never.
  public let expiresAt: Timestamp?

  public init(
    person: String, roles: [GrantedRole], labRoles: [String]?, maySpeakForOthers: Bool, keyID: String?,
    subject: String? = nil,
    expiresAt: Timestamp?
  ) {
    self.person = person
    self.roles = roles
    self.labRoles = labRoles
    self.maySpeakForOthers = maySpeakForOthers
    self.keyID = keyID
    self.subject = subject
    self.expiresAt = expiresAt
  }

  /// The caller of an engine that has no keys: everyone may do everything, under any name.
  static let anyone = Caller(
    person: "anonymous", roles: [GrantedRole(.admin)], labRoles: nil, maySpeakForOthers: true, keyID: nil,
    expiresAt: nil)

  func reach(of permission: Permission) -> Reach { Reach(permission, of: roles) }
}

/// Recognises the callers of the API.
public protocol Authenticator: Sendable {
  /// Returns the caller to whom a bearer credential belongs.
  /// - Parameters:
  ///   - bearer: the text behind `Bearer` in the header `Authorization`.
  ///   - now: the time of the wall clock, for what expires.
  /// - Throws: `AccessRefusal`.
  func caller(bearer: String, now: Timestamp) async throws -> Caller

  /// Returns a caller that was recognised before as they are now, with the roles of today; nil when they are not
  /// recognised any more.
  func current(_ caller: Caller, now: Timestamp) -> Caller?

  /// Why the callers can't be read in their newest form; nil when they can. The last ones that were read still count.
  var problem: AccessRefusal? { get }

  /// The same for each place from which callers are read.
  var problems: [AccessRefusal] { get }

  /// The OpenID provider at which people sign in; nil without one.
  var provider: OIDCProvider? { get }

  /// Whether there can be keys of this engine.
  var hasKeys: Bool { get }
}

extension Authenticator {
  public var problems: [AccessRefusal] { problem.map { [$0] } ?? [] }
  public var provider: OIDCProvider? { nil }
  public var hasKeys: Bool { true }
}

/// The engine does not recognise the caller, or the caller lacks a role. The message never has a secret.
public struct AccessRefusal: CodedError, Hashable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}
