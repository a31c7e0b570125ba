import JSON

// The shapes of the queries, until the queries themselves are here: then this file goes.

public struct JSONPath: Sendable, Hashable {
  public let text: String
  public init(_ text: String) throws(JSONPathError) { throw JSONPathError(code: "", message: "", at: 0) }
  public func values(in root: JSON) -> [JSON] { [] }
}

public struct JSONPathCondition: Sendable, Hashable {
  public let text: String
  public init(_ text: String) throws(JSONPathError) { throw JSONPathError(code: "", message: "", at: 0) }
  public func holds(in root: JSON) -> Bool { false }
}

public struct JSONPathError: Error {
  public let code: String, message: String, at: Int
}

public struct JSONPointer: Sendable, Hashable {
  public enum Token: Sendable, Hashable {
    case name(String)
    case index(Int)
  }
  public let tokens: [Token]
}

extension JSONPointer {
  static var root: JSONPointer { JSONPointer(tokens: []) }
  func appending(_ token: Token) -> JSONPointer { JSONPointer(tokens: tokens + [token]) }
}
