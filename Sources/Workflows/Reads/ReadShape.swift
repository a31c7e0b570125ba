import JSON

/// What the expressions of a workflow read of one value: its members, its elements, and the values that it is compared
/// with. A rehearsal makes plausible values from it.
final class ReadShape {
  enum Kind: Hashable {
    case text, number, truth, time, numberText, durationText
  }

  /// One part of the path to the value.
  private(set) var members: [(name: String, shape: ReadShape)] = []
  private(set) var elements: ReadShape?
  /// The least number of elements that the expressions read.
  var least = 1
  var kinds: Set<Kind> = []
  /// The values with which it is compared, and their neighbours, without repeats.
  private(set) var values: [JSON] = []
  /// Numbers of elements with which its count is compared.
  var counts: [Int] = []
  /// Whether an expression asks whether it is there, or has a default for it.
  var mayBeMissing = false
  /// Values that it is compared with and that are found at other places.
  private(set) var links: [ReadPlace] = []
  /// The steps whose condition reads it.
  var readers: Set<String> = []
  let place: ReadPlace

  init(_ place: ReadPlace) { self.place = place }

  func member(_ name: String) -> ReadShape {
    if let known = members.first(where: { $0.name.hasSameScalars(as: name) }) { return known.shape }
    let shape = ReadShape(place.appending(.member(name)))
    members.append((name, shape))
    return shape
  }

  func element(atLeast count: Int = 1) -> ReadShape {
    least = max(least, min(count, Self.mostElements))
    if let elements { return elements }
    let shape = ReadShape(place.appending(.elements))
    elements = shape
    return shape
  }

  /// Makes a value at another place a member of this one.
  func adopt(_ name: String, _ shape: ReadShape) { members.append((name, shape)) }

  /// The most elements of a made list.
  static let mostElements = 100

  func compare(_ comparison: Comparison, with value: JSON) {
    switch value {
    case .bool:
      kinds.insert(.truth)
      note(value)
      note(value == true ? false : true)
    case .number(let number):
      kinds.insert(.number)
      note(value)
      if let whole = number.intValue, abs(whole) < 1 << 53 {
        note(.int(whole + 1))
        note(.int(whole - 1))
      } else {
        note(.number(JSONNumber(number.doubleValue + 1)))
        note(.number(JSONNumber(number.doubleValue - 1)))
      }
    case .string(let text):
      kinds.insert(.text)
      note(value)
      // A text on either side in the order of scalars, and one that is only different.
      note(.string(text + "-other"))
      if comparison != .equal, comparison != .notEqual { note("") }
    case .null, .array, .object:
      note(value)
    }
  }

  func note(_ value: JSON) { if !values.contains(value), values.count < Self.mostValues { values.append(value) } }
  func link(to other: ReadPlace) { if !links.contains(other), links.count < Self.mostValues { links.append(other) } }

  private static let mostValues = 24

  /// Returns a value that has every part that is read.
  /// - Parameter name: the name of the value. A part of which only the place is known is a text with its name.
  func sample(named name: String) -> JSON {
    if let elements {
      return .array(Array(repeating: elements.sample(named: name), count: max(1, least)))
    }
    if !members.isEmpty {
      return .object(JSONObject(members.map { ($0.name, $0.shape.sample(named: $0.name)) }))
    }
    if let value = values.first { return value }
    // A time from which an expression computes is a text before it is a number.
    if kinds.contains(.time) { return "2026-03-02T08:00:00Z" }
    if kinds.contains(.durationText) { return "1h" }
    if kinds.contains(.numberText) { return "1" }
    if kinds.contains(.number) { return 1 }
    if kinds.contains(.truth) { return true }
    return .string("\(name)-1")
  }

  /// Adds the choices of this value and of its parts.
  func addChoices(to choices: inout [ReadChoice]) {
    var all: [ReadChoice.Value] = values.map { .json($0) } + links.map { .copy($0) }
    if let elements, !counts.isEmpty || mayBeMissing {
      let one = elements.sample(named: place.name)
      for count in Set(counts.flatMap { [$0 - 1, $0, $0 + 1] } + [0]).sorted() {
        guard (0...Self.mostElements).contains(count) else { continue }
        all.append(.json(.array(Array(repeating: one, count: count))))
      }
    }
    if values.isEmpty, kinds.contains(.number) { all += [.json(0), .json(1), .json(1_000_000)] }
    if values.isEmpty, kinds.contains(.truth) { all += [.json(true), .json(false)] }
    if mayBeMissing {
      all.append(.absent)
      if members.isEmpty, elements == nil { all.append(.json(sample(named: place.name))) }
    }
    if !all.isEmpty { choices.append(ReadChoice(place: place, values: all, readers: readers)) }
    for (_, member) in members { member.addChoices(to: &choices) }
    elements?.addChoices(to: &choices)
  }
}

/// The place of a value that a rehearsal makes.
package struct ReadPlace: Sendable, Hashable {
  package enum Root: Sendable, Hashable {
    case input
    /// What a step answers. Of a signal step: the body of its signal.
    case output(String)
    /// The status and the headers of the answer to an `http` step.
    case answer(String)
    /// The body of the signal that confirms the undo of a step.
    case undoSignal(String)
  }
  package enum Part: Sendable, Hashable {
    case member(String)
    /// Every element of a list.
    case elements
  }

  package let root: Root
  package let path: [Part]

  package init(_ root: Root, _ path: [Part] = []) {
    self.root = root
    self.path = path
  }

  func appending(_ part: Part) -> ReadPlace { ReadPlace(root, path + [part]) }

  /// The name of the value, for a made text.
  var name: String {
    for case .member(let name) in path.reversed() { return name }
    switch root {
    case .input: return "input"
    case .output(let step), .answer(let step), .undoSignal(let step): return step
    }
  }

  /// The place as an expression writes it.
  package var shown: String {
    let start =
      switch root {
      case .input: "input"
      case .output(let step): "steps.\(step).output"
      case .answer(let step): "steps.\(step).answer"
      case .undoSignal(let step): "the signal of the undo of \(step)"
      }
    return start
      + path.map { part in
        switch part {
        case .member(let name): NameRule.identifier.allows(name) ? ".\(name)" : "['\(name)']"
        case .elements: "[*]"
        }
      }.joined()
  }
}

/// Values that a rehearsal may choose for one place.
package struct ReadChoice: Sendable {
  package enum Value: Sendable, Hashable {
    case json(JSON)
    case absent
    /// The value that is found at another place.
    case copy(ReadPlace)
  }

  package let place: ReadPlace
  package let values: [Value]
  /// The steps whose condition reads the place.
  package let readers: Set<String>
}
