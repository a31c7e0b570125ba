import JSON
import Persistence
public import Values

/// A notice that was given up after a long time of tries, because further tries would only delay the notices behind it.
public struct DeadNotice: Sendable, Hashable {
  static let collection = "notice.letters"

  public let destination: String
  public let id: String
  public let type: String
  public let at: Timestamp
  public let summary: String
  public let attempts: Int
  public let givenUpAt: Timestamp
  public let code: String
  public let message: String

  public init(
    destination: String, id: String, type: String, at: Timestamp, summary: String, attempts: Int, givenUpAt: Timestamp,
    code: String, message: String
  ) {
    self.destination = destination
    self.id = id
    self.type = type
    self.at = at
    self.summary = summary
    self.attempts = attempts
    self.givenUpAt = givenUpAt
    self.code = code
    self.message = message
  }

  /// The name of its document.
  static func name(_ destination: String, _ notice: String) -> DocumentName {
    DocumentName(collection: collection, id: "\(destination)/\(notice)")
  }

  /// - Parameter notice: stored whole beside the members of the list.
  func document(of notice: Notice) -> Document {
    let data: JSON = [
      "destination": .string(destination), "notice": notice.data, "attempts": .int(attempts),
      "givenUpAt": .timestamp(givenUpAt), "code": .string(code), "message": .string(message),
    ]
    return Document(
      collection: Self.collection, id: Self.name(destination, id).id, sort: givenUpAt.description,
      fields: ["destination": destination], data: data.bytes())
  }

  /// - Returns: nil when the document can't be read.
  init?(_ document: Document) {
    guard let row = try? JSON(parsing: document.data, limits: .stored), let notice = row["notice"],
      let destination = row["destination"]?.stringValue, let id = notice["id"]?.stringValue,
      let type = notice["type"]?.stringValue, let at = notice["at"]?.stringValue.flatMap({ Timestamp($0) }),
      let givenUpAt = row["givenUpAt"]?.stringValue.flatMap({ Timestamp($0) })
    else { return nil }
    self.init(
      destination: destination, id: id, type: type, at: at, summary: notice["summary"]?.stringValue ?? "",
      attempts: row["attempts"]?.intValue ?? 0, givenUpAt: givenUpAt, code: row["code"]?.stringValue ?? "",
      message: row["message"]?.stringValue ?? "")
  }
}

extension Notice {
  /// Reads a notice that was given up, unchanged.
  init?(deadNotice: Document) {
    guard let row = try? JSON(parsing: deadNotice.data, limits: .stored), let told = row["notice"]?.objectValue,
      let id = told["id"]?.stringValue, let type = told["type"]?.stringValue.flatMap(NoticeType.init),
      let at = told["at"]?.stringValue.flatMap({ Timestamp($0) }), let summary = told["summary"]?.stringValue,
      let subject = id.split(separator: "/").first
    else { return nil }
    var details = told
    for name in ["id", "type", "at", "summary"] { details[name] = nil }
    self.init(id: id, type: type, at: at, subject: String(subject), summary: summary, details: details)
  }
}
