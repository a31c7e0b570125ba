import JSON
import Values
import Workflows

// The lines of a snapshot that have the items of the saga's steps.

extension JSON {
  init?(line: ArraySlice<UInt8>) {
    guard let json = line.withUnsafeBufferPointer({ try? JSON(parsing: $0, limits: .stored) }) else { return nil }
    self = json
  }
}

extension ItemStates {
  var snapshotJSON: JSON {
    var members: JSONObject = ["count": .int(count), "digest": .string(digest), "begun": .int(begun)]
    if queued > 0 { members["again"] = .array(again.map { .int($0) }) }
    members["undoneFrom"] = undoneFrom.map(JSON.int)
    members["rounds"] = .int(rounds)
    return .object(members)
  }

  /// Writes a line for each item that has begun: a settled one in its short form.
  func writeLines(to bytes: inout [UInt8]) {
    bytes.reserveCapacity((0..<begun).reduce(bytes.count) { $0 + 1 + (states.slot($1).text?.count ?? 0) })
    for number in 0..<begun {
      bytes.append(UInt8(ascii: "\n"))
      switch states.slot(number) {
      case .settled(let item): bytes += item.text
      case .whole(let item): (item.state.short ?? item.state.snapshotJSON).write(to: &bytes)
      }
    }
  }

  /// - Parameters:
  ///   - step: the id of the step that has the items.
  ///   - lines: the lines from its first item on. The lines of its items are taken.
  init(
    _ data: EventReader, of step: String, _ lines: inout ArraySlice<ArraySlice<UInt8>>
  ) throws(UnreadableEvent) {
    let (count, begun) = (try data.int("count"), try data.optionalInt("begun") ?? 0)
    guard (0...ForEach.mostItems).contains(count) else { throw data.unreadable("count") }
    guard (0...min(count, lines.count)).contains(begun) else { throw data.unreadable("begun") }
    self.init(of: step, count: count, digest: try data.string("digest"))
    for number in 0..<begun {
      guard let line = lines.popFirst(), let json = JSON(line: line) else { throw data.unreadable("items") }
      let state = try StepState(item: json, of: step, number)
      append(state, ItemSlot(state, readFrom: line))
    }
    // Older shapes have the items here.
    for value in data.values("states") {
      guard self.begun < count else { throw data.unreadable("states") }
      append(try StepState(item: value, of: step, self.begun))
    }
    restore(
      again: data.values("again").compactMap(\.intValue), undoneFrom: try data.optionalInt("undoneFrom"),
      rounds: try data.int("rounds"))
  }
}

extension StepState {
  /// Reads an item.
  fileprivate init(item json: JSON, of step: String, _ number: Int) throws(UnreadableEvent) {
    if json["key"] != nil {
      try self.init(short: json, of: step, number)
    } else {
      let data = EventReader(json, of: "snapshot.item")
      try self.init(data)
      guard let item = ItemID(id), item.step == step else { throw data.unreadable("id") }
      self.item = Item(step: step, key: item.key, number: number)
    }
  }
}

/// The short form of an item that has settled: the members of a state that differ from those of nearly all such items.
/// `at` has the times of an item that was done in one attempt, and undone in one: when it began in milliseconds since
/// 1970, and how long it took; how much later its undo began, and how long that took.
///
///     {"key": "W-1", "at": [1764522561123, 15], "output": {"ok": true}}
extension StepState {
  private static let usual: JSONObject = [
    "status": "succeeded", "round": 1, "outcome": "succeeded", "undo": ["count": 0],
  ]
  /// The members of the first two times, and of the other two.
  private static let done: Set<String> = ["forward", "startedAt", "endedAt"]
  private static let undone: Set<String> = ["status", "undo", "undoEndedAt", "undoHow"]
  private static let once: JSON = ["count": 1]
  /// The milliseconds from 1970 to the end of the year 9999. A damaged snapshot may have any numbers.
  private static let longest = 253_402_300_799_999

  /// The item in its short form; nil for a step, and for an item that has not settled.
  var short: JSON? {
    guard let item, isSettled, case .object(let members) = snapshotJSON else { return nil }
    var (short, left): (JSONObject, Set<String>) = (["key": .string(item.key)], ["id"])
    if let startedAt, let endedAt, forward == .one(at: startedAt) {
      var times = [startedAt.milliseconds, endedAt.milliseconds - startedAt.milliseconds]
      left.formUnion(Self.done)
      if let undoAt = undo.startedAt, let undoEndedAt, undo == .one(at: undoAt),
        undoHow == UndoSuccess.answered.rawValue
      {
        times += [undoAt.milliseconds - endedAt.milliseconds, undoEndedAt.milliseconds - undoAt.milliseconds]
        left.formUnion(Self.undone)
      }
      short["at"] = .array(times.map { .number(JSONNumber($0)) })
    }
    for (name, value) in members where !left.contains(name) && Self.usual[name] != value { short[name] = value }
    return .object(short)
  }

  /// Reads the short form.
  init(short: JSON, of step: String, _ number: Int) throws(UnreadableEvent) {
    let data = EventReader(short, of: "snapshot.item")
    let key = try data.string("key")
    guard ForEach.isKey(key) else { throw data.unreadable("key") }
    let times =
      try data.optional("at", "a list of times") { at in
        at.elements { $0.intValue.flatMap { (-Self.longest...Self.longest).contains($0) ? Int64($0) : nil } }
      } ?? []
    var members = Self.usual
    if times.count >= 2 { members["forward"] = Self.once }
    if times.count >= 4 {
      (members["status"], members["undo"]) = (.word(StepStatus.undone), Self.once)
      members["undoHow"] = .word(UndoSuccess.answered)
    }
    for (name, value) in short.objectValue ?? [:] where name != "key" && name != "at" { members[name] = value }
    members["id"] = .string(ItemID(step: step, key: key).text)
    try self.init(EventReader(.object(members), of: "snapshot.item"))
    item = Item(step: step, key: key, number: number)
    // Each time follows from the one before.
    let dates = times.reduce(into: [Int64]()) { $0.append(($0.last ?? 0) + $1) }.map(Timestamp.init)
    if times.count >= 2 { (startedAt, forward.startedAt, endedAt) = (dates[0], dates[0], dates[1]) }
    if times.count >= 4 { (undo.startedAt, undoEndedAt) = (dates[2], dates[3]) }
  }

  private var isSettled: Bool {
    switch stage {
    case .succeeded, .failed, .skipped, .undone, .undoFailed: true
    case .pending, .queued, .running, .backingOff, .waiting, .polling, .open, .undoing, .undoBackingOff, .undoWaiting:
      false
    }
  }
}
