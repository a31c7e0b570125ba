import HTTP
import JSON
import WorkflowEngine

// Who is told what needs a person: how that stands, and whether a notice would arrive.
extension API {
  var noticeRoutes: [Route] {
    [
      Route("GET", "/v1/notices", showNotices),
      Route("POST", "/v1/notices/test", testNotices),
    ]
  }

  private func showNotices(_ call: Call) async throws -> HTTPServerResponse {
    let all = try await notices?.status() ?? []
    return .json(["destinations": .array(all.map(\.json))])
  }

  /// Where to is named, never given: whoever can ask must not be able to have requests sent where he likes.
  private func testNotices(_ call: Call) async throws -> HTTPServerResponse {
    let user = try call.request.user()
    var body = try BodyReader(call.request)
    let name = body.text("destination", isRequired: true)
    try body.finish()
    guard let notices else {
      throw Refusals.problem(
        EngineErrorCode.noticeDestinationUnknown,
        "Nobody is told of anything: the engine was started with no --webhook and no --kafka.")
    }
    return .json(try await notices.test(name ?? "", by: user).json)
  }
}
