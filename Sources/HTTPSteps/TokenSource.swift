import Foundation
import HTTP
import JSON
import Runtime
import SagaCore
import Synchronization
import Values
import WorkflowEngine

/// The token of one service. All calls share it, and one request for it at a time is under way.
///
/// A token is used until shortly before it ends, or until the service refuses it. After a failure the calls of the next
/// second fail the same way, so that a token server that is away gets at most one request a second.
final class TokenSource: Sendable {
  /// 64 KiB.
  static let maxAnswerBytes = 64 << 10
  static let fetchTimeout = Duration.seconds(10)
  static let pauseAfterFailure = Duration.seconds(1)
  /// A token without `expires_in` is used for five minutes.
  static let usualLife = Duration.seconds(300)

  struct Token: Sendable, Hashable {
    let secret: Secret
    /// When the next call asks for another.
    let usedUntil: Timestamp
  }
  private struct State {
    var token: Token?
    var failure: (failure: StepFailure, until: Timestamp)?
    /// The number of requests that were begun, and of those that have ended.
    var begun = 0
    var ended = 0
    var last: Result<Token, StepFailure>?
  }

  private let credentials: ClientCredentials
  private let service: String
  private let secret: KeptSecret
  private let client: HTTPClient
  private let clock: any WallClock
  private let state = Mutex(State())
  private let changes = WaitQueue()

  init(_ credentials: ClientCredentials, service: String, client: HTTPClient, clock: any WallClock, log: Log) {
    self.credentials = credentials
    self.service = service
    self.client = client
    self.clock = clock
    secret = KeptSecret(credentials.clientSecret, clock: clock, log: log)
  }

  /// The texts that an answer must not carry into a history.
  var secrets: [Secret] {
    let token = state.withLock { $0.token?.secret }
    return [token, try? secret.value()].compactMap { $0 }
  }

  /// Returns a token, or why there is none. Nil when the task was cancelled before.
  /// - Parameter refused: a token that the service refused. Another is asked for, unless another call already did.
  func token(insteadOf refused: Secret? = nil) async -> Result<Secret, StepFailure>? {
    enum Next {
      case now(Result<Secret, StepFailure>)
      case wait(Int)
      case fetch(Int)
    }
    let next = state.withLock { state -> Next in
      let now = clock.now()
      if state.begun > state.ended { return .wait(state.begun) }
      if let token = state.token, token.secret != refused, now < token.usedUntil { return .now(.success(token.secret)) }
      if let failure = state.failure, now < failure.until { return .now(.failure(failure.failure)) }
      state.begun += 1
      return .fetch(state.begun)
    }
    let number: Int
    switch next {
    case .now(let answer): return answer
    case .wait(let begun): number = begun
    case .fetch(let begun):
      number = begun
      // A task of its own: the call that begins it may be cancelled, while others wait for the token.
      Task { await self.fetchOnce() }
    }
    return await changes.value(unlessCancelled: { [self] in
      state.withLock { state in state.ended >= number ? state.last?.map(\.secret) : nil }
    })
  }

  private func fetchOnce() async {
    let result = await fetch()
    state.withLock { state in
      state.ended = state.begun
      state.last = result
      switch result {
      case .success(let token):
        state.token = token
        state.failure = nil
      case .failure(let failure):
        state.token = nil
        state.failure = (failure, clock.now() + Self.pauseAfterFailure)
      }
    }
    changes.wake()
  }

  // MARK: One request

  private func fetch() async -> Result<Token, StepFailure> {
    let began = clock.now()
    do {
      let response = try await client.send(try request())
      return read(response, began: began)
    } catch let failure as SecretSource.Failure {
      return .failure(.unreadable(failure, service: service))
    } catch let error as HTTPClientError {
      return .failure(unavailable("did not answer: \(error.message)"))
    } catch {
      return .failure(unavailable("could not be asked"))
    }
  }

  private func request() throws(SecretSource.Failure) -> HTTPClientRequest {
    let secret = try secret.value(isDue: true).text
    var form = [("grant_type", "client_credentials")]
    var headers: HTTPHeaders = ["Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"]
    switch credentials.place {
    case .basic:
      let pair = "\(FormText.encoded(credentials.clientID)):\(FormText.encoded(secret))"
      headers.add("Authorization", "Basic \(Data(pair.utf8).base64EncodedString())")
    case .post: form += [("client_id", credentials.clientID), ("client_secret", secret)]
    }
    if let scope = credentials.scope { form.append(("scope", scope)) }
    if let audience = credentials.audience { form.append(("audience", audience)) }
    let body = form.map { "\($0.0)=\(FormText.encoded($0.1))" }.joined(separator: "&")
    return HTTPClientRequest(
      method: "POST", url: credentials.tokenURL, headers: headers, body: Array(body.utf8), timeout: Self.fetchTimeout,
      maxResponseBytes: Self.maxAnswerBytes, tls: credentials.tls)
  }

  private func read(_ response: HTTPClientResponse, began: Timestamp) -> Result<Token, StepFailure> {
    let answer = try? JSON(parsing: response.body)
    switch response.status {
    case 200:
      guard let text = answer?["access_token"]?.stringValue, (1...16_384).contains(text.utf8.count),
        text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
      else { return .failure(unavailable("answered 200 without an access_token that a header can have")) }
      guard (answer?["token_type"]?.stringValue ?? "Bearer").lowercased() == "bearer" else {
        return .failure(unavailable("gave a token of another type than Bearer"))
      }
      return .success(Token(secret: Secret(text), usedUntil: began + Self.use(of: answer?["expires_in"])))
    case 400, 401, 403:
      let word = answer?["error"]?.stringValue ?? ""
      // The words of RFC 6749 §5.2. Another text may repeat what was sent.
      let isKnown = Self.refusals.contains(word)
      return .failure(
        StepFailure(
          code: EngineErrorCode.serviceTokenRefused, classes: ["http.notSent"],
          message: "The token server of \(service) refused the client: \(isKnown ? word : "\(response.status)"). "
            + "Nothing was sent to \(service).", isRetryable: true))
    default: return .failure(unavailable("answered \(response.status)"))
    }
  }

  private static let refusals = [
    "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope", "invalid_target", "access_denied",
  ]

  /// Returns how long a token is used: its life without a fifth of it, or without a minute if that is less; at most a day.
  private static func use(of expiresIn: JSON?) -> Duration {
    let seconds = expiresIn?.intValue ?? expiresIn?.stringValue.flatMap { Int($0) }
    let life = seconds.map { Duration.seconds(min(max($0, 0), 86_400)) } ?? usualLife
    return life - min(.seconds(60), life / 5)
  }

  private func unavailable(_ what: String) -> StepFailure {
    StepFailure(
      code: EngineErrorCode.serviceTokenUnavailable, classes: ["http.notSent"],
      message: "The token server of \(service) \(what). Nothing was sent to \(service).", isRetryable: true)
  }
}

extension StepFailure {
  static func unreadable(_ failure: SecretSource.Failure, service: String) -> StepFailure {
    StepFailure(
      code: EngineErrorCode.serviceSecretUnreadable, classes: ["http.notSent"],
      message: "\(service) has no secret: \(failure.message). Nothing was sent.", isRetryable: true)
  }
}

/// Texts as `application/x-www-form-urlencoded` writes them.
enum FormText {
  static func encoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "*"):
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      case UInt8(ascii: " "): encoded += "+"
      default:
        let digits = String(byte, radix: 16, uppercase: true)
        encoded += "%" + (digits.count == 1 ? "0" : "") + digits
      }
    }
    return encoded
  }
}
