import HTTP
import Values

// The console: a page and its parts, without a build step. It gets everything else from the API.
extension API {
  /// Not part of the API, so `docs/schema/openapi.json` doesn't describe them.
  var consoleRoutes: [Route] {
    [
      Route(.consolePage) { call in try showConsole(ConsoleFiles.page, call) },
      Route(.consoleFile) { call in
        try showConsole(call.path.value("file"), call)
      },
    ]
  }

  private func showConsole(_ name: String, _ call: Call) throws(Problem) -> HTTPServerResponse {
    guard let file = ConsoleFiles.all[name] else {
      throw Refusals.problem(HTTPErrorCode.notFound, "There is nothing at \(call.request.path).")
    }
    return showPage(file, call)
  }

  /// Answers a file of the server's own; 304 to a client whose `If-None-Match` has its tag.
  func showPage(_ file: PageFile, _ call: Call) -> HTTPServerResponse {
    let headers: HTTPHeaders = [
      "ETag": file.tag, "Cache-Control": "no-cache", "Content-Security-Policy": Self.consolePolicy,
      "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
    ]
    let known = (call.request.headers["If-None-Match"] ?? "").split(separator: ",").map { $0.drop { $0 == " " } }
    if known.contains(where: { $0 == file.tag || $0 == "W/\(file.tag)" }) {
      return HTTPServerResponse(status: 304, headers: headers)
    }
    return .bytes(file.bytes, type: file.type, headers: headers)
  }

  /// The rights of the page: its own scripts, its own style sheet, and requests to its own server.
  static let consolePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
