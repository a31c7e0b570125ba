import HTTP
import JSON
import Persistence
import Values

/// Queries the read models. Every answer shows at least the commands that this process has answered before.
struct LabQueries: Sendable {
  let store: any EventStore
  let projector: Projector
  let commandHandler: CommandHandler

  typealias Collection = LabProjection.Collection

  /// A page of a list, and the cursor of the next one.
  struct Page {
    var items: [JSON]
    var next: String?

    var json: JSON { .members(("items", .array(items)), ("next", .text(next))) }
  }

  /// The filter of a list.
  struct Wanted {
    var collection: Collection
    var fields: [String: String] = [:]
    var from: String?
    var below: String?
    /// Returns whether a document belongs in the list; nil takes all.
    var matches: (@Sendable (Document) -> Bool)?
  }

  private static let most = 1_000

  /// Returns a page of a list, by the request's `limit` and `cursor`.
  func list(_ wanted: Wanted, _ request: HTTPServerRequest) async throws -> Page {
    let limit = try Self.limit(request)
    try await catchUp()
    var after: DocumentCursor?
    if let cursor = request.query("cursor") {
      guard let document = try await store.document(collection: wanted.collection.rawValue, id: cursor) else {
        throw Self.wrong("cursor", "does not come from a list of this kind")
      }
      after = document.cursor
    }
    var page = Page(items: [], next: nil)
    var last: Document?
    while true {
      let documents = try await store.documents(
        DocumentQuery(
          collection: wanted.collection.rawValue, fields: wanted.fields, sortFrom: wanted.from, sortBelow: wanted.below,
          after: after, limit: limit + 1))
      for document in documents where wanted.matches?(document) ?? true {
        // One more document than the page takes means that there is a next page.
        if page.items.count == limit {
          page.next = last?.id
          return page
        }
        page.items.append(try JSON(parsing: document.data))
        last = document
      }
      guard documents.count > limit, let end = documents.last else { return page }
      after = end.cursor
    }
  }

  /// Returns all documents of a collection.
  func all(_ collection: Collection, fields: [String: String] = [:]) async throws -> [JSON] {
    try await catchUp()
    var items: [JSON] = []
    var after: DocumentCursor?
    while true {
      let documents = try await store.documents(
        DocumentQuery(collection: collection.rawValue, fields: fields, after: after, limit: Self.most))
      for document in documents { items.append(try JSON(parsing: document.data)) }
      guard documents.count == Self.most, let last = documents.last else { return items }
      after = last.cursor
    }
  }

  func document(_ collection: Collection, _ id: String) async throws -> JSON? {
    try await catchUp()
    return try await store.document(collection: collection.rawValue, id: id).map { try JSON(parsing: $0.data) }
  }

  func catchUp() async throws { try await projector.caughtUp(to: commandHandler.positions) }

  static func limit(_ request: HTTPServerRequest) throws(LabRefusal) -> Int {
    guard let text = request.query("limit") else { return 100 }
    guard let limit = Int(text), (1...most).contains(limit) else {
      throw wrong("limit", "must be a whole number from 1 to \(most)")
    }
    return limit
  }

  /// Returns the time in a parameter: an RFC 3339 date-time, or a date, which means its midnight in UTC.
  static func time(_ name: String, _ request: HTTPServerRequest) throws(LabRefusal) -> Timestamp? {
    guard let text = request.query(name) else { return nil }
    if let time = Timestamp(text) ?? Timestamp("\(text)T00:00:00Z") { return time }
    throw wrong(name, "must be a date or an RFC 3339 date-time, as 2026-03-01 or 2026-03-01T08:15:00Z")
  }

  static func wrong(_ parameter: String, _ message: String) -> LabRefusal {
    LabRefusal(
      LabErrorCode.invalid, status: 400, "The parameter \(parameter) \(message).",
      places: [LabRefusal.Place(pointer: "?\(parameter)", message: message)])
  }
}
