import JSON
import Workflows

/// The rules of a stub. The first rule that takes a request answers it.
public struct StubRules: Sendable {
  public let rules: [StubRule]
  /// The most keys that the stub remembers.
  public let remember: Int

  public static let usualRemember = 100_000
  public static let mostRemember = 1_000_000
  /// The most rules of a file.
  public static let mostRules = 1_000
}

/// Which requests a stub takes, and how it answers them.
public struct StubRule: Sendable {
  public let name: String
  let method: String
  let path: PathPattern
  let when: JSONPathCondition?
  let answer: AnswerTemplate
  /// How long the first answer to a key waits. The work happens before.
  let delay: Duration?
  /// The answer to the first calls with a key. Nothing happens then.
  let failFirst: Failures?
  /// How many answers to a key are lost. The work happens before.
  let dropFirst: Int

  struct Failures: Sendable {
    let times: Int
    let answer: AnswerTemplate
  }

  /// The method and the path, for people.
  public var shown: String { "\(method) \(path.text)" }
}

/// An answer whose texts may contain `${…}`.
struct AnswerTemplate: Sendable {
  let status: Int
  let headers: [(name: String, value: TextTemplate)]
  let retryAfter: Duration?
  let body: Template?

  /// Fills in the answer.
  /// - Throws: when a value is missing or can't be part of the answer.
  func render(in document: JSON) throws(ExpressionError) -> StubAnswer {
    let meter = Meter()
    var fields: [StubAnswer.Field] = []
    for header in headers {
      guard let value = try header.value.render(in: document, encoding: .headerValue, meter: meter) else { continue }
      fields.append(StubAnswer.Field(name: header.name, value: value))
    }
    if let retryAfter { fields.append(StubAnswer.Field(name: "Retry-After", value: "\(Self.seconds(retryAfter))")) }
    guard let body = try body?.render(in: document, meter: meter) else {
      return StubAnswer(status: status, headers: fields, body: [])
    }
    let type = fields.first { $0.name.lowercased() == "content-type" }?.value
    // With a type of its own, a text is sent as it is.
    if let type, !type.lowercased().contains("json"), let text = body.stringValue {
      return StubAnswer(status: status, headers: fields, body: Array(text.utf8))
    }
    if type == nil { fields.append(StubAnswer.Field(name: "Content-Type", value: "application/json")) }
    return StubAnswer(status: status, headers: fields, body: body.bytes())
  }

  /// Returns whole seconds, rounded up: the header has no smaller unit.
  static func seconds(_ duration: Duration) -> Int64 {
    duration.components.seconds + (duration.components.attoseconds > 0 ? 1 : 0)
  }
}

/// An answer of the stub, as it is sent and remembered.
struct StubAnswer: Sendable, Hashable {
  struct Field: Sendable, Hashable {
    let name: String
    let value: String
  }
  let status: Int
  let headers: [Field]
  let body: [UInt8]

  /// Whether the caller may not repeat the request for another result. Such an answer is remembered.
  var isFinal: Bool { status < 500 && status != 408 && status != 425 && status != 429 }
  /// Whether the answer says that the work was done.
  var isSuccess: Bool { status < 400 }

  /// The bytes that it takes in memory, roughly.
  var size: Int { body.count + headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 64 } }
}
