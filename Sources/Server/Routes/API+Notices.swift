import HTTP
import Notifications
import SagaCore
import Values
import Wire

// The destinations of notices: their state, a test notice, and a resend.
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

  /// The request names a destination of the engine. It can't give an address: a caller must not make the engine send
  /// requests to any address.
  private func testNotices(_ call: Call) async throws -> HTTPServerResponse {
    let (user, from) = (try call.user(), try call.origin())
    var body = try BodyReader(call.request)
    let name = body.text("destination", isRequired: true)
    try body.finish()
    return .json(NoticeTestResponse(try await destinations().test(name ?? "", by: user, from: from)).json)
  }

  private func resendNotices(_ call: Call) async throws -> HTTPServerResponse {
    let (user, from) = (try call.user(), try call.origin())
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
        "The engine has no destination of notices: it was started without --webhook and --kafka.")
    }
    return notices
  }
}
