import HTTP
import JSON
import Values

/// A request to the stub.
struct StubCall: Sendable {
  let method: String
  /// The path as it was sent, with its query.
  let target: String
  let segments: [String]
  let query: [(name: String, value: String)]
  let headers: HTTPHeaders
  /// The body as JSON, or as a string when it is a text that is not JSON; nil when there is none.
  let body: JSON?
  let bodyBytes: Int
  let key: String?
  /// The key of the call that this one undoes.
  let compensates: String?
  /// Tells apart the requests that have one key.
  let digest: String

  /// The members of `$.request`.
  static let members = [
    "method", "path", "params", "query", "headers", "body", "key", "compensates", "call",
  ]

  init(_ request: HTTPServerRequest) {
    method = request.method
    segments = request.segments
    query = request.query
    headers = request.headers
    let fields = request.query.map { "\($0.name.percentEncoded)=\($0.value.percentEncoded)" }
    target = fields.isEmpty ? request.path : "\(request.path)?\(fields.joined(separator: "&"))"
    body = Self.body(of: request)
    bodyBytes = request.body.count
    key = request.headers["Idempotency-Key"].flatMap { $0.isEmpty ? nil : $0 }
    compensates = request.headers["Compensates"].flatMap { $0.isEmpty ? nil : $0 }
    digest = Digest.hex(Array("\(method) \(target)\n".utf8) + request.body)
  }

  private static func body(of request: HTTPServerRequest) -> JSON? {
    guard !request.body.isEmpty else { return nil }
    let type = request.headers["Content-Type"]?.lowercased() ?? "application/json"
    if type.contains("json"), let json = try? JSON(parsing: request.body) { return json }
    return String(validating: request.body, as: UTF8.self).map { .string($0) }
  }

  /// Returns what the expressions of a rule read.
  /// - Parameters:
  ///   - params: the values of the names in the rule's path.
  ///   - number: the number of the call with its key, from 1.
  func document(params: [(name: String, value: String)], call number: Int) -> JSON {
    func object(_ fields: [(name: String, value: String)]) -> JSON {
      var members = JSONObject()
      // Of several fields with one name, the first counts.
      for field in fields where members[field.name] == nil { members[field.name] = .string(field.value) }
      return .object(members)
    }
    var request: JSONObject = [
      "method": .string(method), "path": .string("/" + segments.joined(separator: "/")), "params": object(params),
      "query": object(query), "headers": object(headers.map { (name: $0.name.lowercased(), value: $0.value) }),
    ]
    request["body"] = body
    request["key"] = key.map { .string($0) }
    request["compensates"] = compensates.map { .string($0) }
    request["call"] = .int(number)
    return ["request": .object(request)]
  }
}
