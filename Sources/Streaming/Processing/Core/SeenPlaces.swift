import JSON
import Values

/// Knows the events of a partition that have come before, when they say where they stand in the store they come from.
///
/// What an event store sends comes at least once, in order of its positions shard by shard: an event at a position that
/// has been passed is a repeat. A store that was made anew begins again at 1; its events are later than all before.
struct SeenPlaces: Sendable {
  private struct Shard: Hashable {
    let source: String
    let number: Int
  }
  private struct Mark {
    var position: Int64
    /// The latest time of an event up to there.
    var latest: Timestamp?
  }
  private var marks: [Shard: Mark] = [:]

  /// More sources than any partition has; those that have been silent longest are forgotten.
  static let most = 1_024

  init() {}

  /// Notes an event.
  /// - Returns: whether it has come before.
  mutating func isRepeat(_ event: StreamEvent) -> Bool {
    guard let place = event.place else { return false }
    let shard = Shard(source: place.source, number: place.shard)
    guard let mark = marks[shard], place.position <= mark.position, !isLater(event.time, than: mark.latest) else {
      let latest = [marks[shard]?.latest, event.time].compactMap { $0 }.max()
      marks[shard] = Mark(position: place.position, latest: latest)
      if marks.count > Self.most { forgetOldest() }
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
    let oldest = marks.min {
      ($0.value.latest ?? earliest, $0.key.source, $0.key.number)
        < ($1.value.latest ?? earliest, $1.key.source, $1.key.number)
    }
    if let oldest { marks[oldest.key] = nil }
  }

  // MARK: State

  var json: JSON {
    let sorted = marks.sorted { ($0.key.source, $0.key.number) < ($1.key.source, $1.key.number) }
    return .array(
      sorted.map { shard, mark in
        var members: JSONObject = [
          "source": .string(shard.source), "shard": .int(shard.number), "position": .int(Int(mark.position)),
        ]
        if let latest = mark.latest { members["latest"] = .string(latest.description) }
        return .object(members)
      })
  }

  /// - Returns: nil when this is nothing that was stored.
  init?(_ json: JSON) {
    guard let values = json.arrayValue else { return nil }
    for value in values {
      guard let source = value["source"]?.stringValue, let shard = value["shard"]?.intValue,
        let position = value["position"]?.intValue
      else { return nil }
      marks[Shard(source: source, number: shard)] = Mark(
        position: Int64(position), latest: value["latest"]?.stringValue.flatMap { Timestamp($0) })
    }
  }
}
