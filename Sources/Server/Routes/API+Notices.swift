import HTTP
import Wire
import WorkflowEngine

// Who is told what needs a person: how that stands, and whether a notice would arrive.
extension API {
  var noticeRoutes: [Route] {
    [
      Route(.getNotices, showNotices),
      Route(.testNotices, testNotices),
      Route(.resendNotices, resendNotices),
    ]
  }

  private func showNotices(_ call: Call) async throws -> HTTPServerResponse {
    let all = try await notices?.status() ?? []
    return .json(NoticesResponse(destinations: all.map { .init($0) }).json)
  }

  /// Where to is named, never given: whoever can ask must not be able to have requests sent where he likes.
  private func testNotices(_ call: Call) async throws -> HTTPServerResponse {
    let (user, from) = (try call.request.user(), try call.request.origin())
    var body = try BodyReader(call.request)
    let name = body.text("destination", isRequired: true)
    try body.finish()
    return .json(NoticeTestResponse(try await destinations().test(name ?? "", by: user, from: from)).json)
  }

  private func resendNotices(_ call: Call) async throws -> HTTPServerResponse {
    let (user, from) = (try call.request.user(), try call.request.origin())
    var body = try BodyReader(call.request)
    let name = body.text("destination", isRequired: true)
    let only = body.text("id", isRequired: false)
    try body.finish()
    return .json(
      NoticeResendResponse(try await destinations().resend(name ?? "", only: only, by: user, from: from)).json)
  }

  private func destinations() throws(Problem) -> any NoticesView {
    guard let notices else {
      throw Refusals.problem(
        EngineErrorCode.noticeDestinationUnknown,
        "Nobody is told of anything: the engine was started with no --webhook and no --kafka.")
    }
    return notices
  }
}
