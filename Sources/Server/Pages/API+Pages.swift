import Assets
import HTTP
import Values

// Pages for people and editors that problems and workflow files point to: an error code's page, and the JSON Schemas.
extension API {
  /// Not part of the API, so `docs/schema/openapi.json` doesn't describe them.
  var pageRoutes: [Route] {
    [
      Route(.errorIndex) { call in
        showPage(PageFile(type: Self.htmlType, bytes: Array(ErrorPages.index.utf8)), call)
      },
      Route(.errorPage) { call in try showErrorPage(call) },
      Route(.schemaFile) { call in
        try showSchema("docs/schema/\(call.path.value("file"))", call)
      },
      Route(.eventSchemaFile) { call in
        try showSchema("docs/schema/events/\(call.path.value("file"))", call)
      },
    ]
  }

  private static let htmlType = "text/html; charset=utf-8"

  /// HTML for a browser; Markdown for a client whose `Accept` names it and not HTML.
  private func showErrorPage(_ call: Call) throws(Problem) -> HTTPServerResponse {
    let code = try call.path.value("code")
    let accept = call.request.headers["Accept"] ?? ""
    let wantsMarkdown = accept.contains("text/markdown") && !accept.contains("text/html")
    guard let text = wantsMarkdown ? ErrorPages.markdown(code) : ErrorPages.html(code) else {
      throw Refusals.problem(
        HTTPErrorCode.notFound, "There is no error code \(code). /errors lists all of them.")
    }
    let type = wantsMarkdown ? "text/markdown; charset=utf-8" : Self.htmlType
    var answer = showPage(PageFile(type: type, bytes: Array(text.utf8)), call)
    answer.headers["Vary"] = "Accept"
    return answer
  }

  private func showSchema(_ path: String, _ call: Call) throws(Problem) -> HTTPServerResponse {
    guard path.hasSuffix(".json"), let bytes = Assets.bytes(path) else {
      throw Refusals.problem(HTTPErrorCode.notFound, "There is nothing at \(call.request.path).")
    }
    return showPage(PageFile(type: "application/schema+json", bytes: bytes), call)
  }
}
