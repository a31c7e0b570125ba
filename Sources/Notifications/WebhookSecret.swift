import Foundation
import SagaCore
import Values
import WorkflowEngine

/// The secret that signs a webhook, in the form of the Standard Webhooks specification: `whsec_` and 24 to 64 bytes in
/// base64.
public struct WebhookSecret: Sendable, Hashable, CustomStringConvertible {
  private let key: [UInt8]

  static let prefix = "whsec_"

  /// Reads one secret, or several with spaces between them. While a receiver changes its secret, both secrets sign.
  /// - Throws: `webhook.secretInvalid`; its message omits the secret.
  public static func read(_ text: String) throws(EngineError) -> [WebhookSecret] {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard !words.isEmpty else { throw invalid("The secret is empty.") }
    var secrets: [WebhookSecret] = []
    for word in words {
      guard word.hasPrefix(prefix) else { throw invalid("A secret begins with \(prefix).") }
      guard let key = Data(base64Encoded: String(word.dropFirst(prefix.count))) else {
        throw invalid("What follows \(prefix) is base64, and this isn't.")
      }
      guard (24...64).contains(key.count) else {
        throw invalid("A secret has 24 to 64 bytes, and this one has \(key.count).")
      }
      secrets.append(WebhookSecret(key: [UInt8](key)))
    }
    return secrets
  }

  private static func invalid(_ what: String) -> EngineError {
    EngineError(code: EngineErrorCode.webhookSecretInvalid, message: what)
  }

  /// Returns the value of the header `webhook-signature`: the HMAC of the id, the timestamp and the body, with dots
  /// between.
  /// - Parameter timestamp: seconds since 1970.
  func signature(id: String, timestamp: Int64, body: [UInt8]) -> String {
    let signed = Array("\(id).\(timestamp).".utf8) + body
    return "v1," + Data(Digest.hmacSHA256(signed, key: key)).base64EncodedString()
  }

  /// It never contains the key, because a description may end in a log.
  public var description: String { "\(Self.prefix)…" }
}
