import JSON

/// Finds the differences of two JSON Schemas, as the changes of the data that they describe.
struct SchemaDifference {
  private(set) var changes: [Change] = []

  /// - Parameter part: the name of the data, as `input`.
  mutating func compare(_ before: JSON?, _ after: JSON?, as part: String) {
    if before == after { return }
    switch (before, after) {
    case (.object(let before)?, .object(let after)?): compare(before, after, as: part)
    case (nil, let after?): changes.append(Change(part, nil, after, says: "has a schema now"))
    case (let before?, nil): changes.append(Change(part, before, nil, says: "has no schema any more"))
    case (let before, let after): changes.append(Change(part, before, after))
    }
  }

  private mutating func compare(_ before: JSONObject, _ after: JSONObject, as part: String) {
    let (required, requiredNow) = (Self.names(before["required"]), Self.names(after["required"]))
    let (members, membersNow) = (Self.members(before), Self.members(after))
    for name in membersNow.keys where members[name] == nil {
      changes.append(
        Change(
          ValueDifference.member(name, of: part), nil, membersNow[name],
          says: requiredNow.contains(name) ? "new member, required" : "new member"))
    }
    for name in members.keys {
      let part = ValueDifference.member(name, of: part)
      guard let now = membersNow[name] else {
        changes.append(Change(part, members[name], nil, says: "member removed"))
        continue
      }
      note(name, as: part, required, requiredNow)
      compare(members[name], now, as: part)
    }
    // A schema may require members that it does not describe.
    for name in required + requiredNow.filter({ !required.contains($0) })
    where members[name] == nil && membersNow[name] == nil {
      note(name, as: ValueDifference.member(name, of: part), required, requiredNow)
    }
    switch (before["items"], after["items"]) {
    case (.object(let items)?, .object(let itemsNow)?): compare(items, itemsNow, as: part + "[*]")
    case (let items, let itemsNow): keyword("items", items, itemsNow, of: part)
    }
    let known: Set = ["properties", "required", "items"]
    for name in before.keys + after.keys.filter({ before[$0] == nil }) where !known.contains(name) {
      keyword(name, before[name], after[name], of: part)
    }
  }

  private mutating func note(_ name: String, as part: String, _ required: [String], _ requiredNow: [String]) {
    switch (required.contains(name), requiredNow.contains(name)) {
    case (false, true): changes.append(Change(part, nil, nil, says: "now required"))
    case (true, false): changes.append(Change(part, nil, nil, says: "no longer required"))
    case (true, true), (false, false): break
    }
  }

  private mutating func keyword(_ name: String, _ before: JSON?, _ after: JSON?, of part: String) {
    var difference = ValueDifference()
    difference.compare(before, after, as: "\(part), \(name)")
    changes += difference.changes
  }

  private static func members(_ schema: JSONObject) -> JSONObject { schema["properties"]?.objectValue ?? [:] }

  private static func names(_ json: JSON?) -> [String] { json?.arrayValue?.compactMap(\.stringValue) ?? [] }
}
