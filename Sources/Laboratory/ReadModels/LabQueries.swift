import HTTP
import JSON
import Persistence
import Values

/// Asks the read models; every answer shows at least every command that this process has answered before.
struct LabQueries: Sendable {
  let store: any EventStore
  let projector: Projector
  let desk: CommandDesk

  typealias Collection = LabProjection.Collection

  /// A page of a list, and where the next one begins.
  struct Page {
    var items: [JSON]
    var next: String?

    var json: JSON { .members(("items", .array(items)), ("next", .text(next))) }
  }

  /// What of a list is wanted.
  struct Wanted {
    var collection: Collection
    var fields: [String: String] = [:]
    var from: String?
    var below: String?
    /// Holds for what is wanted; what it refuses is passed over.
    var matches: (@Sendable (Document) -> Bool)?
  }

  private static let most = 1_000

  /// A list as a request asks for it: `limit` and `cursor`.
  func list(_ wanted: Wanted, _ request: HTTPServerRequest) async throws -> Page {
    let limit = try Self.limit(request)
    try await catchUp()
    var after: DocumentCursor?
    if let cursor = request.query("cursor") {
      guard let document = try await store.document(collection: wanted.collection.rawValue, id: cursor) else {
        throw Self.wrong("cursor", "is none that a list of this kind gave")
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
        // One more than the page holds says that there is a next page.
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

  /// Everything of a collection.
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

  func catchUp() async throws { try await projector.caughtUp(to: desk.positions) }

  static func limit(_ request: HTTPServerRequest) throws(LabRefusal) -> Int {
    guard let text = request.query("limit") else { return 100 }
    guard let limit = Int(text), (1...most).contains(limit) else {
      throw wrong("limit", "must be a whole number from 1 to \(most)")
    }
    return limit
  }

  /// The moment in a parameter: an RFC 3339 date-time, or a date, which is its first moment in UTC.
  static func moment(_ name: String, _ request: HTTPServerRequest) throws(LabRefusal) -> Timestamp? {
    guard let text = request.query(name) else { return nil }
    if let moment = Timestamp(text) ?? Timestamp("\(text)T00:00:00Z") { return moment }
    throw wrong(name, "must be a date or an RFC 3339 date-time, as 2026-03-01 or 2026-03-01T08:15:00Z")
  }

  static func wrong(_ parameter: String, _ message: String) -> LabRefusal {
    LabRefusal(
      LabErrorCode.invalid, status: 400, "The parameter \(parameter) \(message).",
      places: [LabRefusal.Place(pointer: "?\(parameter)", message: message)])
  }
}
