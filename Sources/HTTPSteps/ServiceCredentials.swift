import Foundation
import HTTP
import Runtime
import SagaCore
import Values
import WorkflowEngine

/// The headers that a service's calls get from the operator's configuration.
final class ServiceCredentials: Sendable {
  private let service: String
  private let fields: [(name: String, value: KeptSecret, isSecret: Bool)]
  private let tokens: TokenSource?

  init(_ access: ServiceAccess, service: String, client: HTTPClient, clock: any WallClock, log: Log) {
    self.service = service
    fields = access.fields.map { field in
      let isSecret = if case .plain = field.value { false } else { true }
      return (field.name, KeptSecret(field.value, clock: clock, log: log), isSecret)
    }
    tokens = access.clientCredentials.map {
      TokenSource($0, service: service, client: client, clock: clock, log: log)
    }
  }

  /// The headers of one call.
  struct Fields: Sendable, Equatable {
    var fields: [(name: String, value: Secret)] = []
    var token: Secret?

    static func == (left: Fields, right: Fields) -> Bool {
      left.token == right.token && left.fields.elementsEqual(right.fields, by: ==)
    }

    /// All headers, the token's last.
    var all: [(name: String, value: String)] {
      fields.map { ($0.name, $0.value.text) } + (token.map { [("Authorization", "Bearer \($0.text)")] } ?? [])
    }
  }

  /// Returns the headers, or why there are none; nil when the task was cancelled before.
  /// - Parameter refused: the headers of a call that the service refused with 401. Files are read again, and another
  ///   token is asked for.
  func headers(insteadOf refused: Fields? = nil) async -> Result<Fields, StepFailure>? {
    var headers = Fields()
    do throws(SecretSource.Failure) {
      for field in fields { headers.fields.append((field.name, try field.value.value(isDue: refused != nil))) }
    } catch {
      return .failure(.unreadable(error, service: service))
    }
    guard let tokens else { return .success(headers) }
    switch await tokens.token(insteadOf: refused?.token) {
    case .success(let token)?:
      headers.token = token
      return .success(headers)
    case .failure(let failure)?: return .failure(failure)
    case nil: return nil
    }
  }

  // MARK: Answers

  /// Returns the answer without the service's secrets: a service that repeats what it got doesn't bring them into the
  /// history.
  /// - Parameter sent: the headers of the call.
  func masked(_ response: HTTPClientResponse, sent: Fields) -> HTTPClientResponse {
    let secrets = hidden(sent)
    guard !secrets.isEmpty else { return response }
    let mask = SecretMask(secrets)
    return HTTPClientResponse(
      status: response.status,
      headers: HTTPHeaders(response.headers.map { ($0.name, mask.applied(to: $0.value)) }),
      body: mask.applied(to: response.body), reason: mask.applied(to: response.reason), bodyError: response.bodyError)
  }

  private func hidden(_ sent: Fields) -> [Secret] {
    let values = zip(fields, sent.fields).filter { $0.0.isSecret }.map { $0.1.value }
    return values + [sent.token].compactMap { $0 } + (tokens?.secrets ?? [])
  }
}

/// Replaces secrets in texts by `***`.
struct SecretMask {
  /// A shorter text is found in answers by chance.
  static let shortest = 6
  private let secrets: [[UInt8]]

  /// - Parameter secrets: also counts the text behind the scheme of each: of `Bearer abcdef` the text `abcdef`.
  init(_ secrets: [Secret]) {
    let texts = secrets.flatMap { secret in
      [secret.text] + secret.text.split(separator: " ").dropFirst().suffix(1).map(String.init)
    }
    self.secrets = Set(texts).map { Array($0.utf8) }.filter { $0.count >= Self.shortest }.sorted {
      $0.count != $1.count ? $0.count > $1.count : $0.lexicographicallyPrecedes($1)
    }
  }

  func applied(to text: String) -> String {
    let bytes = Array(text.utf8)
    let masked = applied(to: bytes)
    return masked == bytes ? text : String(decoding: masked, as: UTF8.self)
  }

  func applied(to bytes: [UInt8]) -> [UInt8] {
    secrets.reduce(bytes) { Self.replaced($1, in: $0) }
  }

  private static func replaced(_ secret: [UInt8], in bytes: [UInt8]) -> [UInt8] {
    var rest = 0
    var masked: [UInt8] = []
    while let place = place(of: secret, in: bytes, from: rest) {
      masked += bytes[rest..<place] + Array("***".utf8)
      rest = place + secret.count
    }
    return rest == 0 ? bytes : masked + bytes[rest...]
  }

  private static func place(of secret: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress, let first = secret.first else { return nil }
      var start = start
      while start + secret.count <= bytes.count {
        guard let found = memchr(base + start, Int32(first), bytes.count - secret.count + 1 - start) else { return nil }
        let place = base.distance(to: UnsafeRawPointer(found))
        if memcmp(found, secret, secret.count) == 0 { return place }
        start = place + 1
      }
      return nil
    }
  }
}
