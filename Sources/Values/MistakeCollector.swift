public import JSON

/// Reads the members of an object with their types, and collects every mistake, so that the author gets all of them at
/// once. A reader that conforms says how it words a mistake.
public protocol MistakeCollector {
  /// Returns a member; nil when it counts as missing.
  mutating func member(_ name: String) -> JSON?
  /// Notes that a member is missing.
  mutating func noteMissing(_ name: String)
  /// Notes that a value is not what it must be.
  /// - Parameters:
  ///   - pointer: the place of the value in the object.
  ///   - what: what the value must be, such as `must be an integer from 1`.
  ///   - nearName: the known word that is nearest to the value.
  mutating func noteWrong(_ pointer: JSONPointer, _ what: String, nearName: String?)
}

extension MistakeCollector {
  /// Notes that a member is not what it must be, or does not fit the other members.
  public mutating func refuse(_ name: String, _ what: String, nearName: String? = nil) {
    noteWrong(.root.appending(.name(name)), what, nearName: nearName)
  }

  /// Returns any JSON value.
  public mutating func value(_ name: String, isRequired: Bool = false) -> JSON? {
    let value = member(name)
    if value == nil, isRequired { noteMissing(name) }
    return value
  }

  /// Returns what `read` makes of a member.
  public mutating func read<Value>(
    _ name: String, _ what: String, isRequired: Bool = false, _ read: (JSON) -> Value?
  ) -> Value? {
    guard let value = value(name, isRequired: isRequired) else { return nil }
    guard let read = read(value) else {
      refuse(name, what)
      return nil
    }
    return read
  }

  public mutating func text(_ name: String, isRequired: Bool = false, atMost limit: Int = 200) -> String? {
    read(name, "must be a string of 1 to \(limit) characters", isRequired: isRequired) { $0.text(atMost: limit) }
  }

  public mutating func integer(_ name: String, from least: Int, isRequired: Bool = false) -> Int? {
    read(name, "must be an integer from \(least)", isRequired: isRequired) { value in
      value.intValue.flatMap { $0 >= least ? $0 : nil }
    }
  }

  public mutating func number(_ name: String, in range: ClosedRange<Double>) -> Double? {
    read(name, "must be a number from \(range.lowerBound) to \(range.upperBound)") { value in
      value.doubleValue.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  public mutating func flag(_ name: String) -> Bool? { read(name, "must be true or false", \.boolValue) }

  public mutating func choice(_ name: String, of choices: [String], isRequired: Bool = true) -> String? {
    guard let value = value(name, isRequired: isRequired) else { return nil }
    guard let text = value.stringValue, choices.contains(text) else {
      let near = value.stringValue.flatMap { NearNames.nearest(to: $0, among: choices) }
      refuse(name, "must be one of \(choices.joined(separator: ", "))", nearName: near)
      return nil
    }
    return text
  }

  /// Returns the texts of an array. A wrong element is noted and left out.
  public mutating func texts(_ name: String, count: Int, length: Int) -> [String]? {
    let most = "must be an array of at most \(count) strings"
    let elements = read(name, most) { value in value.arrayValue.flatMap { $0.count <= count ? $0 : nil } }
    guard let elements else { return nil }
    var texts: [String] = []
    for (index, element) in elements.enumerated() {
      if let text = element.text(atMost: length) {
        texts.append(text)
      } else {
        let pointer = JSONPointer.root.appending(.name(name)).appending(.index(index))
        noteWrong(pointer, "must be a string of 1 to \(length) characters", nearName: nil)
      }
    }
    return texts
  }
}

extension JSON {
  /// Returns the string of 1 to `limit` characters; nil for any other value.
  public func text(atMost limit: Int) -> String? {
    stringValue.flatMap { (1...limit).contains($0.unicodeScalars.count) ? $0 : nil }
  }
}
