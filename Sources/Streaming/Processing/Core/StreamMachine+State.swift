import JSON
import Values

// The state of a stream as documents:
//   summary               the definition's fingerprint, the watermark, the totals
//   partition/TOPIC/N     the next offset, the time of its latest event, the places that were seen
//   window/START/KEY      an open count
//   event/SIDE/ID         an event that waits for a partner
extension StreamMachine {
  /// Returns the changes since the last call. All changes together are the whole state.
  public mutating func takeChanges() -> StateChanges {
    var changes = StateChanges()
    guard isChanged else { return changes }
    var summary: JSONObject = ["fingerprint": .string(definition.fingerprint), "totals": totals.json]
    if let watermark { summary["watermark"] = .string(watermark.description) }
    changes.put(StoredState.summary, .object(summary))
    for partition in touched {
      var members: JSONObject = ["topic": .string(partition.topic), "number": .int(partition.number)]
      if let next = offsets[partition] { members["next"] = .int(Int(next)) }
      if let latest = watermarks?.latest(in: partition) { members["latest"] = .string(latest.description) }
      if let places = seen[partition] { members["seen"] = places.json }
      changes.put("\(StoredState.partition)\(partition)", .object(members))
    }
    counts?.takeChanges(into: &changes)
    pairs?.takeChanges(into: &changes)
    touched = []
    isChanged = false
    return changes
  }
}

/// A stream's documents, sorted.
struct StoredState {
  static let summary = "summary"
  static let partition = "partition/"

  private(set) var fingerprint: String?
  private(set) var totals = StreamTotals()
  private(set) var watermark: Timestamp?
  private(set) var latest: [StreamPartition: Timestamp] = [:]
  private(set) var offsets: [StreamPartition: Int64] = [:]
  private(set) var seen: [StreamPartition: SeenPlaces] = [:]
  /// The documents of the stream's work: counts or kept events.
  private(set) var others: [StateDocument] = []

  init(_ documents: [StateDocument]) throws(StreamError) {
    for document in documents {
      if document.id == Self.summary {
        try readSummary(document)
      } else if document.id.hasPrefix(Self.partition) {
        try readPartition(document)
      } else {
        others.append(document)
      }
    }
  }

  private mutating func readSummary(_ document: StateDocument) throws(StreamError) {
    guard let fingerprint = document.data["fingerprint"]?.stringValue,
      let totals = document.data["totals"].flatMap({ StreamTotals($0) })
    else { throw .unreadable(document.id) }
    self.fingerprint = fingerprint
    self.totals = totals
    watermark = try Self.time("watermark", of: document)
  }

  private mutating func readPartition(_ document: StateDocument) throws(StreamError) {
    guard let topic = document.data["topic"]?.stringValue, let number = document.data["number"]?.intValue,
      let next = document.data["next"]?.intValue
    else { throw .unreadable(document.id) }
    let partition = StreamPartition(topic: topic, number: number)
    offsets[partition] = Int64(next)
    latest[partition] = try Self.time("latest", of: document)
    guard let json = document.data["seen"] else { return }
    guard let places = SeenPlaces(json) else { throw .unreadable(document.id) }
    seen[partition] = places
  }

  private static func time(_ name: String, of document: StateDocument) throws(StreamError) -> Timestamp? {
    guard let json = document.data[name] else { return nil }
    guard let time = json.stringValue.flatMap({ Timestamp($0) }) else { throw .unreadable(document.id) }
    return time
  }
}
