import JSON
import SagaCore
import Values
import Workflows

// The lists that the steps with `forEach` go through. A list that is made for its reads has one element. With one item, a
// step shows neither how its other items come out nor which failures it tolerates.

extension Answers {
  /// The most items of a made list. A step that needs more to show its tolerated failures gets two items.
  private static let mostItems = 20

  /// Returns the answers with enough items for each step with `forEach`: two, or as many as the step needs to fail because
  /// of them. A list stays as it is when the author gave it, when a schema refuses more elements, when two items would have
  /// the same key, and when each item of a step that goes through it needs an answer of its own.
  func withMoreItems(for definition: WorkflowDefinition, given: GivenAnswers) -> Answers {
    var answers = self
    let judged = Set(definition.steps.filter(\.judgesItems).compactMap { $0.forEach?.place })
    for step in definition.steps {
      guard let forEach = step.forEach, let place = forEach.place, !judged.contains(place) else { continue }
      if case .input = place.root, given.input != nil { continue }
      if case .output(let other) = place.root, given.outputs[other] != nil { continue }
      let list = answers.value(at: place)?.arrayValue ?? []
      guard let first = list.first else { continue }
      for count in [Self.wanted(forEach), 2] where list.count < count {
        var more = answers
        let added = (list.count..<count).map { forEach.item(like: first, number: $0) }
        more.set(.array(list + added), at: place)
        guard more.meetsSchemas(of: definition), more.hasKeys(for: forEach) else { continue }
        answers = more
        break
      }
    }
    return answers
  }

  /// Returns the number of items with which one failure is tolerated, if any is, and some more are not.
  private static func wanted(_ forEach: ForEach) -> Int {
    let wanted =
      switch forEach.tolerated {
      case .count(let most): most + 2
      case .percent(let percent): percent == 0 ? 2 : max(2, (100 + percent - 1) / percent)
      }
    return wanted > mostItems ? 2 : wanted
  }

  /// Returns whether no two items have the same key. Items that can't be computed yet have none.
  private func hasKeys(for forEach: ForEach) -> Bool {
    let steps = JSON.object(JSONObject(outputs.map { ($0, ["output": $1]) }))
    do throws(ItemsError) {
      _ = try forEach.values(in: ["input": input, "steps": steps])
      return true
    } catch {
      return error.code != WorkflowErrorCode.forEachSameKey
    }
  }

  /// Returns whether the schemas of the input and of all signals take the answers.
  func meetsSchemas(of definition: WorkflowDefinition) -> Bool {
    if definition.refusal(ofInput: input) != nil { return false }
    return definition.steps.allSatisfy { step in
      if let schema = step.undoSignal?.schema, !schema.takes(undoSignals[step.id] ?? .object([:])) { return false }
      guard case .signal(let signal) = step.action, let schema = signal.schema else { return true }
      return schema.takes(outputs[step.id] ?? .object([:]))
    }
  }
}

extension Step {
  /// Whether a condition compares the answer or the signal of an item with the item. All items of a rehearsal answer alike.
  fileprivate var judgesItems: Bool {
    guard let forEach else { return false }
    var conditions: [JSONPathCondition?] = [poll?.until, poll?.failWhen]
    if case .signal(let signal) = action { conditions.append(signal.accept) }
    conditions.append(undoSignal?.accept)
    return conditions.contains { condition in
      condition?.referencedQueries.contains { forEach.isItem($0.leadingTokens.first) } ?? false
    }
  }
}

extension ForEach {
  fileprivate func isItem(_ token: JSONPointer.Token?) -> Bool {
    token == .name(name) || token == .name(Self.indexName)
  }

  /// The place of the list in the input or in a step's output; nil when the items come from elsewhere.
  fileprivate var place: ReadPlace? {
    guard let tokens = items.referencedQueries.first?.leadingTokens, items.referencedQueries.count == 1 else {
      return nil
    }
    var names: [String] = []
    for token in tokens {
      guard case .name(let name) = token else { return nil }
      names.append(name)
    }
    switch names.first {
    case "input": return ReadPlace(.input, names.dropFirst().map { .member($0) })
    case "steps":
      guard names.count >= 3, names[2] == "output" else { return nil }
      return ReadPlace(.output(names[1]), names.dropFirst(3).map { .member($0) })
    default: return nil
    }
  }

  /// Returns an item like another one, with a key of its own.
  fileprivate func item(like first: JSON, number: Int) -> JSON {
    let query = key?.referencedQueries.first { $0.leadingTokens.first == .name(name) }
    guard let tokens = query?.leadingTokens else { return first }
    return Self.changing(first, at: tokens.dropFirst(), number)
  }

  /// Returns a value with another value at a place: a text or a number that differs for each number.
  private static func changing(_ value: JSON, at tokens: ArraySlice<JSONPointer.Token>, _ number: Int) -> JSON {
    switch tokens.first {
    case .name(let name):
      var members = value.objectValue ?? [:]
      members[name] = changing(members[name] ?? .null, at: tokens.dropFirst(), number)
      return .object(members)
    case .index: return value
    case nil:
      if let text = value.stringValue { return .string("\(text)-\(number)") }
      return value.intValue.map { JSON.int($0 + number) } ?? .string("item-\(number)")
    }
  }
}
