import CPostgres

/// A statement that a connection prepares at its first use. Its values are always parameters.
struct PostgresStatement: Sendable, Hashable {
  let name: String
  let text: String

  init(_ name: String, _ text: String) {
    self.name = name
    self.text = text
  }
}

/// The types of our parameters, with the server's numbers for them.
enum PostgresType: Oid, Sendable {
  case bool = 16
  case bytes = 17
  case int8 = 20
  case int4 = 23
  case text = 25
  case timestamp = 1184
  case uuid = 2950

  var array: Oid {
    switch self {
    case .bool: 1000
    case .bytes: 1001
    case .int8: 1016
    case .int4: 1007
    case .text: 1009
    case .timestamp: 1185
    case .uuid: 2951
    }
  }
}
