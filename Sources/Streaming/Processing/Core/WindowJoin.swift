import JSON
import Values

/// Pairs events of two sides that have the same key and whose times differ by at most a bound.
///
/// An event is kept while a partner may still come: until the watermark is past its time plus the bound. A pair is sent
/// when its second event comes. Both events are kept while either may come again, so a repeat makes no second pair.
struct WindowJoin: Sendable {
  enum Side: String, Sendable { case left, right }

  struct Taken: Sendable, Hashable {
    var outputs: [StreamOutput] = []
    /// The reason why the event is late; nil when no partner can have been dropped before it came.
    var lateness: String?
    /// Whether the event was kept already.
    var isRepeat = false
  }

  private struct Kept: Sendable {
    let side: Side
    let key: String
    let time: Timestamp
    let identity: String
    let document: JSON

    var name: Name { Name(side: side, key: key, identity: identity) }
  }

  private let name: String
  private let type: String
  private let within: Duration
  /// By key, then by side and identity.
  private var kept: [String: [Name: Kept]] = [:]
  /// The names of kept events by the latest time that a partner may have; in whole seconds, rounded up.
  private var expiries: [Int64: [Name]] = [:]
  /// The smallest key of `expiries`.
  private var firstExpiry: Int64?
  private var changed: [Name: Kept?] = [:]
  private(set) var count = 0

  private struct Name: Hashable {
    let side: Side
    let key: String
    let identity: String

    var id: String { "event/\(side.rawValue)/" + StreamOutput.id(key, identity) }
  }

  /// - Parameter documents: the stored kept events.
  init(_ plan: JoinPlan, name: String, type: String, restoring documents: [StateDocument] = []) throws(StreamError) {
    self.name = name
    self.type = type
    within = plan.within
    for document in documents { try restore(document) }
  }

  /// Pairs an event with the kept events of the other side.
  mutating func take(
    _ event: StreamEvent, on side: Side, key: String, at time: Timestamp, watermark: Timestamp?
  ) -> Taken {
    var taken = Taken()
    if let watermark, time < watermark {
      taken.lateness =
        "The event's time \(time) is before the watermark, \(watermark). Its partners may have been dropped before it came."
    }
    // So late that no partner is kept any more, and none will come.
    if let watermark, time + within < watermark { return taken }
    let one = Kept(
      side: side, key: key, time: time, identity: event.identity, document: event.document.withoutPlace)
    if kept[key]?[one.name] != nil {
      taken.isRepeat = true
      return taken
    }
    let partners = kept[key, default: [:]].values.filter { other in
      // An event that both sides take is not its own partner.
      other.side != side && other.identity != one.identity && near(other.time, time)
    }
    let ordered = partners.sorted { ($0.time.milliseconds, $0.identity) < ($1.time.milliseconds, $1.identity) }
    taken.outputs = ordered.map { side == .left ? pair(one, $0) : pair($0, one) }
    keep(one)
    changed[one.name] = .some(one)
    return taken
  }

  /// Drops kept events for which no partner can come any more.
  mutating func expire(to watermark: Timestamp) {
    let passed = Self.second(of: watermark)
    guard let first = firstExpiry, first < passed else { return }
    for second in expiries.keys where second < passed {
      for name in expiries.removeValue(forKey: second) ?? [] {
        kept[name.key]?[name] = nil
        if kept[name.key]?.isEmpty ?? false { kept[name.key] = nil }
        changed[name] = .some(nil)
        count -= 1
      }
    }
    firstExpiry = expiries.keys.min()
  }

  private func near(_ left: Timestamp, _ right: Timestamp) -> Bool {
    abs(left.milliseconds - right.milliseconds) <= within.roundedUpMilliseconds
  }

  private mutating func keep(_ one: Kept) {
    kept[one.key, default: [:]][one.name] = one
    let expiry = Self.second(of: one.time + within)
    expiries[expiry, default: []].append(one.name)
    firstExpiry = min(expiry, firstExpiry ?? expiry)
    count += 1
  }

  private static func second(of time: Timestamp) -> Int64 { (time.milliseconds + 999) / 1_000 }

  private func pair(_ left: Kept, _ right: Kept) -> StreamOutput {
    StreamOutput(
      id: StreamOutput.id(name, left.key, left.identity, right.identity), type: type, key: left.key,
      time: max(left.time, right.time),
      data: ["key": .string(left.key), "left": left.document, "right": right.document])
  }

  // MARK: State

  private static let prefix = "event/"

  mutating func takeChanges(into changes: inout StateChanges) {
    for (name, one) in changed {
      if let one {
        changes.put(
          name.id,
          [
            "side": .string(one.side.rawValue), "key": .string(one.key), "identity": .string(one.identity),
            "time": .string(one.time.description), "event": one.document,
          ])
      } else {
        changes.delete(name.id)
      }
    }
    changed = [:]
  }

  private mutating func restore(_ document: StateDocument) throws(StreamError) {
    let data = document.data
    guard document.id.hasPrefix(Self.prefix), let side = data["side"]?.stringValue.flatMap({ Side(rawValue: $0) }),
      let key = data["key"]?.stringValue,
      let identity = data["identity"]?.stringValue, let time = data["time"]?.stringValue.flatMap({ Timestamp($0) }),
      let event = data["event"]
    else { throw .unreadable(document.id) }
    keep(Kept(side: side, key: key, time: time, identity: identity, document: event))
  }
}

extension JSON {
  /// The document without its place in Kafka. A repeat has another place; without it the pair is the same, byte for byte.
  fileprivate var withoutPlace: JSON {
    guard case .object(var members) = self else { return self }
    members["kafka"] = nil
    return .object(members)
  }
}
