import JSON
import Values

/// The error of a request for its sender: `application/problem+json` (RFC 9457).
///
/// `type` is the code's page, relative to the server: `/errors/<code>`.
public struct Problem: Error, Sendable, Hashable {
  /// The HTTP status.
  public var status: Int
  /// The stable code, `dotted.lowerCamel`; its page is `docs/errors/<code>.md`.
  public var code: String
  /// One short sentence that is the same for every problem of this code.
  public var title: String
  /// The error in this request, for a person.
  public var detail: String?
  /// The subject of the problem: usually the path of the request.
  public var instance: String?
  /// Each thing that is wrong, with its place, where there are several.
  public var errors: [JSON]
  /// Further members, after those of RFC 9457. Names that the standard members use are ignored.
  public var members: JSONObject
  /// Headers to send along, as `Allow` or `Retry-After`.
  public var headers: HTTPHeaders

  public init(
    _ status: Int, _ code: String, title: String? = nil, detail: String? = nil, instance: String? = nil,
    errors: [JSON] = [], members: JSONObject = [:], headers: HTTPHeaders = [:]
  ) {
    self.status = status
    self.code = code
    self.title = title ?? HTTPStatus.phrase(status)
    self.detail = detail
    self.instance = instance
    self.errors = errors
    self.members = members
    self.headers = headers
  }

  /// The body of the answer.
  public var json: JSON {
    var object: JSONObject = [
      "type": .string("/errors/\(code)"), "title": .string(title), "status": .int(status), "code": .string(code),
    ]
    if let detail { object["detail"] = .string(detail) }
    if let instance { object["instance"] = .string(instance) }
    if !errors.isEmpty { object["errors"] = .array(errors) }
    for (name, value) in members where object[name] == nil { object[name] = value }
    return .object(object)
  }
}

extension Problem: CustomStringConvertible {
  public var description: String { "\(status) \(detail ?? title) [\(code)]" }
}
