import Foundation
public import HTTP
import JSON
public import Runtime
import SagaCore
import Values
import WorkflowEngine
import Workflows

/// Posts notices to a URL, signed by the Standard Webhooks specification.
///
/// Only the server's configuration sets the URL. As in `HTTPClient`, redirects are not followed and certificates are
/// verified.
public struct Webhook: NoticeDestination {
  public let name: String
  public let types: Set<NoticeType>
  private let url: String
  private let secrets: [WebhookSecret]
  private let client: HTTPClient
  private let environment: Environment
  /// What an answer must not repeat to people, the longest first.
  private let hidden: [String]

  /// The time within which a receiver must answer. It should store the notice, answer, and do the work afterwards.
  static let timeout = Duration.seconds(15)
  private static let mostOfAnswer = 200
  /// The bytes of an answer that are looked at for its first words.
  private static let mostBytesSeen = 1 << 16

  /// - Parameters:
  ///   - name: the destination's name.
  ///   - url: the URL for the posts.
  ///   - secrets: each of them signs.
  ///   - types: the types of its notices.
  ///   - client: makes the calls.
  ///   - environment: dates the signatures.
  public init(
    name: String, url: String, secrets: [WebhookSecret], types: Set<NoticeType> = NoticeType.usual, client: HTTPClient,
    environment: Environment
  ) {
    self.name = name
    self.url = url
    self.secrets = secrets
    self.types = types
    self.client = client
    self.environment = environment
    hidden = Self.hidden(in: url)
  }

  public var kind: NoticeDestinationKind { .webhook }

  /// Scheme and host. The rest of the URL is often as secret as a password.
  public var target: String { Self.origin(of: url) }

  /// Scheme, host and port of a URL, without a user.
  public static func origin(of url: String) -> String {
    guard let slashes = url.firstRange(of: "://") else { return "" }
    let rest = url[slashes.upperBound...]
    let authority = rest.prefix { !"/?#".contains($0) }
    let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    return String(url[..<slashes.upperBound]) + host
  }

  public func deliver(_ notice: Notice) async -> NoticeOutcome {
    // The wall clock is used, because another machine compares the time with its own clock.
    let now = environment.wallNow()
    do throws(HTTPClientError) {
      return outcome(of: try await client.send(request(notice, at: now)), now: now)
    } catch {
      return .failed(NoticeFailure(code: error.code, message: error.message))
    }
  }

  func request(_ notice: Notice, at now: Timestamp) -> HTTPClientRequest {
    let body = notice.body.bytes()
    // The timestamp is that of this try: against replays, a receiver refuses old timestamps.
    let seconds = now.milliseconds / 1_000
    let signatures = secrets.map { $0.signature(id: notice.id, timestamp: seconds, body: body) }
    return HTTPClientRequest(
      method: "POST", url: url,
      headers: HTTPHeaders([
        ("Content-Type", "application/json"), ("webhook-id", notice.id), ("webhook-timestamp", "\(seconds)"),
        ("webhook-signature", signatures.joined(separator: " ")),
        // The header shows the receiver that a later try contains the same notice.
        ("Idempotency-Key", notice.id),
      ]), body: body, timeout: Self.timeout, maxResponseBytes: 1 << 20,
      // Only the status decides whether the notice was delivered.
      takesPartialBody: true)
  }

  private func outcome(of response: HTTPClientResponse, now: Timestamp) -> NoticeOutcome {
    let said = said(response.body)
    let answer = "\(response.status)\(said.isEmpty ? "" : ": \(said)")"
    switch response.status {
    case 200...299: return .delivered(answer: answer)
    case 410:
      return .failed(
        NoticeFailure(
          code: EngineErrorCode.noticeGone, message: "The receiver answered 410: it wants no more notices.",
          isGone: true))
    case 300...399:
      return .failed(
        NoticeFailure(
          code: EngineErrorCode.noticeRefused,
          message: "The receiver answered \(response.status): redirects are not followed; name the URL it leads to."))
    default:
      return .failed(
        NoticeFailure(
          code: EngineErrorCode.noticeRefused, message: "The receiver answered \(answer)",
          retryAfter: response.headers["Retry-After"].flatMap { RetryAfter.parse($0, now: now) }))
    }
  }

  /// Returns the first words of an answer. A receiver may repeat what was sent: `Cannot POST /hooks/SECRET`.
  private func said(_ body: [UInt8]) -> String {
    let text = String(decoding: body.prefix(Self.mostBytesSeen), as: UTF8.self)
    let shown = hidden.reduce(text) { $0.replacing($1, with: Secrets.mask) }
    return Secrets.masked(text: shown).clippedToLine(Self.mostOfAnswer)
  }

  /// Returns what is as secret as a password in a URL: the user, all behind the host, and in that each value and each
  /// segment that is long enough for a secret; also as the receiver decodes them.
  private static func hidden(in url: String) -> [String] {
    guard let slashes = url.firstRange(of: "://") else { return [] }
    let authority = url[slashes.upperBound...].prefix { !"/?#".contains($0) }
    let user = authority.prefix(upTo: authority.lastIndex(of: "@") ?? authority.startIndex)
    let password = user.drop { $0 != ":" }.dropFirst()
    let rest = url[authority.endIndex...].prefix { $0 != "#" }
    let path = rest.prefix { $0 != "?" }
    let query = rest.dropFirst(path.count).dropFirst()
    let values = query.split(separator: "&").map { $0.drop { $0 != "=" }.dropFirst() }
    let segments = path.split(separator: "/").filter { $0.utf8.count >= 12 }
    let all =
      [user, password, rest, path, query].filter { $0.utf8.count > 1 } + values.filter { $0.utf8.count >= 6 } + segments
    return Set(all.flatMap { [String($0), $0.removingPercentEncoding ?? String($0)] })
      .sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }
  }
}
