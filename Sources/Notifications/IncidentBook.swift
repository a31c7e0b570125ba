import JSON
import Persistence
import Values

/// What one destination knows of incidents, so that 37 sagas with the same trouble make one notice.
///
/// The first saga of an incident opens it. Its notice waits for a short time, and then says how many others came with
/// it. Later sagas make no notice until they are ten times as many as the last notice said, or until the incident still
/// grows after a long time. An incident is over when its sagas have left it; the next one opens it again.
struct IncidentBook: Hashable {
  /// An open incident.
  struct Entry: Hashable {
    /// The id of the notice that is on its way; nil when the last one was delivered.
    var telling: String?
    /// When this notice may be sent.
    var notBefore: Timestamp
    /// When a notice of it was last delivered; nil before the first delivery.
    var toldAt: Timestamp?
    /// The number of sagas that the last delivered notice said.
    var told = 0
    /// The sagas that have come since the incident opened. A saga that comes again counts again.
    var count = 1
  }

  /// What becomes of a notice.
  enum Decision: Hashable {
    /// It is sent, at this time or later.
    case tell(notBefore: Timestamp)
    /// Another notice counts its saga.
    case leaveOut
    /// The incident is open, and a notice of it was delivered: `stillOpen` and `closed` decide.
    case ask
  }

  /// The most incidents that are remembered. A forgotten one is opened again by its next saga.
  static let most = 1_000
  /// By how much an incident must have grown for another notice.
  static let growth = 10

  private(set) var entries: [String: Entry] = [:]

  /// Notes a notice about a saga of an incident.
  /// - Parameters:
  ///   - id: the id of the notice. After a restart the same notice may come again.
  ///   - wait: how long the notice of a new incident waits for other sagas.
  mutating func note(_ incident: String, id: String, at now: Timestamp, wait: Duration) -> Decision {
    guard let entry = entries[incident] else { return open(incident, id: id, at: now, wait: wait) }
    if entry.telling == id { return .tell(notBefore: entry.notBefore) }
    if entry.telling == nil { return .ask }
    entries[incident]?.count += 1
    return .leaveOut
  }

  /// Opens an incident: the sagas of an earlier one with the same id have left it.
  mutating func open(_ incident: String, id: String, at now: Timestamp, wait: Duration) -> Decision {
    entries[incident] = Entry(telling: id, notBefore: now + wait)
    forgetOldest()
    return .tell(notBefore: now + wait)
  }

  /// Notes that a saga has come to an incident of which a notice was delivered.
  /// - Parameters:
  ///   - size: the sagas that are in it now; nil when that is not known.
  ///   - again: after how long another notice says that it still grows.
  mutating func stillOpen(
    _ incident: String, id: String, size: Int?, at now: Timestamp, wait: Duration, again: Duration
  ) -> Decision {
    guard var entry = entries[incident] else { return open(incident, id: id, at: now, wait: wait) }
    defer { entries[incident] = entry }
    entry.count += 1
    let sagas = size ?? entry.count
    let hasGrown = sagas >= entry.told * Self.growth
    guard hasGrown || (entry.toldAt.map { now - $0 >= again } ?? true) else { return .leaveOut }
    entry.telling = id
    entry.notBefore = now + wait
    return .tell(notBefore: entry.notBefore)
  }

  /// Returns the number of sagas that a notice about to be sent has to say.
  /// - Parameter size: the sagas that are in the incident now; nil when that is not known.
  func sagas(in incident: String, size: Int?) -> Int {
    // A read model that has not caught up has fewer than have come.
    max(1, entries[incident].map { $0.toldAt == nil ? max($0.count, size ?? 0) : size ?? $0.count } ?? 1)
  }

  mutating func didTell(_ incident: String, id: String, sagas: Int, at now: Timestamp) {
    guard entries[incident]?.telling == id else { return }
    entries[incident]?.telling = nil
    entries[incident]?.toldAt = now
    entries[incident]?.told = sagas
  }

  /// Notes that a notice was given up. If it was the first one, the next saga opens the incident again.
  mutating func didGiveUp(_ incident: String, id: String) {
    guard let entry = entries[incident], entry.telling == id else { return }
    entries[incident]?.telling = nil
    if entry.toldAt == nil { entries[incident] = nil }
  }

  private mutating func forgetOldest() {
    guard entries.count > Self.most else { return }
    let told = entries.filter { $0.value.telling == nil }
    let oldest = told.min { ($0.value.notBefore, $0.key) < ($1.value.notBefore, $1.key) }
    if let oldest { entries[oldest.key] = nil }
  }

  // MARK: In the destination's record

  var json: JSON {
    .object(
      JSONObject(
        entries.sorted { $0.key < $1.key }.map { incident, entry in
          var members: JSONObject = [
            "notBefore": .timestamp(entry.notBefore), "told": .int(entry.told), "count": .int(entry.count),
          ]
          members["telling"] = entry.telling.map(JSON.string)
          members["toldAt"] = entry.toldAt.map(JSON.timestamp)
          return (incident, .object(members))
        }))
  }

  init() {}

  /// An incident that can't be read is opened again by its next saga.
  init(_ json: JSON?) {
    for (incident, entry) in json?.objectValue ?? [:] {
      guard let notBefore = entry["notBefore"]?.stringValue.flatMap({ Timestamp($0) }),
        let told = entry["told"]?.intValue, let count = entry["count"]?.intValue
      else { continue }
      entries[incident] = Entry(
        telling: entry["telling"]?.stringValue, notBefore: notBefore,
        toldAt: entry["toldAt"]?.stringValue.flatMap { Timestamp($0) }, told: told, count: count)
    }
  }
}

/// The sagas that are in an incident, as the read model knows them.
struct IncidentSizes: Sendable {
  /// Returns whether sagas besides this one are in the incident; nil when that is not known.
  let hasOthers: @Sendable (_ incident: String, _ saga: String) async -> Bool?
  /// Returns the number of sagas in the incident; nil when that is not known.
  let count: @Sendable (_ incident: String) async -> Int?

  static let unknown = IncidentSizes(hasOthers: { _, _ in nil }, count: { _ in nil })
}

extension Notice {
  /// The incident that the notice's saga belongs to; nil when each saga gets its own notice.
  var incident: String? { details["incident"]?["id"]?.stringValue }

  /// Returns the notice with the number of sagas that have the same trouble.
  func saying(sagas: Int) -> Notice {
    guard var incident = details["incident"]?.objectValue else { return self }
    var details = details
    incident["sagas"] = .int(sagas)
    details["incident"] = .object(incident)
    let more = sagas - 1
    let others = more == 1 ? "1 more saga has" : "\(more) more sagas have"
    return Notice(
      id: id, type: type, at: at, subject: subject,
      summary: more > 0 ? "\(summary) \(others) the same trouble." : summary, details: details)
  }
}
