import JSON
import Values

/// The answer of `GET /v1/sagas/{id}/events`: one page of the history.
public struct HistoryResponse: WireValue {
  public let events: [Event]
  /// The version to read after for the next page.
  public let next: Int?

  public init(events: [Event], next: Int? = nil) {
    self.events = events
    self.next = next
  }

  public init(_ members: Members) throws(UnexpectedMember) {
    events = try members.list("events")
    next = try members.intIfAny("next")
  }

  public var json: JSON {
    .members([
      "events": .list(events), "next": .integer(next),
    ])
  }

  /// One event as it is stored.
  public struct Event: WireValue {
    public let version: Int
    public let type: String
    public let recordedAt: Timestamp
    public let data: JSON
    public let meta: JSON?
    public let hash: String

    public init(version: Int, type: String, recordedAt: Timestamp, data: JSON, meta: JSON? = nil, hash: String) {
      self.version = version
      self.type = type
      self.recordedAt = recordedAt
      self.data = data
      self.meta = meta
      self.hash = hash
    }

    public init(_ members: Members) throws(UnexpectedMember) {
      version = try members.int("version")
      type = try members.text("type")
      recordedAt = try members.time("recordedAt")
      data = try members.json("data")
      meta = members.jsonIfAny("meta")
      hash = try members.text("hash")
    }

    public var json: JSON {
      .members([
        "version": .int(version), "type": .string(type), "recordedAt": .time(recordedAt), "data": data, "meta": meta,
        "hash": .string(hash),
      ])
    }
  }
}
