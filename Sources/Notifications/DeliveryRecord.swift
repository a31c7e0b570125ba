import JSON
import Persistence
import Values

/// What a sender remembers over a restart beside its checkpoints: its counts, since when it fails, and the number of
/// tries of each notice that blocks its shard.
struct DeliveryRecord: Hashable {
  static let collection = "notice.destinations"

  /// How often the notice at a position was tried.
  struct Tries: Hashable {
    var position: Int64
    var count: Int
    var since: Timestamp
    var notBefore: Timestamp
  }

  var delivered: Int64 = 0
  var lastDeliveredAt: Timestamp?
  var givenUp: Int64 = 0
  var lastGivenUpAt: Timestamp?
  var failures = 0
  var failingSince: Timestamp?
  var problem: NoticeStatus.Problem?
  var tries: [Int: Tries] = [:]
  var incidents = IncidentBook()

  init() {}

  func document(of name: String) -> Document {
    var row: JSONObject = [
      "delivered": .number(JSONNumber(delivered)), "givenUp": .number(JSONNumber(givenUp)), "failures": .int(failures),
    ]
    row["lastDeliveredAt"] = lastDeliveredAt.map(JSON.timestamp)
    row["lastGivenUpAt"] = lastGivenUpAt.map(JSON.timestamp)
    row["failingSince"] = failingSince.map(JSON.timestamp)
    row["problem"] = problem.map {
      ["code": .string($0.code), "message": .string($0.message), "at": .timestamp($0.at)]
    }
    if !incidents.entries.isEmpty { row["incidents"] = incidents.json }
    if !tries.isEmpty {
      row["tries"] = .array(
        tries.sorted { $0.key < $1.key }.map { shard, tries in
          [
            "shard": .int(shard), "position": .number(JSONNumber(tries.position)), "count": .int(tries.count),
            "since": .timestamp(tries.since), "notBefore": .timestamp(tries.notBefore),
          ]
        })
    }
    return Document(collection: Self.collection, id: name, sort: name, data: JSON.object(row).bytes())
  }

  /// A document that can't be read is one with nothing in it: that the destination isn't new is what matters most.
  init(_ document: Document) {
    guard let row = try? JSON(parsing: document.data, limits: .stored) else { return }
    delivered = row["delivered"]?.numberValue?.intValue.map(Int64.init) ?? 0
    givenUp = row["givenUp"]?.numberValue?.intValue.map(Int64.init) ?? 0
    failures = row["failures"]?.intValue ?? 0
    lastDeliveredAt = row.moment("lastDeliveredAt")
    lastGivenUpAt = row.moment("lastGivenUpAt")
    failingSince = row.moment("failingSince")
    if let problem = row["problem"], let at = problem.moment("at") {
      self.problem = .init(
        code: problem["code"]?.stringValue ?? "", message: problem["message"]?.stringValue ?? "", at: at)
    }
    incidents = IncidentBook(row["incidents"])
    for one in row["tries"]?.arrayValue ?? [] {
      guard let shard = one["shard"]?.intValue, let position = one["position"]?.intValue,
        let count = one["count"]?.intValue, let since = one.moment("since"), let notBefore = one.moment("notBefore")
      else { continue }
      tries[shard] = Tries(position: Int64(position), count: count, since: since, notBefore: notBefore)
    }
  }
}

extension JSON {
  fileprivate func moment(_ name: String) -> Timestamp? { self[name]?.stringValue.flatMap { Timestamp($0) } }
}
