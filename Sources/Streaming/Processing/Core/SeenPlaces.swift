import JSON
import Values

/// Recognises repeated events of a partition by their position in the store that published them.
///
/// A store publishes its events at least once, and in order of their positions within a shard. An event at a position that
/// was passed is a repeat. A store that was created again begins at position 1; its events have later times than all
/// events before.
struct SeenPlaces: Sendable {
  private struct Shard: Hashable {
    let source: String
    let number: Int
  }
  private struct LastSeen {
    var position: Int64
    /// The latest time of an event up to this position.
    var latest: Timestamp?
  }
  private var lastSeen: [Shard: LastSeen] = [:]

  /// The largest number of shards that are kept; more than any partition has. The shard with the oldest event goes first.
  static let most = 1_024

  init() {}

  /// Notes an event.
  /// - Returns: whether it is a repeat.
  mutating func isRepeat(_ event: StreamEvent) -> Bool {
    guard let place = event.place else { return false }
    let shard = Shard(source: place.source, number: place.shard)
    guard let seen = lastSeen[shard], place.position <= seen.position, !isLater(event.time, than: seen.latest) else {
      let latest = [lastSeen[shard]?.latest, event.time].compactMap { $0 }.max()
      lastSeen[shard] = LastSeen(position: place.position, latest: latest)
      if lastSeen.count > Self.most { forgetOldest() }
      return false
    }
    return true
  }

  private func isLater(_ time: Timestamp?, than latest: Timestamp?) -> Bool {
    guard let time, let latest else { return false }
    return time > latest
  }

  private mutating func forgetOldest() {
    let earliest = Timestamp(milliseconds: .min)
    let oldest = lastSeen.min {
      ($0.value.latest ?? earliest, $0.key.source, $0.key.number)
        < ($1.value.latest ?? earliest, $1.key.source, $1.key.number)
    }
    if let oldest { lastSeen[oldest.key] = nil }
  }

  // MARK: State

  var json: JSON {
    let sorted = lastSeen.sorted { ($0.key.source, $0.key.number) < ($1.key.source, $1.key.number) }
    return .array(
      sorted.map { shard, seen in
        var members: JSONObject = [
          "source": .string(shard.source), "shard": .int(shard.number), "position": .int(Int(seen.position)),
        ]
        if let latest = seen.latest { members["latest"] = .string(latest.description) }
        return .object(members)
      })
  }

  /// - Returns: nil when this is not the JSON of stored places.
  init?(_ json: JSON) {
    guard let values = json.arrayValue else { return nil }
    for value in values {
      guard let source = value["source"]?.stringValue, let shard = value["shard"]?.intValue,
        let position = value["position"]?.intValue
      else { return nil }
      lastSeen[Shard(source: source, number: shard)] = LastSeen(
        position: Int64(position), latest: value["latest"]?.stringValue.flatMap { Timestamp($0) })
    }
  }
}
