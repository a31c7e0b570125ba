import JSON
import Values
import Workflows

/// A participant's answer to a call, as the history has it in the event that ends the call.
public struct CallAnswer: Sendable, Hashable {
  /// The status of an answer over HTTP; nil over Kafka.
  public let status: Int?
  /// The chosen headers (`AnswerHeaders`) by their names in lower case.
  public let headers: [String: String]
  /// The beginning of the body. Nil when the answer has no body, and when the step's output has it whole.
  public internal(set) var excerpt: CallExcerpt?
  /// The look that it answers. Nil when the history has the look as an attempt, and for other calls.
  public internal(set) var look: AnsweredLook?

  /// A look that the history does not have as an attempt.
  public struct AnsweredLook: Sendable, Hashable {
    /// The number of the look in its timetable.
    public let number: Int
    /// When the look began.
    public let at: Timestamp
  }

  package init(
    status: Int? = nil, headers: [String: String] = [:], excerpt: CallExcerpt? = nil, look: AnsweredLook? = nil
  ) {
    self.status = status
    self.headers = headers
    self.excerpt = excerpt
    self.look = look
  }

  /// The status and the headers alone, as a step's state and the document have them; nil for an answer over Kafka.
  var head: CallAnswer? { status.map { CallAnswer(status: $0, headers: headers) } }

  /// The answer as the member `answer` of a step in the document.
  var document: JSON {
    var members = JSONObject()
    members["status"] = status.map(JSON.int)
    members["headers"] = headers.fields
    return .object(members)
  }
}

extension [String: String] {
  /// The headers as an object, their names in order.
  fileprivate var fields: JSON { .object(JSONObject(sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })) }
}

/// The beginning of a body as text, its secrets masked.
public struct CallExcerpt: Sendable, Hashable {
  /// The most bytes of an excerpt, in UTF-8.
  public static let longest = 2_048

  public let text: String
  /// Whether the body goes on.
  public let isCut: Bool

  init(text: String, isCut: Bool) {
    self.text = text
    self.isCut = isCut
  }

  /// Returns the beginning of a text. Control characters other than tabs and line breaks become spaces.
  private static func beginning(of text: String) -> CallExcerpt {
    var (beginning, bytes) = (String.UnicodeScalarView(), 0)
    for scalar in text.unicodeScalars {
      bytes += UTF8.width(scalar)
      guard bytes <= longest else { return CallExcerpt(text: String(beginning), isCut: true) }
      let isControl = scalar.properties.generalCategory == .control && !["\t", "\n", "\r"].contains(scalar)
      beginning.append(isControl ? " " : scalar)
    }
    return CallExcerpt(text: String(beginning), isCut: false)
  }

  /// Returns the beginning of a body that is JSON; nil for null.
  package init?(of body: JSON) {
    if body.isNull { return nil }
    self = Self.beginning(of: Secrets.masked(body).text())
  }

  /// Returns the beginning of a body of any kind; nil when it is empty, or no text.
  /// - Parameter charset: the encoding that its type names.
  init?(of bytes: [UInt8], charset: String?) {
    if let text = AnswerText.exact(bytes, charset: charset), let json = try? JSON(parsing: text) {
      self.init(of: json)
      return
    }
    // A name and its value may be on both sides of the cut, so more is masked than is kept.
    let isLong = bytes.count > 4 * Self.longest
    let read = isLong ? Array(bytes.prefix(4 * Self.longest)) : bytes
    guard !read.isEmpty, let text = AnswerText.forPeople(read, charset: charset) else { return nil }
    let excerpt = Self.beginning(of: Secrets.masked(text: text))
    self.init(text: excerpt.text, isCut: excerpt.isCut || isLong)
  }
}

// MARK: What executors report

extension HTTPAnswer {
  /// The headers that the history keeps, with secrets inside them masked. A long value is left out: a part of an address
  /// would be another address.
  var keptHeaders: [String: String] { AnswerHeaders.kept(of: headers) }

  /// The answer with the beginning of its body.
  var recorded: CallAnswer {
    CallAnswer(
      status: status, headers: keptHeaders,
      excerpt: CallExcerpt(of: body, charset: MediaType(contentType).charset))
  }
}

extension AnswerHeaders {
  /// The most bytes of a header's value.
  private static let longest = 2_048

  /// Returns the chosen ones of some headers.
  fileprivate static func kept(of headers: [String: String]) -> [String: String] {
    var kept: [String: String] = [:]
    for name in names {
      guard let value = headers[name], value.utf8.count <= longest else { continue }
      kept[name] = Secrets.masked(text: value)
    }
    return kept
  }
}

extension LookAnswer {
  /// The answer as the history has it.
  /// - Parameter withBody: false when the event has the body as the step's output.
  func recorded(withBody: Bool) -> CallAnswer {
    let excerpt = withBody ? body.flatMap { CallExcerpt(of: $0) } ?? unread : nil
    return CallAnswer(status: status, headers: AnswerHeaders.kept(of: headers), excerpt: excerpt)
  }
}

extension StepFailure {
  /// The failure alone, as states have it.
  var alone: StepFailure {
    var failure = self
    failure.answer = nil
    return failure
  }

  /// The same failure with the answer that it follows from.
  package func answered(by answer: CallAnswer?) -> StepFailure {
    var failure = self
    failure.answer = answer
    return failure
  }
}

// MARK: Events

extension CallAnswer {
  var json: JSON {
    var members = JSONObject()
    members["status"] = status.map(JSON.int)
    if !headers.isEmpty { members["headers"] = headers.fields }
    members["excerpt"] = (excerpt?.text).map(JSON.string)
    if excerpt?.isCut ?? false { members["cut"] = true }
    members["look"] = (look?.number).map(JSON.int)
    members["lookedAt"] = (look?.at).map(JSON.timestamp)
    return .object(members)
  }

  init(_ data: EventReader) throws(UnreadableEvent) {
    var look: AnsweredLook?
    if let number = try data.optionalInt("look"), let at = try data.optionalTimestamp("lookedAt") {
      look = AnsweredLook(number: number, at: at)
    }
    let fields = try data.optional("headers", "an object of strings", \.labelsValue) ?? []
    self.init(
      status: try data.optionalInt("status"),
      headers: Dictionary(fields.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first }),
      excerpt: data.optionalString("excerpt").map { CallExcerpt(text: $0, isCut: data.flag("cut")) }, look: look)
  }
}

extension EventReader {
  /// Reads the answer that ended a call. Events of earlier versions have none.
  func answer() throws(UnreadableEvent) -> CallAnswer? {
    guard let data = try optional("answer") else { return nil }
    return try CallAnswer(data)
  }

  /// Reads a failure with the answer that it follows from.
  func failure() throws(UnreadableEvent) -> StepFailure {
    try StepFailure(nested("failure")).answered(by: try answer())
  }
}

extension JSONObject {
  /// Writes a failure with the answer that it follows from.
  mutating func write(_ failure: StepFailure) {
    self["failure"] = failure.json
    self["answer"] = failure.answer?.json
  }
}
