import JSON

/// A small part of what a registry looks at for `BACKWARD`: whether who has the new schema can read what was written
/// with the old one.
public enum BackwardCheck {
  public static func problems(from old: JSON, to new: JSON, at path: String = "#") -> [String] {
    var found: [String] = []
    let wanted = names(new["required"]).subtracting(names(old["required"]))
    for name in wanted.sorted() { found.append("\(path) requires '\(name)', which it did not before") }
    let isClosed = new["additionalProperties"] == false
    if isClosed, old["additionalProperties"] != false, old["properties"] != nil || old["type"] == "object" {
      found.append("\(path) allows no further members, as it did before")
    }
    let properties = new["properties"]?.objectValue ?? [:]
    for name in old["properties"]?.objectValue?.keys ?? [] where isClosed && properties[name] == nil {
      found.append("\(path) allows no '\(name)' any more")
    }
    let choices = new["anyOf"]?.arrayValue ?? []
    for choice in old["anyOf"]?.arrayValue ?? [] where new["anyOf"] != nil && !choices.contains(choice) {
      found.append("\(path) offers no \(choice.text()) any more")
    }
    for group in ["properties", "$defs"] {
      for (name, inner) in old[group]?.objectValue ?? [:] {
        if let next = new[group]?[name] { found += problems(from: inner, to: next, at: "\(path)/\(group)/\(name)") }
      }
    }
    if let inner = old["items"], let next = new["items"] {
      found += problems(from: inner, to: next, at: "\(path)/items")
    }
    return found
  }

  private static func names(_ list: JSON?) -> Set<String> { Set((list?.arrayValue ?? []).compactMap(\.stringValue)) }
}
