import JSON
import Values

extension HTTPServerRequest {
  /// The body as JSON.
  /// - Throws: 415 when `Content-Type` isn't `application/json` (or another `+json`), 400 when the body is empty or
  ///   isn't JSON; then with the place.
  public func jsonBody(maxDepth: Int = 256) throws(Problem) -> JSON {
    try requireJSON()
    do {
      return try JSON(parsing: body, limits: JSONLimits(maxDepth: maxDepth))
    } catch {
      throw Problem(
        400, error.code, title: "The body isn't JSON", detail: error.message,
        members: [
          "line": .int(error.line), "column": .int(error.column), "pointer": .string("\(error.pointer)"),
        ])
    }
  }

  /// Refuses a body that isn't declared to be JSON, and an empty one.
  public func requireJSON() throws(Problem) {
    try requireJSONType()
    guard !body.isEmpty else {
      throw Problem(400, HTTPErrorCode.emptyBody, detail: "The body is empty; it must be JSON.")
    }
  }

  /// Refuses a request that doesn't declare its body to be JSON, also when the body is empty.
  ///
  /// A form on a web page can send any request without a body, or with one of three types, to any address. It can't
  /// declare JSON, so no page of another origin can have something done.
  public func requireJSONType() throws(Problem) {
    let type = (headers["Content-Type"] ?? "").prefix { $0 != ";" }.lowercased().trimmedOfBlanks
    guard type == "application/json" || (type.hasPrefix("application/") && type.hasSuffix("+json")) else {
      throw Problem(
        415, HTTPErrorCode.unsupportedMediaType,
        detail: type.isEmpty
          ? "The request needs a Content-Type of application/json, also without a body."
          : "The body is \(type); it must be application/json.",
        headers: ["Accept": "application/json"])
    }
  }
}
